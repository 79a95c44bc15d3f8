"""Bytes of layers that an image does not show, or stores twice, counted as the entries go by."""

from collections.abc import Iterator

from kezuri.anatomy.walk import Item
from kezuri.check.image.subject import Gathering

_SHOWN = 3


class Heap:
    """Files of one kind: how many, of how many bytes, and the largest of them."""

    __slots__ = ("count", "largest", "size", "words")

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self.largest: list[tuple[int, str]] = []
        self.words: set[str] = set()

    def add(self, path: str, size: int) -> None:
        """One file more."""
        self.count += 1
        self.size += size
        if len(self.largest) < _SHOWN or size > self.largest[-1][0]:
            self.largest.append((size, path))
            self.largest.sort(key=lambda each: (-each[0], each[1]))
            del self.largest[_SHOWN:]

    def __str__(self) -> str:
        shown = ", ".join(f"/{shortened(path)}" for _, path in self.largest)
        return shown if self.count <= len(self.largest) else f"{shown} and {self.count - len(self.largest):,} more"


def shortened(path: str) -> str:
    """The path, without its middle where it is long."""
    return path if len(path) <= 64 else f"{path[:40].rpartition('/')[0] or path[:20]}/…/{path.rpartition('/')[2][-20:]}"


class Waste(Gathering):
    """What layers hold in vain: by the layer that hides or repeats it and the layer that it lies in."""

    def __init__(self) -> None:
        self.removed: dict[tuple[int, int], Heap] = {}
        self.repeated: dict[tuple[int, int], Heap] = {}

    def take(self, item: Item) -> bool:
        """As Gathering says."""
        entry = item.entry
        if entry.kind != "file" or not entry.size:
            return False
        if item.hidden >= 0 and item.removed:
            self.removed.setdefault((item.hidden, item.layer), Heap()).add(entry.path, entry.size)
        if item.over is not None:
            below = item.over.entry
            # What changes owner or mode keeps its time; what is written anew does not.
            if (below.size, below.mtime) == (entry.size, entry.mtime):
                heap = self.repeated.setdefault((item.layer, item.over.layer), Heap())
                heap.add(entry.path, entry.size)
                if (below.uid, below.gid) != (entry.uid, entry.gid):
                    heap.words.add("owner")
                elif below.mode != entry.mode:
                    heap.words.add("mode")
        return False


def heaviest(heaps: dict[tuple[int, int], Heap]) -> Iterator[tuple[int, int, Heap]]:
    """The heaps in the order of their layers."""
    for (layer, other), heap in sorted(heaps.items()):
        yield layer, other, heap
