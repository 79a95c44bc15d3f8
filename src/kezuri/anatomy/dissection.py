"""An image taken apart: every entry of every layer with its fate, its content's digest and its owner."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from kezuri.anatomy.names import Hiding, OtherNames
from kezuri.anatomy.values import NOBODY, Fate, Maker, Owner, Piece
from kezuri.anatomy.walk import Item, walk
from kezuri.layer.entry import Entry
from kezuri.layer.listing import Listing
from kezuri.oci.config import ImageConfig
from kezuri.tree.layers import LayerForm
from kezuri.tree.stack import StackView


class OwnLayer(NamedTuple):
    """A layer to be taken apart: its files, its listing with the digests of its files, what made it, and the blob that
    it travels as (its size, digest and media type; 0 and empty where they are not known). `unread` says why nothing of
    it is known, and is empty for a layer that could be read."""

    diff_id: str
    form: LayerForm
    listing: Listing
    maker: Maker
    blob: int = 0
    digest: str = ""
    media_type: str = ""
    unread: str = ""


class Naming(Protocol):
    """Who says whom the files of an image belong to, and which of them are known leftovers."""

    @property
    def owners(self) -> Sequence[Owner]:
        """Every owner, by number; the first is nobody."""
        ...

    @property
    def told(self) -> Sequence[str]:
        """What could not be found out about owners."""
        ...

    @property
    def whole(self) -> bool:
        """Whether everything could be read: what could not may be readable another time."""
        ...

    @property
    def packages(self) -> Sequence[Owner]:
        """The packages that the image has in the end, each once, in order."""
        ...

    def owner(self, item: Item) -> int:
        """The number of the owner of a file."""
        ...

    def leftover(self, item: Item) -> str:
        """The kind of known leftovers that a file is of; empty for none."""
        ...


class NoNames:
    """Where nobody is asked: every file is nobody's."""

    owners: Sequence[Owner] = (NOBODY,)
    told: Sequence[str] = ()
    whole = True
    packages: Sequence[Owner] = ()

    def owner(self, item: Item) -> int:
        """As Naming says."""
        return 0

    def leftover(self, item: Item) -> str:
        """As Naming says."""
        return ""


class Dissection:
    """An image whose pieces can be looked at, as often as somebody wants to: they are not held in memory. `name` is
    what a user calls it, `digest` its manifest's; `told` is what could not be found out."""

    def __init__(
        self,
        name: str,
        config: ImageConfig,
        layers: Sequence[OwnLayer],
        digest: str = "",
        naming: "Callable[[Dissection], Naming] | None" = None,
        told: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.config = config
        self.layers = tuple(layers)
        self.digest = digest
        self._told = tuple(told)
        self.tree = StackView([layer.form for layer in layers], name)
        self._digests: list[dict[str, bytes]] | None = None
        self._names: OtherNames | None = None
        self._make_naming = naming
        self._naming: Naming | None = None

    @property
    def naming(self) -> Naming:
        """Who knows the owners of files."""
        if self._naming is None:
            self._naming = NoNames() if self._make_naming is None else self._make_naming(self)
        return self._naming

    @property
    def told(self) -> tuple[str, ...]:
        """What could not be found out: about owners, once they have been asked for."""
        return self._told if self._naming is None else (*self._told, *self._naming.told)

    @property
    def owners(self) -> Sequence[Owner]:
        """Every owner, by the number that pieces have."""
        return self.naming.owners

    def items(self, directory: Callable[[str], None] = lambda path: None) -> Iterator[Item]:
        """The entries without owners and digests, as `walk` gives them."""
        return walk([layer.form for layer in self.layers], directory)

    def pieces(self, directory: Callable[[str], None] = lambda path: None) -> Iterator[Piece]:
        """Every entry of every layer, directory by directory in the order of names, at one path the uppermost layer's
        first. `directory` is told each directory that the image shows. KezuriError where a layer cannot be read."""
        naming, digests = self.naming, self._known()
        owner, leftover = naming.owner, naming.leftover
        for item in self.items(directory):
            entry, layer, by = item.entry, item.layer, item.hidden
            if entry.kind != "file":
                fate: Fate = "shown" if by < 0 else "removed" if item.removed else "replaced"
                yield Piece(entry, layer, fate, by, b"", owner(item), leftover(item), "", by)
                continue
            digest = digests[layer].get(entry.path, b"")
            fate, name = "shown", ""
            if by >= 0:
                last = self.names.hiding(layer, entry.path, Hiding(by, item.removed))
                by, name = last.layer, last.name
                if by >= 0:
                    fate = "removed" if last.removes else "replaced"
                    if fate == "replaced" and self._is_at(by, entry, digest):
                        fate = "rewritten"
            yield Piece(entry, layer, fate, by, digest, owner(item), leftover(item), name, item.hidden)

    @property
    def names(self) -> OtherNames:
        """The other names of files that have several."""
        if self._names is None:
            layers = self.layers
            self._names = OtherNames([layer.form for layer in layers], [layer.listing for layer in layers])
        return self._names

    def _is_at(self, layer: int, entry: Entry, digest: bytes) -> bool:
        """Whether a layer has these bytes at a file's path, perhaps as one more name of another file of its own."""
        other = self.layers[layer].listing.entry(entry.path)
        if other is not None and other.kind == "hardlink":
            other = self.layers[layer].listing.entry(other.link)
        if other is None or other.kind != "file" or other.size != entry.size:
            return False
        return self._known()[layer].get(other.path, b"") == digest

    def _known(self) -> list[dict[str, bytes]]:
        """By layer the digests of its files."""
        if self._digests is None:
            self._digests = [layer.listing.digests(layer.listing.files()) or {} for layer in self.layers]
        return self._digests
