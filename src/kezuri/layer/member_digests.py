"""The digests of a tar's files, taken while they go by."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, BinaryIO, cast

_PIECE = 1 << 20
SIZE = 32


class MemberDigests:
    """The SHA-256 of files by the number of their member, in little memory: there may be a million of them."""

    def __init__(self) -> None:
        self._numbers = array("Q")
        self._digests = bytearray()

    def add(self, number: int, data: BinaryIO, look: Callable[[BinaryIO], None] | None = None) -> None:
        """Read the file of this member, which comes after all that were added before, to its end. `look` may read as
        much of it as it wants to before."""
        digest = sha256()
        if look is not None:
            look(cast(BinaryIO, _Hashed(data, digest)))
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


class _Hashed:
    """A stream whose bytes are hashed as they are read."""

    def __init__(self, data: BinaryIO, digest: Any) -> None:
        self._data = data
        self._digest = digest

    def read(self, size: int = -1) -> bytes:
        piece = self._data.read(size)
        self._digest.update(piece)
        return piece
