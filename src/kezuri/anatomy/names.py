"""Files with several names: the bytes of a file are in vain once the last of its names is hidden, not the first."""

from collections.abc import Iterator, Sequence

from kezuri.anatomy.walk import walk
from kezuri.layer.listing import Listing
from kezuri.tree.layers import IMPLIED, LayerForm

_MOST_LOOKUPS = 2_000_000
"""Places at which files of lower layers are looked for; hard links beyond that are thought to lead nowhere."""


_Name = tuple[int, str]
"""A path in a layer."""


class OtherNames:
    """The files of a stack of layers, lowest first, that have other names than their first one, perhaps in higher
    layers. Nothing is looked up before a file is hidden that has such names."""

    def __init__(self, forms: Sequence[LayerForm], listings: Sequence[Listing]) -> None:
        self._forms = tuple(forms)
        self._listings = tuple(listings)
        self._targets = frozenset[str]().union(*(listing.linked() for listing in listings))
        self._names: dict[_Name, str] | None = None
        self._lookups = _MOST_LOOKUPS

    def shown(self, layer: int, path: str) -> str:
        """Another name of the file that has this first one, under which it is shown; empty for none."""
        if path not in self._targets:
            return ""
        if self._names is None:
            self._names = self._found()
        return self._names.get((layer, path), "")

    def _found(self) -> dict[_Name, str]:
        """By file the first of its other names that no layer hides."""
        hidden = {
            (item.layer, item.entry.path)
            for item in walk(self._forms)
            if item.entry.kind == "hardlink" and item.hidden >= 0
        }
        names: dict[_Name, str] = {}
        for layer, listing in enumerate(self._listings):
            for name, target in listing.links():
                file = self._file(layer, target) if (layer, name) not in hidden else None
                if file is not None:
                    names.setdefault(file, name)
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
