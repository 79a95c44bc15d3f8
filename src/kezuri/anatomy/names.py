"""Files with several names: the bytes of a file are in vain once the last of its names is hidden, not the first."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kezuri.layer.listing import Listing
from kezuri.tree.layers import IMPLIED, LayerForm


class Hiding(NamedTuple):
    """What hides a name for good: a layer, -1 for none, and whether it takes the name away or replaces it. `name` is
    one that is not hidden."""

    layer: int = -1
    removes: bool = False
    name: str = ""


SHOWN = Hiding()
_File = tuple[int, str]
"""A file by its layer and its first name there."""


class OtherNames:
    """The files of a stack of layers, lowest first, that have other names than their first one, perhaps in higher
    layers. Nothing is looked up where no layer has a hard link."""

    def __init__(self, forms: Sequence[LayerForm], listings: Sequence[Listing]) -> None:
        self._forms = tuple(forms)
        self._hidden: dict[tuple[int, str], Hiding] = {}
        self._names: dict[_File, list[_File]] = {}
        for layer, listing in enumerate(listings):
            for name, target in listing.links():
                file = self._file(layer, target)
                if file is not None:
                    self._names.setdefault(file, []).append((layer, name))

    def hiding(self, layer: int, path: str) -> Hiding | None:
        """What hides the last name of the file that has this first one, which is hidden; None where it has no other
        name."""
        names = self._names.get((layer, path))
        if names is None:
            return None
        last = self._hiding(layer, path)
        for above, name in names:
            other = self._hiding(above, name)
            if other.layer < 0:
                return Hiding(name=name)
            if other.layer > last.layer:
                last = other
        return last

    def _file(self, layer: int, path: str) -> _File | None:
        """The file that a hard link of a layer names: the layer's own, or what those below show there."""
        seen = 0
        for number in range(layer, -1, -1):
            found = self._forms[number].find(path)
            if found is None or found is IMPLIED:
                if number < layer and self._hides(number, path):
                    return None
                continue
            if found.entry.kind == "file":
                return number, path
            if found.entry.kind != "hardlink" or seen > layer:
                return None
            seen += 1
            return self._file(number, found.entry.link) if found.entry.link != path else None
        return None

    def _hides(self, layer: int, path: str) -> bool:
        """Whether the layer has something above the path that hides what lower layers have there."""
        form = self._forms[layer]
        return any(form.opaque(above) or _solid(form, above) for above in _above(path))

    def _hiding(self, layer: int, path: str) -> Hiding:
        """The lowest layer above that hides what a layer has at a path, which is no directory."""
        best = self._of_directory(layer, path.rpartition("/")[0])
        end = best.layer if best.layer >= 0 else len(self._forms)
        for number in range(layer + 1, end):
            found = self._forms[number].find(path)
            if found is not None:
                return Hiding(number, found.entry.kind == "whiteout")
        return best

    def _of_directory(self, layer: int, path: str) -> Hiding:
        """The lowest layer above that hides all that a layer has in a directory."""
        missing = []
        best = SHOWN
        for above in _above(path + "/"):
            known = self._hidden.get((layer, above))
            if known is not None:
                best = known
                break
            missing.append(above)
        for above in reversed(missing):
            end = best.layer if best.layer >= 0 else len(self._forms)
            for number in range(layer + 1, end):
                form = self._forms[number]
                found = form.find(above) if above else None
                solid = found is not None and found.entry.kind != "dir"
                if solid or form.opaque(above):
                    best = Hiding(number, not solid or (found is not None and found.entry.kind == "whiteout"))
                    break
            self._hidden[layer, above] = best
        return best


def _above(path: str) -> Iterator[str]:
    """The directories that a path lies in, the nearest first, the root last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _solid(form: LayerForm, path: str) -> bool:
    """Whether the layer has something at the path that is no directory."""
    found = form.find(path) if path else None
    return found is not None and found.entry.kind != "dir"
