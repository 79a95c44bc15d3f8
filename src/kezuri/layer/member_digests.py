"""The digests of a tar's files, taken while they go by."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from hashlib import sha256
from io import BufferedIOBase
from typing import Any, BinaryIO, cast

from kezuri.layer.entry import Entry

Look = Callable[[Entry, BinaryIO], None]
"""Is shown each file that is not empty, where it lies in the layer, and reads as much of it as it wants."""

_PIECE = 1 << 20
SIZE = 32


class MemberDigests:
    """The SHA-256 of files by the number of their member, in little memory: there may be a million of them."""

    def __init__(self) -> None:
        self._numbers = array("Q")
        self._digests = bytearray()

    def add(self, number: int, entry: Entry, data: BinaryIO, look: Look | None) -> None:
        """Read the file of this member, which comes after all that were added before, to its end."""
        digest = sha256()
        if look is not None:
            look(entry, cast(BinaryIO, _Hashing(data, digest)))
        while piece := data.read(_PIECE):
            digest.update(piece)
        self._numbers.append(number)
        self._digests += digest.digest()

    def of(self, members: Iterable[int]) -> bytes:
        """The digests of these members, one after the other. KeyError for one that was not added."""
        numbers, digests = self._numbers, self._digests
        found = bytearray()
        for member in members:
            at = bisect_left(numbers, member)
            if at == len(numbers) or numbers[at] != member:
                raise KeyError(member)
            found += digests[at * SIZE : at * SIZE + SIZE]
        return bytes(found)


class _Hashing(BufferedIOBase):
    """A file of which a digest has what was read."""

    def __init__(self, data: BinaryIO, digest: Any) -> None:
        self._data = data
        self._digest = digest

    def read(self, size: int | None = -1, /) -> bytes:
        """As BinaryIO says."""
        piece = self._data.read(-1 if size is None else size)
        self._digest.update(piece)
        return piece
