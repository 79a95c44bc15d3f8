"""The sections of an ELF file, by name: notes that compilers leave for those who ask what a program was made of."""

from struct import Struct, error
from typing import Final, NamedTuple

from kezuri.elf.reader import MAGIC, Bytes

MOST_SECTIONS: Final = 4096
"""Section headers that are looked at. Programs have some dozens."""
_MOST_NAMES = 1 << 20
_MOST_SEGMENTS = 512
_NOBITS = 8
_LOAD = 1


class Section(NamedTuple):
    """Where a section's bytes are in the file."""

    offset: int
    size: int


class Sections:
    """The sections of a file, and where in it the bytes are that a program finds at an address."""

    def __init__(self, little: bool, wide: bool, sections: dict[bytes, Section], loads: list[tuple[int, int, int]]):
        self.little = little
        self.wide = wide
        self._sections = sections
        self._loads = loads

    @classmethod
    def of(cls, data: Bytes) -> "Sections | None":
        """Those of a file; None for one that is no ELF file, or has no table that can be read. Few of its bytes are
        read, however it was made."""
        head = data.at(0, 64)
        if head[:4] != MAGIC or len(head) < 64 or head[4] not in (1, 2) or head[5] not in (1, 2):
            return None
        wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
        try:
            if wide:
                segments, table = Struct(f"{order}QQ").unpack_from(head, 32)
                width, parts, size, count, names = Struct(f"{order}HHHHH").unpack_from(head, 54)
            else:
                segments, table = Struct(f"{order}II").unpack_from(head, 28)
                width, parts, size, count, names = Struct(f"{order}HHHHH").unpack_from(head, 42)
            loads = _loads(data, order, wide, segments, width, min(parts, _MOST_SEGMENTS))
            return cls(order == "<", wide, _sections(data, order, wide, table, size, count, names), loads)
        except error:
            return None

    def find(self, name: bytes) -> Section | None:
        """The first section of that name."""
        return self._sections.get(name)

    def offset(self, address: int) -> int:
        """Where in the file the bytes are of which a program says that they are at an address; -1 for none."""
        for start, offset, size in self._loads:
            if start <= address < start + size:
                return offset + address - start
        return -1


def _loads(data: Bytes, order: str, wide: bool, start: int, width: int, count: int) -> list[tuple[int, int, int]]:
    form = Struct(f"{order}IIQQQQ" if wide else f"{order}IIIII")
    if not form.size <= width <= 4096:
        return []
    raw, found = data.at(start, width * count), []
    for at in range(0, len(raw) - form.size + 1, width):
        if wide:
            kind, _, offset, address, _, size = form.unpack_from(raw, at)
        else:
            kind, offset, address, _, size = form.unpack_from(raw, at)
        if kind == _LOAD:
            found.append((address, offset, size))
    return found


def _sections(
    data: Bytes, order: str, wide: bool, start: int, width: int, count: int, names: int
) -> dict[bytes, Section]:
    form = Struct(f"{order}IIQQQQ" if wide else f"{order}IIIIII")
    if not start or not form.size <= width <= 4096 or count > MOST_SECTIONS or names >= count:
        return {}
    raw = data.at(start, width * count)
    headers = [form.unpack_from(raw, at) for at in range(0, len(raw) - form.size + 1, width)]
    if names >= len(headers):
        return {}
    text = data.at(headers[names][4], min(headers[names][5], _MOST_NAMES))
    found: dict[bytes, Section] = {}
    for name, kind, _, _, offset, size in headers:
        if kind != _NOBITS and name < len(text):
            found.setdefault(text[name : text.find(b"\0", name)], Section(offset, size))
    return found
