"""Which shared libraries a program or library asks the dynamic linker for (System V ABI, ELF-64 object files)."""

import struct
from typing import NamedTuple

MAGIC = b"\x7fELF"
MACHINES = {"amd64": 62, "arm64": 183}
"""The e_machine values of the architectures that stand-ins are made for."""

_EXECUTABLE, _SHARED = 2, 3
_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
_NEEDED, _STRTAB, _STRSZ = 1, 5, 10


class Linkage(NamedTuple):
    """`interpreter` is the absolute path of the dynamic linker, empty for none; `needed` are library names."""

    machine: int
    interpreter: str
    needed: tuple[str, ...]


def linkage(data: bytes) -> Linkage | None:
    """What the ELF-64 little-endian program or library asks for; None when it is neither, or is damaged."""
    try:
        return _linkage(data)
    except (struct.error, ValueError, IndexError, OverflowError):
        return None


def _linkage(data: bytes) -> Linkage | None:
    if data[:4] != MAGIC or data[4] != 2 or data[5] != 1:
        return None
    kind, machine = struct.unpack_from("<HH", data, 16)
    if kind not in (_EXECUTABLE, _SHARED):
        return None
    table, width, count = (
        struct.unpack_from("<Q", data, 32)[0],
        struct.unpack_from("<H", data, 54)[0],
        struct.unpack_from("<H", data, 56)[0],
    )
    segments = [struct.unpack_from("<IIQQQQQQ", data, table + i * width) for i in range(count)]
    interpreter = ""
    dynamic: tuple[int, int] | None = None
    for kind, _, offset, _, _, size, _, _ in segments:
        if kind == _INTERP:
            interpreter = data[offset : offset + size].rstrip(b"\0").decode()
        elif kind == _DYNAMIC:
            dynamic = offset, size
    if dynamic is None:
        return Linkage(machine, interpreter, ())
    names: list[int] = []
    strings, length = 0, 0
    for at in range(dynamic[0], dynamic[0] + dynamic[1] - 15, 16):
        tag, value = struct.unpack_from("<qQ", data, at)
        if tag == 0:
            break
        if tag == _NEEDED:
            names.append(value)
        elif tag == _STRTAB:
            strings = value
        elif tag == _STRSZ:
            length = value
    for kind, _, offset, address, _, size, _, _ in segments:
        if kind == _LOAD and address <= strings < address + size:
            start = offset + strings - address
            table_of_names = data[start : start + length]
            needed = tuple(table_of_names[n : table_of_names.index(b"\0", n)].decode() for n in names)
            return Linkage(machine, interpreter, needed)
    return None if names else Linkage(machine, interpreter, ())
