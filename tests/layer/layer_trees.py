"""Random trees and layers for the laws of the layer room."""

import io
import os
from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from kezuri.layer.compression import compression
from kezuri.layer.entry import Entry, Item
from kezuri.layer.packer import pack
from kezuri.layer.upper import walk

ROOT = os.geteuid() == 0
USERXATTR = not ROOT

SECOND = 1_000_000_000

names = st.sampled_from(["a", "b", "c", "ä", "x" * 90, "bin", "new\nline", "back\\slash", "\udcff"])
"""Few enough to collide, odd enough to hurt."""

paths = st.lists(names, min_size=1, max_size=4).map("/".join)
# An ordinary user's own ids are asked for when they are drawn: they are others once a user namespace was entered.
ids = st.sampled_from([0, 1, 1000, 65534, 0o7777777, 0o10000000, 4_000_000_000]) if ROOT else st.builds(os.geteuid)
groups = ids if ROOT else st.builds(os.getegid)
times = st.sampled_from([0, 1, 1_700_000_000, -1, -86_400, 8_589_934_592]).map(lambda seconds: seconds * SECOND)
modes = st.sampled_from([0o644, 0o755, 0o600, 0o4755, 0o2755, 0o1777, 0o777, 0o6711])
attributes = st.dictionaries(
    st.sampled_from(["user.one", "user.two", "user.ü"]), st.binary(max_size=300), max_size=2
).map(lambda found: tuple(sorted(found.items())))
contents = st.one_of(st.binary(max_size=40), st.integers(0, 3000).map(lambda size: b"\xa5" * size))


@st.composite
def trees(draw: st.DrawFn, marks: bool = True) -> list[Item]:
    """A layer in the order and form that `walk` gives: parents described, sorted, one thing at a path."""
    found: dict[str, Item] = {}
    files: list[str] = []
    for path in sorted(set(draw(st.lists(paths, max_size=12)))):
        if _under_leaf(found, path) or path in found:
            continue
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found[parent] = _directory(draw, parent)
            parent = parent.rpartition("/")[0]
        kinds = ["file", "file", "dir", "symlink", "fifo"]
        if marks:
            kinds += ["whiteout", "opaque"]
        kind = draw(st.sampled_from(kinds))
        if kind == "dir":
            found[path] = _directory(draw, path)
        elif kind == "opaque":
            found[path] = _directory(draw, path)
            found[path + "\0"] = Entry(path, "opaque", 0), None
        elif kind == "whiteout":
            found[path] = Entry(path, "whiteout", 0), None
        elif kind == "file":
            content = draw(contents)
            entry = Entry(path, "file", draw(modes), draw(ids), draw(groups), len(content), draw(times))
            found[path] = entry._replace(xattrs=draw(attributes)), content
            files.append(path)
        elif kind == "symlink":
            link = draw(st.sampled_from(["a", "/b", "../c", "gone", "é" * 60, "t" * 200]))
            found[path] = Entry(path, "symlink", 0o777, draw(ids), draw(groups), 0, draw(times), link), None
        else:
            found[path] = Entry(path, "fifo", draw(modes) & 0o777, draw(ids), draw(groups), 0, draw(times)), None
    ordered = [found[key] for key in sorted(found, key=order)]
    linked = draw(st.booleans())
    if files and linked:
        # The last name of all sorts after every possible first name.
        first = found[draw(st.sampled_from(files))][0]
        ordered.append((first._replace(path="\U0010fffd", kind="hardlink", size=0, link=first.path, xattrs=()), None))
    return ordered


def order(path: str) -> list[str]:
    """The key by which `walk` sorts; an opaque mark (with a NUL) follows its directory."""
    return [*path[:-1].split("/"), ""] if path.endswith("\0") else path.split("/")


def _directory(draw: st.DrawFn, path: str) -> Item:
    return Entry(path, "dir", draw(modes) | 0o700, draw(ids), draw(groups), 0, draw(times)), None


def _under_leaf(found: dict[str, Item], path: str) -> bool:
    while path := path.rpartition("/")[0]:
        if path in found and found[path][0].kind != "dir":
            return True
    return False


loose_entries = st.lists(
    st.tuples(
        paths,
        st.sampled_from(["file", "file", "dir", "symlink", "hardlink", "whiteout", "opaque"]),
        st.sampled_from(["a", "b", "a/b", "/bin", "..", "c/a"]),
        st.integers(0, 5),
    ),
    max_size=14,
)
"""Anything in any order: things under links, things given twice, links to nowhere."""


def loose_items(drawn: Iterable[tuple[str, str, str, int]]) -> list[Item]:
    items: list[Item] = []
    for path, kind, target, size in drawn:
        if kind == "file":
            entry = Entry(path, "file", 0o644, os.geteuid(), os.getegid(), size)
            items.append((entry, bytes([65 + size]) * size))
        elif kind == "dir":
            items.append((Entry(path, "dir", 0o755, os.geteuid(), os.getegid()), None))
        elif kind == "symlink":
            items.append((Entry(path, "symlink", 0o777, os.geteuid(), os.getegid(), link=target), None))
        elif kind == "hardlink":
            clean = target.strip("/.") or "a"
            items.append((Entry(path, "hardlink", 0o644, os.geteuid(), os.getegid(), link=clean), None))
        elif kind == "whiteout":
            items.append((Entry(path, "whiteout", 0), None))
        else:
            items.append((Entry(path, "opaque", 0), None))
    return items


def tar_of(items: Sequence[Item]) -> bytes:
    sink = io.BytesIO()
    pack(items, sink, compression("none"))
    return sink.getvalue()


def walked(directory: str) -> list[Item]:
    """What is there, with the bytes in place of their paths."""
    items: list[Item] = []
    for entry, content in walk(directory, userxattr=USERXATTR):
        if isinstance(content, str):
            with open(content, "rb") as file:
                items.append((entry, file.read()))
        else:
            items.append((entry, content))
    return items
