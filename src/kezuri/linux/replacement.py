"""A file that takes the place of another one at once: who reads the name finds the old one whole, or the new one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO


@contextmanager
def replacement(target: str, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A new file beside the target. When all went well it is written to the disk and renamed onto the target, else
    nothing of it remains. What is not `durable` may be damaged after a crash of the machine: its readers notice
    that, and nobody waits for the disk.

    Its name ends in `.part` and is random: the directory may be another user's, who would lay a link in the way of a
    name that he can foresee, and what the link leads to would be written. OSError when the disk does not take it.
    """
    aside = f"{target}.{os.urandom(6).hex()}.part"
    try:
        with open(aside, "xb", opener=_plain) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.rename(aside, target)
    finally:
        with suppress(OSError):
            os.unlink(aside)


def _plain(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o644)
