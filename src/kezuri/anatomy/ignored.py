"""An anatomy without what is said to be meant: files that are wasted, left over or there twice on purpose."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from kezuri.anatomy.heaps import GrowingHeap
from kezuri.anatomy.values import Anatomy, Heap, Leftover, Piece, Waste

_Each = TypeVar("_Each", Waste, Leftover)


class _Left(NamedTuple):
    """What is ignored of a heap, and what is not."""

    ignored: GrowingHeap
    rest: GrowingHeap

    def take(self, size: int, path: str, ignored: bool) -> None:
        (self.ignored if ignored else self.rest).add(size, path)

    def of(self, heap: Heap) -> Heap:
        files, size = self.ignored.count, self.ignored.size
        return Heap(heap.files - files, heap.size - size, tuple(self.rest.largest) if files else heap.largest)


def without(image: Anatomy, pieces: Iterable[Piece], ignored: Callable[[str], bool]) -> Anatomy:
    """The anatomy with what could go, but for the files whose path is ignored. What layers weigh, and how much of it is
    wasted, stays as it is."""
    heaps: dict[tuple[object, ...], _Left] = {}
    copies: Counter[str] = Counter()
    of_base: Counter[str] = Counter()
    for piece in pieces:
        if piece.entry.kind != "file":
            continue
        path = piece.entry.path
        passed = ignored(path)
        key: tuple[object, ...]
        if piece.fate != "shown":
            key = (piece.fate, piece.layer, piece.by)
        else:
            if passed and piece.digest:
                digest = f"sha256:{piece.digest.hex()}"
                copies[digest] += 1
                of_base[digest] += image.layers[piece.layer].maker.of_base
            if not piece.leftover:
                continue
            key = (piece.leftover, piece.layer)
        if piece.size:
            heaps.setdefault(key, _Left(GrowingHeap(), GrowingHeap())).take(piece.size, path, passed)
    waste = [_of(each, heaps.get((each.fate, each.layer, each.by))) for each in image.waste]
    leftovers = [_of(each, heaps.get((each.kind, each.layer))) for each in image.leftovers]
    duplicates = [
        each._replace(
            copies=each.copies - copies[each.digest],
            of_base=each.of_base - of_base[each.digest],
            paths=tuple(path for path in each.paths if not copies[each.digest] or not ignored(path)),
        )
        for each in image.duplicates
    ]
    return image._replace(
        waste=tuple(sorted((each for each in waste if each.heap.size), key=lambda each: -each.heap.size)),
        leftovers=tuple(sorted((each for each in leftovers if each.heap.size), key=lambda each: -each.heap.size)),
        duplicates=tuple(
            sorted((each for each in duplicates if each.copies > 1), key=lambda each: (-each.regained, each.paths))
        ),
    )


def _of(each: _Each, left: _Left | None) -> _Each:
    return each if left is None else each._replace(heap=left.of(each.heap))
