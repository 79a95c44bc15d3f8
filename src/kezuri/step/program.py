"""What a file is that was to be started: a program with its loader and processor, or a script with its interpreter."""

import os
from typing import Literal, NamedTuple

_LOOKED_AT = 1 << 16
_MACHINES = {
    3: "386",
    8: "mips",
    20: "ppc",
    21: "ppc64le",
    22: "s390x",
    40: "arm",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
    258: "loong64",
}
_INTERPRETER = 3
"""The type of the program header that names the loader (PT_INTERP)."""


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


def _elf(head: bytes) -> Elf:
    order: Literal["little", "big"] = "big" if head[5:6] == b"\x02" else "little"
    wide = head[4:5] == b"\x02"

    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], order)

    machine = _MACHINES.get(number(18, 2), "")
    table, size, count = (
        (number(32, 8), number(54, 2), number(56, 2)) if wide else (number(28, 4), number(42, 2), number(44, 2))
    )
    for index in range(min(count, 64)):
        at = table + index * size
        if number(at, 4) != _INTERPRETER:
            continue
        start, length = (number(at + 8, 8), number(at + 32, 8)) if wide else (number(at + 4, 4), number(at + 16, 4))
        return Elf(machine, head[start : start + min(length, 4096)].split(b"\0")[0].decode("utf-8", "surrogateescape"))
    return Elf(machine, "")
