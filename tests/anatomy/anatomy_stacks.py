"""Random stacks of layers, and what they unpack to on a real disk: written without anything of kezuri's."""

import io
import os
import shutil
import tarfile
from hashlib import sha256
from random import Random
from typing import NamedTuple

from kezuri.anatomy.dissection import Dissection, OwnLayer
from kezuri.anatomy.values import Maker
from kezuri.layer.listing import Listing
from kezuri.layer.view import AnythingBelow
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.tree.layers import ListedLayer

NAMES = ["a", "b", "c", "lib", "ä", "new\nline", "back\\slash", "\udcff"]
CONTENTS = [b"", b"x", b"some bytes", b"other byte", b"\0" * 600, b"long " * 900]


def dissected(*tars: bytes, name: str = "an image") -> Dissection:
    """An image of these layers."""
    own = []
    for number, tar in enumerate(tars):
        listing = Listing.of_tar(io.BytesIO(tar), lower=AnythingBelow(), hashing=True)
        form = ListedLayer(listing, lambda tar=tar: io.BytesIO(tar))  # type: ignore[misc]
        own.append(OwnLayer(f"sha256:{sha256(tar).hexdigest()}", form, listing, Maker(f"RUN step {number}")))
    return Dissection(name, ImageConfig(Platform("linux", "amd64")), own)


def tarred(*members: tuple[str, object] | tuple[str, object, int]) -> bytes:
    """A tar: each member with its name and bytes (a file), None (a directory), `=NAME` (a hard link) or `->NAME` (a
    symbolic one), and perhaps its mode."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, what, *mode in members:
            member = tarfile.TarInfo(name)
            member.mode = mode[0] if mode else 0o755
            data = what if isinstance(what, bytes) else b""
            member.size = len(data)
            if what is None:
                member.type = tarfile.DIRTYPE
            elif isinstance(what, str) and what.startswith("="):
                member.type, member.linkname = tarfile.LNKTYPE, what[1:]
            elif isinstance(what, str):
                member.type, member.linkname = tarfile.SYMTYPE, what[2:]
            tar.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def content_of(tar: bytes) -> int:
    """The bytes of all files in a tar, as Python's own reader counts them."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return sum(each.size for each in archive if each.isreg() and not os.path.basename(each.name).startswith(".wh."))


class Seen(NamedTuple):
    """What lies in a directory: bytes of files, each inode once; entries that are no directories; directories; and by
    digest how many files that are not empty have those bytes."""

    size: int
    others: set[str]
    directories: set[str]
    copies: dict[bytes, int]


def seen(root: str) -> Seen:
    """What lies in the directory."""
    inodes: dict[int, int] = {}
    copies: dict[bytes, int] = {}
    others, directories = set(), set()
    for base, below, names in os.walk(root):
        for name in (*below, *names):
            path = os.path.join(base, name)
            within = os.path.relpath(path, root)
            if os.path.isdir(path) and not os.path.islink(path):
                directories.add(within)
                continue
            others.add(within)
            status = os.lstat(path)
            if os.path.isfile(path) and not os.path.islink(path) and status.st_ino not in inodes:
                inodes[status.st_ino] = status.st_size
                if status.st_size:
                    with open(path, "rb") as file:
                        digest = sha256(file.read()).digest()
                    copies[digest] = copies.get(digest, 0) + 1
    return Seen(sum(inodes.values()), others, directories, copies)


class Growing:
    """A root directory on which layers are drawn: each fits what is there, and is laid over it at once."""

    def __init__(self, root: str, chance: Random) -> None:
        self.root = root
        self._chance = chance

    def layer(self) -> bytes:
        """One more layer."""
        chance = self._chance
        marks = [self._removal() for _ in range(chance.choice([0, 0, 1, 2]))]
        for name, _ in marks:
            self._make_way(name)  # no mark removes what its own layer brings
        adds: list[tuple[str, object, int]] = []
        # What marks lie in is a directory of this layer.
        own = {above: "dir" for name, _ in marks for above in _above(name)}
        pinned: set[str] = set()
        for _ in range(chance.randint(0, 6)):
            path = self._path()
            if self._in_the_way(path, own, pinned):
                continue
            kind = chance.choice(["file", "file", "file", "dir", "symlink", "link", "link"])
            mode = chance.choice([0o644, 0o755, 0o600])
            if path in own and (kind != own[path] or kind == "link"):
                continue
            what: object = None
            if kind == "file":
                what = chance.choice(CONTENTS)
            elif kind == "symlink":
                what = f"->{chance.choice(NAMES[:3])}"
            elif kind == "link":
                targets = [t for t in self._files() if t != path and not t.startswith(path + "/")]
                if not targets:
                    continue
                target = chance.choice(targets)
                if not any(other == target or other.startswith(target + "/") for other in own):
                    pinned.add(target)
                what = f"={target}"
            if kind == "dir" and own.get(path, "dir") != "dir":
                continue
            own[path] = kind
            adds.append((path, what, mode))
            self._add(path, what)
        chance.shuffle(marks)
        members: list[tuple[str, object, int]] = [(name, what, 0o644) for name, what in marks]
        return tarred(*(members + adds if chance.random() < 0.5 else adds + members))

    def _in_the_way(self, path: str, own: dict[str, str], pinned: set[str]) -> bool:
        """Whether the layer itself has something above or below the path that forbids an entry there."""
        above = path
        while above := above.rpartition("/")[0]:
            if own.get(above, "dir") != "dir" or above in pinned:
                return True
        below = any(each.startswith(path + "/") for each in (*own, *pinned))
        return below or path in pinned

    def _path(self) -> str:
        chance = self._chance
        there = [
            os.path.relpath(os.path.join(base, name), self.root)
            for base, below, names in os.walk(self.root)
            for name in (*below, *names)
        ]
        if there and chance.random() < 0.5:
            return chance.choice(sorted(there))
        return "/".join(chance.choice(NAMES) for _ in range(chance.randint(1, 3)))

    def _files(self) -> list[str]:
        return sorted(
            os.path.relpath(os.path.join(base, name), self.root)
            for base, _, names in os.walk(self.root)
            for name in names
            if not os.path.islink(os.path.join(base, name))
        )

    def _removal(self) -> tuple[str, object]:
        path = self._path()
        where = os.path.join(self.root, path)
        if self._chance.random() < 0.3:
            if os.path.isdir(where) and not os.path.islink(where):
                for name in os.listdir(where):
                    _remove(os.path.join(where, name))
            return f"{path}/.wh..wh..opq", b""
        if os.path.lexists(where):
            _remove(where)
        parent, _, base = path.rpartition("/")
        return f"{parent}/.wh.{base}".lstrip("/"), b""

    def _make_way(self, path: str) -> None:
        """Make the directories that a path lies in, whatever is there."""
        at = self.root
        for part in path.split("/")[:-1]:
            at = os.path.join(at, part)
            if os.path.lexists(at) and (os.path.islink(at) or not os.path.isdir(at)):
                os.unlink(at)
            if not os.path.lexists(at):
                os.mkdir(at)

    def _add(self, path: str, what: object) -> None:
        where = os.path.join(self.root, path)
        aside = ""
        if isinstance(what, str) and what.startswith("="):
            aside = os.path.join(self.root, "aside")
            os.link(os.path.join(self.root, what[1:]), aside)
        self._make_way(path)
        if os.path.lexists(where) and not (what is None and os.path.isdir(where) and not os.path.islink(where)):
            _remove(where)
        if aside:
            os.rename(aside, where)
            if os.path.lexists(aside):
                os.unlink(aside)  # rename does nothing where both are the same file
        elif what is None:
            os.makedirs(where, exist_ok=True)
        elif isinstance(what, bytes):
            with open(where, "xb") as file:
                file.write(what)
        else:
            assert isinstance(what, str)
            os.symlink(what[2:], where)


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def _remove(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
    else:
        shutil.rmtree(path)
