"""An image in figures: its pieces added up by layer, owner, fate, leftover and content."""

from collections.abc import Callable

from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.heaps import GrowingHeap
from kezuri.anatomy.leftovers import rule_of
from kezuri.anatomy.values import (
    Anatomy,
    Duplicate,
    Fate,
    LayerShare,
    Leftover,
    OwnerShare,
    Waste,
)

_LARGEST_FILES = 50
_PATHS = 5


def summarise(image: Dissection, rule_of: Callable[[str], str] = rule_of) -> Anatomy:
    """The figures of an image. `rule_of` gives the name of the rule that mends a kind of leftovers.
    KezuriError where a layer cannot be read."""
    count = len(image.layers)
    useful, wasted, rewritten, files = [0] * count, [0] * count, [0] * count, [0] * count
    entries = [0] * count
    waste: dict[tuple[Fate, int, int], GrowingHeap] = {}
    leftovers: dict[tuple[str, int], GrowingHeap] = {}
    owned: dict[int, dict[int, int]] = {}
    owner_files: dict[int, int] = {}
    owner_waste: dict[int, int] = {}
    contents: dict[bytes, list[str]] = {}
    copies: dict[bytes, tuple[int, int, int]] = {}
    of_base = [layer.maker.of_base for layer in image.layers]
    largest = GrowingHeap(_LARGEST_FILES)
    shown = directories = 0

    def directory(path: str) -> None:
        nonlocal directories
        directories += 1

    for piece in image.pieces(directory):
        entry, layer = piece.entry, piece.layer
        entries[layer] += 1
        if entry.kind in ("dir", "whiteout"):
            continue
        size = piece.size
        if piece.fate != "shown":
            if size:
                wasted[layer] += size
                owner_waste[piece.owner] = owner_waste.get(piece.owner, 0) + size
                if piece.fate == "rewritten":
                    rewritten[layer] += size
                waste.setdefault((piece.fate, layer, piece.by), GrowingHeap()).add(size, entry.path)
            continue
        path = piece.name or entry.path
        shown += not piece.name
        if entry.kind != "file":
            continue
        useful[layer] += size
        files[layer] += 1
        owner_files[piece.owner] = owner_files.get(piece.owner, 0) + 1
        by_layer = owned.setdefault(piece.owner, {})
        by_layer[layer] = by_layer.get(layer, 0) + size
        largest.add(size, path)
        if piece.leftover:
            leftovers.setdefault((piece.leftover, layer), GrowingHeap()).add(size, path)
        if piece.digest:
            paths = contents.setdefault(piece.digest, [])
            if len(paths) < _PATHS:
                paths.append(path)
            _, many, with_base = copies.get(piece.digest, (size, 0, 0))
            copies[piece.digest] = (size, many + 1, with_base + of_base[layer])
    shares = []
    for number, layer_ in enumerate(image.layers):
        within = max(0, layer_.listing.stored - useful[number] - wasted[number]) if layer_.listing.stored else 0
        if within:
            heap = GrowingHeap()
            heap.add(within, "")
            heap.largest.clear()
            waste["superseded", number, number] = heap
        lost = wasted[number] + within
        metadata = max(0, layer_.listing.plain - useful[number] - lost)
        shares.append(
            LayerShare(
                number,
                layer_.diff_id,
                layer_.maker,
                useful[number] + lost + metadata,
                useful[number],
                lost,
                metadata,
                rewritten[number],
                files[number],
                entries[number],
                layer_.blob,
                layer_.digest,
                layer_.media_type,
                layer_.unread,
            )
        )
    owners = [
        OwnerShare(
            image.owners[number],
            sum(owned.get(number, {}).values()),
            owner_waste.get(number, 0),
            owner_files.get(number, 0),
            tuple(sorted(owned.get(number, {}).items())),
        )
        for number in sorted({*owned, *owner_waste})
    ]
    duplicates = [
        Duplicate(f"sha256:{digest.hex()}", size, many, tuple(contents[digest]), with_base)
        for digest, (size, many, with_base) in copies.items()
        if many > 1
    ]
    return Anatomy(
        image.name,
        image.digest,
        str(image.config.platform),
        tuple(shares),
        tuple(sorted(owners, key=lambda share: (-share.size, -share.wasted, share.owner))),
        tuple(
            sorted(
                (Waste(fate, layer, by, grown.heap()) for (fate, layer, by), grown in waste.items()),
                key=lambda each: (-each.heap.size, each.layer, each.by, each.fate),
            )
        ),
        tuple(
            sorted(
                (Leftover(kind, layer, grown.heap(), rule_of(kind)) for (kind, layer), grown in leftovers.items()),
                key=lambda each: (-each.heap.size, each.kind, each.layer),
            )
        ),
        tuple(sorted(duplicates, key=lambda each: (-each.regained, each.paths))),
        tuple(largest.largest),
        shown,
        directories,
        image.told,
        tuple(image.naming.packages),
    )
