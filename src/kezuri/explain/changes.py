"""What became of the files between two lists of files (`checksum.text`), told path by path."""

from collections.abc import Container, Iterable
from typing import Literal, NamedTuple

What = Literal["new", "gone", "renamed", "kind", "content", "link", "mode", "owner", "attributes"]

_KINDS = {"f": "file", "l": "link", "c": "character device", "b": "block device", "d": "directory", "p": "pipe"}


class Change(NamedTuple):
    """One path, and one thing about it that is not what it was.

    `before` and `after` are kinds, link targets, modes (octal) or owners (`uid:gid`); for `renamed` the old and the
    new path, of which `path` is the new one; else empty. A path can have several changes.
    """

    path: str
    what: What
    before: str = ""
    after: str = ""


class _File(NamedTuple):
    kind: str
    mode: str
    owner: str
    content: str
    attributes: str


def changes(before: str, after: str) -> tuple[Change, ...]:
    """What it takes to get from one list to the other, sorted by path; nothing exactly when they are equal.

    A file that is gone and one of the same content, mode and owner that is new are one that was renamed, where it is
    clear which.
    """
    was, now = before.split("\n"), after.split("\n")
    # Of many files few change, mostly: only lines that both lists do not have are taken apart.
    same = set(was).intersection(now)
    old, new = _parse(was, same), _parse(now, same)
    gone, came = old.keys() - new.keys(), new.keys() - old.keys()
    renamed = _renamed({p: old[p] for p in gone}, {p: new[p] for p in came})
    found = [Change(new_path, "renamed", old_path, new_path) for old_path, new_path in renamed]
    taken = {path for pair in renamed for path in pair}
    found += [Change(path, "gone") for path in gone - taken]
    found += [Change(path, "new") for path in came - taken]
    for path in old.keys() & new.keys():
        if old[path] != new[path]:
            found += _changed(path, old[path], new[path])
    return tuple(sorted(found))


def _changed(path: str, was: _File, now: _File) -> Iterable[Change]:
    if was.kind != now.kind:
        yield Change(path, "kind", _KINDS.get(was.kind, "?"), _KINDS.get(now.kind, "?"))
        return
    if was.content != now.content:
        yield Change(path, "link", was.content, now.content) if now.kind == "l" else Change(path, "content")
    if was.mode != now.mode:
        yield Change(path, "mode", was.mode.zfill(4), now.mode.zfill(4))
    if was.owner != now.owner:
        yield Change(path, "owner", was.owner, now.owner)
    if was.attributes != now.attributes:
        yield Change(path, "attributes")


def _renamed(gone: dict[str, _File], came: dict[str, _File]) -> list[tuple[str, str]]:
    """Pairs of an old and a new path of files that are alike in everything, and like no other that went or came."""
    by_file: dict[_File, tuple[list[str], list[str]]] = {}
    for side, files in enumerate((gone, came)):
        for path, file in files.items():
            if file.kind == "f" and file.content:
                by_file.setdefault(file, ([], []))[side].append(path)
    return [(was[0], now[0]) for was, now in by_file.values() if len(was) == len(now) == 1]


def _parse(lines: Iterable[str], same: Container[str]) -> dict[str, _File]:
    result = {}
    for line in lines:
        if line in same:
            continue
        mode, _, rest = line.partition(" ")
        owner, _, rest = rest.partition(" ")
        content, _, path = rest.partition(" ")
        if path:
            content, _, attributes = content.partition("+")
            if mode[0] == "l":
                content = _unescaped(content)
            result[path] = _File(mode[0], mode[1:], owner, content, attributes)
    return result


def _unescaped(target: str) -> str:
    return target.replace("%0A", "\n").replace("%2B", "+").replace("%20", " ").replace("%25", "%")
