"""Files with several names: the bytes of a file are in vain once the last of its names is hidden, not the first."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kezuri.anatomy.walk import walk
from kezuri.layer.listing import Listing
from kezuri.tree.layers import IMPLIED, LayerForm

_MOST_LOOKUPS = 2_000_000
"""Places at which files of lower layers are looked for; hard links beyond that are thought to lead nowhere."""


class Hiding(NamedTuple):
    """What hides a name for good: a layer, -1 for none, and whether it takes the name away or replaces it. `name` is
    one that is not hidden."""

    layer: int = -1
    removes: bool = False
    name: str = ""


_Name = tuple[int, str]
"""A path in a layer."""


class OtherNames:
    """The files of a stack of layers, lowest first, that have other names than their first one, perhaps in higher
    layers. Nothing is looked up before a file is hidden that has such names."""

    def __init__(self, forms: Sequence[LayerForm], listings: Sequence[Listing]) -> None:
        self._forms = tuple(forms)
        self._listings = tuple(listings)
        self._targets = frozenset[str]().union(*(listing.linked() for listing in listings))
        self._names: dict[_Name, list[_Name]] | None = None
        self._hiding: dict[_Name, Hiding] = {}
        self._lookups = _MOST_LOOKUPS

    def hiding(self, layer: int, path: str, first: Hiding) -> Hiding:
        """What hides the last name of a file whose first name, this one, is hidden by `first`."""
        if path not in self._targets:
            return first
        if self._names is None:
            self._names = self._found()
        last = first
        for name in self._names.get((layer, path), ()):
            other = self._hiding.get(name, first)
            if other.layer < 0:
                return Hiding(name=name[1])
            if other.layer > last.layer:
                last = other
        return last

    def _found(self) -> dict[_Name, list[_Name]]:
        """By file its other names, after what hides each of these was found out."""
        for item in walk(self._forms):
            if item.entry.kind == "hardlink":
                self._hiding[item.layer, item.entry.path] = Hiding(item.hidden, item.removed)
        names: dict[_Name, list[_Name]] = {}
        for layer, listing in enumerate(self._listings):
            for name, target in listing.links():
                file = self._file(layer, target)
                if file is not None:
                    names.setdefault(file, []).append((layer, name))
        return names

    def _file(self, layer: int, path: str) -> _Name | None:
        """The file that a hard link of a layer names: the layer's own, or what those below show there."""
        number, own = layer, layer
        while number >= 0 and self._lookups > 0:
            self._lookups -= 1
            found = self._forms[number].find(path)
            if found is not None and found is not IMPLIED:
                entry = found.entry
                if entry.kind == "file":
                    return number, path
                if entry.kind != "hardlink" or entry.link == path:
                    return None
                # A link of a lower layer, or one whose own file is in a lower layer: on from there.
                path, own = entry.link, number
                continue
            if number < own and self._hides(number, path):
                return None
            number -= 1
        return None

    def _hides(self, layer: int, path: str) -> bool:
        """Whether the layer has something above the path that hides what lower layers have there."""
        form = self._forms[layer]
        for above in _above(path):
            self._lookups -= 1
            found = form.find(above) if above else None
            if form.opaque(above) or (found is not None and found.entry.kind != "dir"):
                return True
        return False


def _above(path: str) -> Iterator[str]:
    """The directories that a path lies in, the nearest first, the root last."""
    while path:
        path = path.rpartition("/")[0]
        yield path
