"""Zip archives read member by member: their directory, too, is walked through and never held as a whole.

The standard library's reader makes an object of every member before it gives the first: OSV's archive of npm has more
than two hundred thousand. (APPNOTE.TXT 6.3.10 §4.3)
"""

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, NoReturn

from kezuri.diagnostics import KezuriError

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MOST_COMMENT = 1 << 16
_CHUNK = 1 << 20
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _UTF8 = 0x1, 0x800
_FULL = 0xFFFFFFFF


class Member(NamedTuple):
    """A file of an archive, as the directory has it: `size` is that of its plain bytes."""

    name: str
    method: int
    flags: int
    check: int
    packed: int
    size: int
    offset: int


class Zip:
    """An archive on a file that can be sought. Errors are KezuriError that name `where`."""

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._file = file
        self._where = where
        self._start, self._size, self._begin, self._count = self._directory()

    def members(self) -> Iterator[Member]:
        """The files of the archive in the order of its directory, which is read as they are asked for."""
        at, end, held = self._start, self._start + self._size, b""
        count = 0
        while at < end or held:
            while len(held) < _CENTRAL.size + 3 * _MOST_COMMENT and at < end:
                self._file.seek(at)
                more = self._file.read(min(_CHUNK, end - at))
                if not more:
                    self._bad("its directory is cut short")
                held, at = held + more, at + len(more)
            position = 0
            while position < len(held):
                length, member = self._entry(held, position)
                if not length:
                    break
                position += length
                count += 1
                if member is not None:
                    yield member
            if not position:
                self._bad("its directory is cut short")
            held = held[position:]
        # The number has 16 bits where the archive is not of the wide kind, and some write it so whatever it is.
        if (count - self._count) & 0xFFFF:
            self._bad(f"its directory has {count} entries, and should have {self._count}")

    def read(self, member: Member, limit: int) -> bytes:
        """A member's plain bytes, checked against what the directory says of them; KezuriError for more than `limit`,
        and for what is damaged or encrypted."""
        what = f"{self._where}: {member.name}"
        if member.flags & _ENCRYPTED:
            raise KezuriError.of(f"{what} is encrypted")
        if member.method not in (_STORED, _DEFLATED):
            raise KezuriError.of(f"{what} is packed in a way that is not read (method {member.method})")
        if member.size > limit or member.packed > limit:
            raise KezuriError.of(f"{what} has {member.size} bytes: at most {limit} are read")
        self._file.seek(self._begin + member.offset)
        head = self._file.read(_LOCAL.size)
        if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
            raise KezuriError.of(f"{what} is not where the archive's directory says")
        *_, name, extra = _LOCAL.unpack(head)
        self._file.seek(name + extra, os.SEEK_CUR)
        data = self._file.read(member.packed)
        if len(data) < member.packed:
            raise KezuriError.of(f"{what} is cut short")
        if member.method == _DEFLATED:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                data = inflater.decompress(data, member.size + 1)
            except zlib.error as error:
                raise KezuriError.of(f"{what} is damaged: {error}") from None
        if len(data) != member.size or zlib.crc32(data) != member.check:
            raise KezuriError.of(f"{what} is damaged: it is not what the archive's directory says")
        return data

    def _directory(self) -> tuple[int, int, int, int]:
        """Where the directory begins, its size, where the archive begins in the file, and how many entries it has."""
        whole = self._file.seek(0, os.SEEK_END)
        tail = min(whole, _END.size + _MOST_COMMENT)
        self._file.seek(whole - tail)
        data = self._file.read(tail)
        found = data.rfind(b"PK\x05\x06")
        if found < 0 or len(data) - found < _END.size:
            self._bad("its directory is missing, it may be cut short")
        _, disk, _, _, count, size, start, _ = _END.unpack_from(data, found)
        end = whole - tail + found
        if start == _FULL or size == _FULL or disk == 0xFFFF or data[max(0, found - 20) : found][:4] == b"PK\x06\x07":
            self._file.seek(max(0, end - _LOCATOR.size))
            locator = self._file.read(_LOCATOR.size)
            if locator[:4] == b"PK\x06\x07":
                at = _LOCATOR.unpack(locator)[2]
                self._file.seek(min(at, whole))
                record = self._file.read(_END64.size)
                if len(record) < _END64.size or record[:4] != b"PK\x06\x06":
                    self._bad("its directory is not where it says")
                count, size, start = _END64.unpack(record)[7:10]
                end = at
        begin = end - size - start
        if begin < 0 or size > whole or start > whole:
            self._bad("its directory is not where it says")
        return begin + start, size, begin, count

    def _entry(self, data: bytes, at: int) -> tuple[int, Member | None]:
        """The length of an entry of the directory, 0 where not all of it is there, and its member unless it is a
        directory."""
        if len(data) - at < _CENTRAL.size:
            return 0, None
        fields = _CENTRAL.unpack_from(data, at)
        if fields[0] != b"PK\x01\x02":
            self._bad("its directory is damaged")
        _, _, _, flags, method, _, _, check, packed, size, name, extra, comment, _, _, _, offset = (*fields,)
        length = _CENTRAL.size + name + extra + comment
        if len(data) - at < length:
            return 0, None
        start = at + _CENTRAL.size
        if _FULL in (packed, size, offset):
            size, packed, offset = self._wide(data[start + name : start + name + extra], size, packed, offset)
        raw = data[start : start + name]
        title = raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        return length, None if title.endswith("/") else Member(title, method, flags, check, packed, size, offset)

    def _wide(self, extra: bytes, *narrow: int) -> Iterator[int]:
        """The fields of 64 bits in place of those that had no room (§4.5.3)."""
        at, wide = 0, b""
        while at + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, at)
            if kind == 1:
                wide = extra[at + 4 : at + 4 + length]
            at += 4 + length
        for value in narrow:
            if value != _FULL:
                yield value
            elif len(wide) >= 8:
                yield int.from_bytes(wide[:8], "little")
                wide = wide[8:]
            else:
                self._bad("its directory is damaged")

    def _bad(self, what: str) -> NoReturn:
        raise KezuriError.of(f"{self._where} is no sound zip archive: {what}")
