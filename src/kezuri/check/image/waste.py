"""Bytes of layers that an image does not show, or stores twice, counted as the entries go by."""

from collections.abc import Iterator

from kezuri.anatomy.heaps import GrowingHeap
from kezuri.anatomy.walk import Item
from kezuri.check.image.subject import Gathering

_SHOWN = 3


class Heap(GrowingHeap):
    """Files of one kind, as a finding tells of them; `words` are what else there is to say."""

    __slots__ = ("words",)

    def __init__(self) -> None:
        super().__init__(_SHOWN)
        self.words: set[str] = set()

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
            self.removed.setdefault((item.hidden, item.layer), Heap()).add(entry.size, entry.path)
        if item.over is not None:
            below = item.over.entry
            # What changes owner or mode keeps its time; what is written anew does not.
            if (below.size, below.mtime) == (entry.size, entry.mtime):
                heap = self.repeated.setdefault((item.layer, item.over.layer), Heap())
                heap.add(entry.size, entry.path)
                if (below.uid, below.gid) != (entry.uid, entry.gid):
                    heap.words.add("owner")
                elif below.mode != entry.mode:
                    heap.words.add("mode")
        return False


def heaviest(heaps: dict[tuple[int, int], Heap]) -> Iterator[tuple[int, int, Heap]]:
    """The heaps in the order of their layers."""
    for (layer, other), heap in sorted(heaps.items()):
        yield layer, other, heap
