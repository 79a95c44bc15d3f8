"""Heaps of files while they are added up."""

from kezuri.anatomy.values import Heap

_LARGEST = 5


class GrowingHeap:
    """A heap that files are put on, one after the other; the `most` largest of them are known by their paths."""

    __slots__ = ("count", "largest", "most", "size")

    def __init__(self, most: int = _LARGEST) -> None:
        self.count = 0
        self.size = 0
        self.most = most
        self.largest: list[tuple[int, str]] = []

    def add(self, size: int, path: str) -> None:
        """Put a file of this size on it."""
        self.count += 1
        self.size += size
        largest = self.largest
        if len(largest) < self.most or size > largest[-1][0]:
            largest.append((size, path))
            largest.sort(key=lambda each: (-each[0], each[1]))
            del largest[self.most :]

    def heap(self) -> Heap:
        """What is on it by now."""
        return Heap(self.count, self.size, tuple(self.largest))
