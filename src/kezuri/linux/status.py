"""What stat(2) and statx(2) say of a file, as the bytes that the kernel gives, with another owner put in."""

import os
import stat
import struct
from typing import Final

from kezuri.linux import libc
from kezuri.linux.recorded import Record

_HERE, _NOFOLLOW, _EMPTY = -100, 0x100, 0x1000
_OF_PATHS = 0x100 | 0x800 | 0x1000
_X86 = os.uname().machine in ("x86_64", "amd64")
_NEWFSTATAT = 262 if _X86 else 79
_STATX = 332 if _X86 else 291

# struct stat of this machine: its size, and where the mode, the owner (both ids in a row) and the device stand.
_SIZE, _MODE, _OWNER, _DEVICE = (144, 24, 28, 40) if _X86 else (128, 16, 24, 32)
_ALL_SIZE, _ALL_OWNER, _ALL_MODE, _ALL_DEVICE = 256, 20, 28, 128

_KINDS: Final = {"char": stat.S_IFCHR, "block": stat.S_IFBLK}


def of(where: str | bytes, follow: bool) -> bytearray:
    """struct stat of a file. OSError when there is none."""
    import ctypes

    buffer = ctypes.create_string_buffer(_SIZE)
    libc.syscall(_NEWFSTATAT, _HERE, os.fsencode(where), buffer, 0 if follow else _NOFOLLOW)
    return bytearray(buffer.raw)


def changed(data: bytearray, record: Record) -> bytes:
    """The struct stat with the owner, and the device, of a record."""
    struct.pack_into("=II", data, _OWNER, record.uid, record.gid)
    if record.kind:
        (mode,) = struct.unpack_from("=I", data, _MODE)
        struct.pack_into("=I", data, _MODE, _KINDS[record.kind] | stat.S_IMODE(mode))
        struct.pack_into("=Q", data, _DEVICE, os.makedev(*record.device))
    return bytes(data)


def all_of(where: str | bytes, follow: bool, flags: int, mask: int) -> bytearray:
    """struct statx of a file, for a call with these flags and this mask. OSError when there is none."""
    import ctypes

    buffer = ctypes.create_string_buffer(_ALL_SIZE)
    flags = flags & ~_OF_PATHS | (0 if follow else _NOFOLLOW)
    libc.syscall(_STATX, _HERE, os.fsencode(where), flags, mask & 0xFFFFFFFF, buffer)
    return bytearray(buffer.raw)


def all_changed(data: bytearray, record: Record) -> bytes:
    """The struct statx with the owner, and the device, of a record."""
    struct.pack_into("=II", data, _ALL_OWNER, record.uid, record.gid)
    if record.kind:
        (mode,) = struct.unpack_from("=H", data, _ALL_MODE)
        struct.pack_into("=H", data, _ALL_MODE, _KINDS[record.kind] | stat.S_IMODE(mode))
        struct.pack_into("=II", data, _ALL_DEVICE, *record.device)
    return bytes(data)
