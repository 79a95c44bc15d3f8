"""What a file is to the kernel that starts it: a program for a machine, a script with an interpreter, or neither."""

from typing import NamedTuple

from kezuri.anatomy.reading import Peek
from kezuri.elf.reader import MAGIC, Elf, read_elf


class Program(NamedTuple):
    """`script` is what follows `#!`: the interpreter and its argument, empty for none."""

    elf: Elf | None = None
    script: tuple[str, ...] = ()
    empty: bool = False


def inspect(data: Peek) -> Program:
    """Look at the head of a file."""
    head = data.at(0, 512)
    if head.startswith(MAGIC):
        return Program(read_elf(data))
    if head.startswith(b"#!"):
        line = head[2:].partition(b"\n")[0].decode("utf-8", "surrogateescape")
        # The kernel takes everything after the first blank as one argument, a carriage return as a part of it.
        words = line.strip(" \t").replace("\t", " ").split(" ", 1)
        return Program(None, tuple(word.strip(" ") for word in words if word))
    return Program(empty=not head)
