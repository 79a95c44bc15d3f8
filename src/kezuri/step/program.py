"""What a file is that was to be started: a program with its loader and processor, or a script with its interpreter."""

import os
from typing import Literal, NamedTuple

_LOOKED_AT = 1 << 16


class Elf(NamedTuple):
    """A program: the architecture as platforms name it, empty for an unknown one; its loader, empty for a static
    one."""

    architecture: str
    interpreter: str


class Script(NamedTuple):
    """A text: its interpreter, empty without a line `#!`; `returns` says that this line ends in a carriage return."""

    interpreter: str
    returns: bool = False


Program = Elf | Script | Literal["empty", "other"]


def read_program(content: str | bytes | None) -> Program | None:
    """What the file is; None when it cannot be read. `content` is its path on this machine, or its bytes."""
    if content is None:
        return None
    if isinstance(content, str):
        descriptor = os.open(content, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            head = os.read(descriptor, _LOOKED_AT)
        finally:
            os.close(descriptor)
    else:
        head = content[:_LOOKED_AT]
    if not head:
        return "empty"
    if head.startswith(b"\x7fELF"):
        return _elf(head)
    if head.startswith(b"#!"):
        line = head[2:].split(b"\n", 1)[0]
        words = line.split()
        first = words[0].decode("utf-8", "surrogateescape") if words else ""
        return Script(first, line.endswith(b"\r"))
    return Script("") if b"\0" not in head else "other"


class _Head:
    """The bytes of a file that were read, as `elf` asks for them: one that ends within its header has zeros there, so
    that its machine is known all the same."""

    def __init__(self, data: bytes) -> None:
        self._data = data.ljust(64, b"\0")

    def at(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]


def _elf(head: bytes) -> Elf:
    from kezuri.elf.machines import architecture
    from kezuri.elf.reader import read_elf

    found = read_elf(_Head(head))
    return Elf("", "") if found is None else Elf(architecture(found), found.interpreter)
