"""Random context trees: everything that a file system can hold and a COPY can meet, and single changes to them."""

import bz2
import gzip
import io
import lzma
import os
import random
import tarfile
from typing import NamedTuple

import zstandard

PAST = 1_500_000_000
NAMES = ("f", "g", "d", "e", "x.txt", "y.log", ".dot", "sp ace", "ünï", "[br]", "st*r", "q?m", "-dash", "deep", "Up")
MODES = (0o644, 0o644, 0o644, 0o600, 0o755, 0o4755, 0o2711, 0o1644, 0o444, 0o000, 0o777)
DIRECTORY_MODES = (0o755, 0o755, 0o755, 0o700, 0o1777, 0o2775, 0o711, 0o555)
IGNORES = (
    "*.log",
    "**/*.log",
    "d",
    "d/*",
    "!d/f",
    "!**/x.txt",
    "**/g",
    "e/**",
    "!e",
    "e",
    "!*",
    "!.dot",
    "/f",
    "[a-e]",
)


class Thing(NamedTuple):
    """Something in a context. `data` is a file's content, a link's target, or the path that a hard link repeats."""

    path: str
    kind: str
    mode: int = 0o644
    data: bytes = b""
    mtime: float = PAST


class Context(NamedTuple):
    """A context: its things, parents before children, and the lines of its .dockerignore."""

    things: tuple[Thing, ...]
    ignore: tuple[str, ...] = ()

    def paths(self, *kinds: str) -> list[str]:
        """The paths of the things of these kinds, or of all."""
        return [thing.path for thing in self.things if not kinds or thing.kind in kinds]


def random_context(chance: random.Random, mark: str) -> Context:
    """A context of about twenty things. `mark` is in the content of each file, so that two contexts share none."""
    things: list[Thing] = []
    directories = [""]
    taken: set[str] = set()

    def place(name: str = "") -> str | None:
        parent = chance.choice(directories)
        path = f"{parent}/{name or chance.choice(NAMES)}".lstrip("/")
        if path in taken or path.count("/") > 4:
            return None
        taken.add(path)
        return path

    def add(path: str | None, kind: str, **more: object) -> None:
        if path is None:
            return
        mtime = PAST + chance.choice((0, 1, 86_400, -1.5, 0.25, -1_400_000_000))
        things.append(Thing(path, kind, mtime=mtime)._replace(**more))  # type: ignore[arg-type]
        if kind == "dir":
            directories.append(path)

    for number in range(chance.randint(8, 26)):
        what = chance.random()
        if number < 4 or what < 0.22:
            add(place(), "dir", mode=chance.choice(DIRECTORY_MODES))
        elif what < 0.68:
            data = f"{mark} {number}\n".encode() * chance.choice((0, 1, 1, 1, 40))
            add(place(), "file", mode=chance.choice(MODES), data=data)
        elif what < 0.82:
            around = [t.path for t in things] or ["f"]
            target = chance.choice(("f", "d", "../f", "/d", "/etc/passwd", "nowhere", "loop"))
            if chance.random() < 0.6:
                target = "/" * chance.randint(0, 1) + chance.choice(around)
            add(place(chance.choice(("", "to-d", "to-f", "loop"))), "link", data=target.encode())
        elif what < 0.88 and (files := [t.path for t in things if t.kind == "file"]):
            add(place(), "hard", data=chance.choice(files).encode())
        elif what < 0.90:
            add(place("pipe"), "pipe", mode=0o640)
        else:
            name, data = random_archive(chance, f"{mark} {number}")
            add(place(name), "archive", data=data)
    ignore = tuple(chance.choice(IGNORES) for _ in range(chance.choice((0, 0, 0, 0, 0, 1, 2, 3))))
    return Context(tuple(things), ignore)


def random_archive(chance: random.Random, mark: str) -> tuple[str, bytes]:
    """A tar archive and a name for it, which tells its compression or does not."""
    raw = io.BytesIO()
    form = chance.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
    with tarfile.open(fileobj=raw, mode="w", format=form) as archive:
        made: list[str] = []
        for number in range(chance.randint(0, 7)):
            stem = chance.choice(("t", "t/u", "f", "t/f", "./t/g", "a/b/c", "/abs", "ln", "t/../v"))
            if form != tarfile.USTAR_FORMAT and chance.random() < 0.1:
                stem = "long/" + "n" * 120
            member = tarfile.TarInfo(stem)
            member.mode, member.mtime = chance.choice((0o644, 0o755, 0o4755, 0o700)), PAST + number
            member.uid, member.gid = chance.choice(((0, 0), (5, 6), (70_000, 80_000)))
            what = chance.random()
            data = b""
            if what < 0.3:
                member.type = tarfile.DIRTYPE
            elif what < 0.45:
                member.type, member.linkname = tarfile.SYMTYPE, chance.choice(("f", "../f", "/a", "t", "/nowhere"))
            elif what < 0.55 and made:
                member.type, member.linkname = tarfile.LNKTYPE, chance.choice(made)
            elif what < 0.58:
                member.type = tarfile.FIFOTYPE
            else:
                data = f"{mark} {number}\n".encode()
                if ".." not in stem:
                    made.append(stem)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    data = raw.getvalue()
    packed = chance.choice(("", "", "gz", "bz2", "xz", "zst"))
    if packed == "gz":
        data = gzip.compress(data, mtime=0)
    elif packed == "bz2":
        data = bz2.compress(data)
    elif packed == "xz":
        data = lzma.compress(data)
    elif packed == "zst":
        data = zstandard.ZstdCompressor().compress(data)
    name = chance.choice(("arch.tar", "arch.tgz", "misnamed.txt", "pack"))
    flaw = chance.random()
    if flaw < 0.04:
        data = data[: len(data) // 2]
    elif flaw < 0.08:
        data += b"more"
    return name, data


def lay(context: Context, directory: str) -> None:
    """Write a context to a directory that is empty or not there. Everything belongs to whoever writes."""
    os.makedirs(directory, exist_ok=True)
    for thing in context.things:
        path = f"{directory}/{thing.path}"
        if thing.kind == "dir":
            os.mkdir(path)
        elif thing.kind in ("file", "archive"):
            with open(path, "xb") as file:
                file.write(thing.data)
        elif thing.kind == "link":
            os.symlink(thing.data, path)
        elif thing.kind == "pipe":
            os.mkfifo(path)
        else:
            os.link(f"{directory}/{thing.data.decode()}", path, follow_symlinks=False)
    if context.ignore:
        with open(f"{directory}/.dockerignore", "w") as file:
            file.write("\n".join(context.ignore) + "\n")
        os.utime(f"{directory}/.dockerignore", (PAST, PAST))
    # Times last, and directories from the inside out: writing into one changes its own.
    for thing in reversed(context.things):
        path = f"{directory}/{thing.path}"
        if thing.kind != "hard":
            if thing.kind != "link":
                os.chmod(path, thing.mode)
            os.utime(path, (thing.mtime, thing.mtime), follow_symlinks=False)
    os.utime(directory, (PAST, PAST))


def changed(context: Context, chance: random.Random) -> tuple[Context, str]:
    """The context with one thing changed, and what was done to it in a word."""
    things = list(context.things)
    index = chance.randrange(len(things))
    thing = things[index]
    below = [t for t in things if t.path.startswith(thing.path + "/") or t.data == thing.path.encode()]
    leaf = not below
    kinds = ["content", "mode", "time", "add", "add-directory", "ignore"]
    if leaf:
        kinds += ["remove", "rename", "kind", "move", "unlink"]
    what = chance.choice(kinds)
    if what == "content" and thing.kind == "file":
        # With its time: of a file as old and as large as before BuildKit does not read the bytes.
        data = bytes(reversed(thing.data)) if chance.random() < 0.5 else thing.data + b"+"
        things[index] = thing._replace(data=data, mtime=thing.mtime + 1)
    elif what == "content" and thing.kind == "link":
        things[index] = thing._replace(data=thing.data + b"x")
    elif what == "mode" and thing.kind in ("file", "pipe"):
        # Not of directories, nor set-id bits: BuildKit's transfer does not compare them (tests/build/build_edits.py).
        things[index] = thing._replace(mode=thing.mode ^ chance.choice((0o100, 0o022)))
    elif what == "time":
        things[index] = thing._replace(mtime=thing.mtime + 1000)
    elif what == "remove":
        del things[index]
    elif what in ("rename", "move"):
        directory, _, name = thing.path.rpartition("/")
        if what == "rename":
            name += "2"
        else:
            directory = chance.choice(["", *(t.path for t in things if t.kind == "dir" and t is not thing)])
        path = f"{directory}/{name}".lstrip("/")
        if any(t.path == path for t in things) or path.startswith(thing.path + "/"):
            return context, "nothing"
        del things[index]
        things.append(thing._replace(path=path))
    elif what == "kind":
        others = [Thing(thing.path, "file", data=b"other\n"), Thing(thing.path, "link", data=b"f")]
        others += [Thing(thing.path, "dir", 0o755), Thing(thing.path, "pipe", 0o644)]
        things[index] = chance.choice([one for one in others if one.kind != thing.kind])
    elif what == "unlink" and thing.kind == "hard":
        first = next(t for t in things if t.path == thing.data.decode())
        things[index] = first._replace(path=thing.path)
    elif what in ("add", "add-directory"):
        directory = chance.choice(["", *(t.path for t in things if t.kind == "dir")])
        path = f"{directory}/{chance.choice(('new', 'new.txt', 'f3', '.new'))}".lstrip("/")
        if any(t.path == path for t in things):
            return context, "nothing"
        data = b"new\n"
        things.append(Thing(path, "file", data=data) if what == "add" else Thing(path, "dir", 0o755))
    elif what == "ignore":
        return Context(context.things, (*context.ignore, chance.choice(IGNORES))), "ignore"
    else:
        return context, "nothing"
    return Context(tuple(things), context.ignore), what
