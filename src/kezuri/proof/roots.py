"""Two root file systems compared, path by path. Nothing is unpacked: files in tars are compared by the digests that the
store keeps of them."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from kezuri.layer.entry import Entry
from kezuri.proof.difference import Difference
from kezuri.proof.noise import NOISE, Noise, marked
from kezuri.tree.content import Bytes, InTar, TarFiles, pieces
from kezuri.tree.tree import Found, Tree

_KINDS = {"dir": "directory", "char": "character device", "block": "block device", "fifo": "pipe", "symlink": "link"}


class _Pair(NamedTuple):
    """A file on either side, of equal size, whose bytes have to be compared."""

    path: str
    before: Bytes
    after: Bytes


class _Walk:
    """What both trees hold, one directory after the other."""

    def __init__(self, before: Tree, after: Tree, times: bool) -> None:
        self._trees = (before, after)
        self._times = times
        self.found: list[Difference] = []
        self.pairs: list[_Pair] = []
        self.names: tuple[dict[object, list[str]], dict[object, list[str]]] = ({}, {})
        """The paths of each file that has several, on either side."""

    def run(self) -> None:
        todo = [("", True, True)]
        root = [tree.stat("") for tree in self._trees]
        if root[0] is not None and root[1] is not None:
            self._compare("", root[0], root[1])
        while todo:
            path, left, right = todo.pop()
            old = {f.entry.path: f for f in self._trees[0].scan(path)} if left else {}
            new = {f.entry.path: f for f in self._trees[1].scan(path)} if right else {}
            for at in sorted(old.keys() | new.keys(), key=os.fsencode):
                one, two = old.get(at), new.get(at)
                self._visit(at, one, two)
                below = (one is not None and one.entry.kind == "dir", two is not None and two.entry.kind == "dir")
                if any(below):
                    todo.append((at, *below))

    def _visit(self, path: str, one: Found | None, two: Found | None) -> None:
        for side, item in enumerate((one, two)):
            if item is not None and item.identity is not None:
                self.names[side].setdefault(item.identity, []).append(path)
        if one is not None and two is not None:
            self._compare(path, one, two)
        elif one is not None:
            self.found.append(Difference("file.gone", _described(one.entry), None, path))
        elif two is not None:
            self.found.append(Difference("file.new", None, _described(two.entry), path))

    def _compare(self, path: str, one: Found, two: Found) -> None:
        was, now = one.entry, two.entry
        if was.kind != now.kind:
            self._tell("file.kind", _kind(was), _kind(now), path)
            return
        if was.kind == "symlink":
            self._tell("file.link", was.link, now.link, path)
        else:
            self._tell("file.mode", f"{was.mode:04o}", f"{now.mode:04o}", path)
        self._tell("file.owner", f"{was.uid}:{was.gid}", f"{now.uid}:{now.gid}", path)
        self._tell("file.attributes", _attributes(was), _attributes(now), path)
        self._tell("file.device", str(was.device), str(now.device), path)
        if self._times:
            self._tell("file.time", str(was.mtime), str(now.mtime), path)
        if was.kind != "file":
            return
        if was.size != now.size:
            self._tell("file.content", f"{was.size} bytes", f"{now.size} bytes", path)
        elif one.content != two.content:
            self.pairs.append(_Pair(path, one.content, two.content))

    def _tell(self, name: str, was: str, now: str, path: str) -> None:
        if was != now:
            self.found.append(Difference(name, was, now, path))


def root_differences(
    before: Tree, after: Tree, *, times: bool = False, noise: tuple[Noise, ...] = NOISE
) -> tuple[Difference, ...]:
    """What is not the same in two trees, sorted by path: kinds, permissions, owners, bytes, links, attributes, devices,
    which paths are one file, and with `times` when each was changed. What the table of noise knows carries its reason.
    KezuriError when a tree cannot be read."""
    walk = _Walk(before, after, times)
    walk.run()
    found = walk.found
    digests = _digests(walk.pairs)
    for path, one, two in walk.pairs:
        was, now = digests[path, 0](one), digests[path, 1](two)
        if was != now:
            found.append(Difference("file.content", f"sha256:{was[:16]}", f"sha256:{now[:16]}", path))
    firsts = [_firsts(names) for names in walk.names]
    lonely = {d.where for d in found if d.name in ("file.new", "file.gone", "file.kind")}
    for path in sorted(firsts[0].keys() | firsts[1].keys()):
        one_file, other = firsts[0].get(path, path), firsts[1].get(path, path)
        if one_file != other and path not in lonely:
            found.append(Difference("file.same", one_file, other, path))
    return tuple(marked(d, noise) for d in sorted(found, key=lambda d: (os.fsencode(d.where), d.name)))


def _firsts(names: Mapping[object, list[str]]) -> dict[str, str]:
    """For each path that is one file with others the first of them in order."""
    return {path: min(paths) for paths in names.values() if len(paths) > 1 for path in paths}


class _Known:
    """The digest of a file in a tar, which was asked for with all others of its tar."""

    __slots__ = ("_digests",)

    def __init__(self, digests: Mapping[str, bytes]) -> None:
        self._digests = digests

    def __call__(self, content: Bytes) -> str:
        assert isinstance(content, InTar)
        return self._digests[content.path].hex()


def _digests(pairs: list[_Pair]) -> Mapping[tuple[str, int], "_Known | _Read"]:
    """How the digest of each content is had: files in tars are asked for together, one pass over each tar."""
    wanted: dict[TarFiles, set[str]] = {}
    for pair in pairs:
        for content in (pair.before, pair.after):
            if isinstance(content, InTar):
                wanted.setdefault(content.tar, set()).add(content.path)
    known = {tar: _Known(tar.digests(paths)) for tar, paths in wanted.items()}
    read = _Read()
    return {
        (pair.path, side): known[content.tar] if isinstance(content, InTar) else read
        for pair in pairs
        for side, content in enumerate((pair.before, pair.after))
    }


class _Read:
    """The digest of bytes that are here."""

    def __call__(self, content: Bytes) -> str:
        from hashlib import sha256

        sha = sha256()
        for piece in pieces(content):
            sha.update(piece)
        return sha.hexdigest()


def _kind(entry: Entry) -> str:
    return _KINDS.get(entry.kind, entry.kind)


def _described(entry: Entry) -> str:
    if entry.kind == "file":
        return f"file of {entry.size} bytes"
    return f"link to {entry.link}" if entry.kind == "symlink" else _kind(entry)


def _attributes(entry: Entry) -> str:
    return ", ".join(f"{name}={value.hex()}" for name, value in entry.xattrs)
