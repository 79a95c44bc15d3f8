"""Every entry of every layer of an image, once, with what hides it: layers merged as they go by, and nothing kept."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kezuri.layer.entry import Entry
from kezuri.tree.content import Bytes
from kezuri.tree.layers import IMPLIED, LayerForm
from kezuri.tree.tree import Found


class Item(NamedTuple):
    """One entry of a layer as it stands there: a whiteout or a hard link as such. `hidden` is the lowest of the higher
    layers that takes it away (`removed`) or puts something else in its place, -1 when the image shows it. `over` is
    what the next lower layer has at the path, where this entry is a file and that one, too."""

    entry: Entry
    layer: int
    hidden: int
    content: Bytes = None
    over: "Over | None" = None
    removed: bool = False

    @property
    def path(self) -> str:
        return self.entry.path

    @property
    def visible(self) -> bool:
        return self.hidden < 0

    @property
    def file(self) -> bool:
        """Whether it is a regular file under its first name."""
        return self.entry.kind == "file"


class Over(NamedTuple):
    """The file that another one lies over."""

    entry: Entry
    layer: int


class _Cover(NamedTuple):
    """What hides something: a layer (-1 for none), and whether it takes away what is there or replaces it."""

    layer: int
    removes: bool = False

    def nearest(self, other: "_Cover") -> "_Cover":
        """Of two the lower layer, which did it first."""
        if self.layer < 0 or other.layer < 0:
            return self if other.layer < 0 else other
        return self if self.layer <= other.layer else other


_NOTHING = _Cover(-1)
_LEAVES = frozenset(("file", "symlink", "hardlink", "char", "block", "fifo"))
_Sources = tuple[tuple[int, _Cover], ...]
"""The layers, uppermost first, that have a directory, each with what hides that directory."""


def walk(layers: Sequence[LayerForm], directory: Callable[[str], None] = lambda path: None) -> Iterator[Item]:
    """The entries of the layers, directory by directory in the order of names, at one path the uppermost layer's first.
    The root is not among them, nor is a directory that a layer does not describe. `directory` is told each directory
    that the image shows, described or not. KezuriError where a layer cannot be read."""
    sources: list[tuple[int, _Cover]] = []
    cover = _NOTHING
    for number in reversed(range(len(layers))):
        sources.append((number, cover))
        if layers[number].opaque(""):
            cover = _Cover(number, True)
    todo: list[tuple[str, _Sources]] = [("", tuple(sources))]
    while todo:
        path, above = todo.pop()
        names: dict[str, list[tuple[int, _Cover, Found]]] = {}
        for number, hidden in above:
            for name, found in layers[number].scan(path):
                if name in names:
                    names[name].append((number, hidden, found))
                else:
                    names[name] = [(number, hidden, found)]
        below: list[tuple[str, _Sources]] = []
        for name in sorted(names):
            at = names[name]
            if len(at) == 1 and at[0][2].entry.kind in _LEAVES:
                # What one layer alone has, as most files are; `_merged` would say the same.
                number, hidden, found = at[0]
                yield Item(found.entry, number, hidden.layer, found.content, None, hidden.removes)
                continue
            child = f"{path}/{name}" if path else name
            directories: list[tuple[int, _Cover]] = []
            yield from _merged(child, at, layers, directories)
            if directories:
                if any(by.layer < 0 for _, by in directories):
                    directory(child)
                below.append((child, tuple(directories)))
        below.reverse()
        todo += below


def _merged(
    path: str,
    found: list[tuple[int, _Cover, Found]],
    layers: Sequence[LayerForm],
    directories: list[tuple[int, _Cover]],
) -> Iterator[Item]:
    """What the layers, uppermost first, have at one path; the directories among it are appended."""
    cover = solid = _NOTHING
    for place, (number, hidden, own) in enumerate(found):
        entry = own.entry
        if own is IMPLIED or entry.kind == "dir":
            by = hidden.nearest(cover)
            if own is not IMPLIED:
                yield Item(entry, number, by.layer, None, None, by.removes)
            directories.append((number, by))
            if layers[number].opaque(path):
                cover = _Cover(number, True)
            solid = _Cover(number)
            continue
        if entry.kind == "whiteout":
            yield Item(entry, number, -1)
            cover = solid = _Cover(number, True)
            continue
        over = None
        if entry.kind == "file" and place + 1 < len(found):
            lower, _, next_below = found[place + 1]
            if next_below.entry.kind == "file":
                over = Over(next_below.entry, lower)
        by = hidden.nearest(cover.nearest(solid))
        yield Item(entry, number, by.layer, own.content, over, by.removes)
        cover = solid = _Cover(number)
