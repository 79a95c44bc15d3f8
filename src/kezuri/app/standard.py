"""The caller's standard streams: what is read from them, where the output of a container goes, and what it means that
standard output takes no more."""

import errno
import os
import sys
from io import UnsupportedOperation
from typing import BinaryIO

from kezuri.diagnostics import KezuriError
from kezuri.linux.descriptors import write_all


def standard_input() -> BinaryIO:
    """Standard input to read; KezuriError when it was closed, or is nothing that can be read."""
    if sys.stdin is None:
        raise KezuriError.of("standard input is closed")
    try:
        os.read(sys.stdin.fileno(), 0)
    except UnsupportedOperation:
        pass  # a stand-in, which reads by itself
    except OSError as error:
        raise KezuriError.of(f"standard input cannot be read: {error.strerror}") from None
    return sys.stdin.buffer


def input_descriptor() -> int:
    """The descriptor that a container may read from; -1 (nothing to read) where the caller has closed it."""
    try:
        return standard_input().fileno()
    except KezuriError:
        return -1


def lost_output(error: OSError) -> KezuriError | None:
    """What it means that standard output could not be written; None when it means nothing, since the caller has closed
    it and so wants nothing. The exit code is 141, without a word, when nobody reads any more, else 125."""
    if error.errno == errno.EPIPE:
        return KezuriError(exit_code=141)
    if error.errno == errno.EBADF:
        return None
    return KezuriError.of(f"cannot write to standard output: {error.strerror}", exit_code=125)


class Relay:
    """Passes on what a container writes, byte for byte. `lost` is why standard output took no more, if it did.

    When nobody reads any more, calling it is a KezuriError: that ends the container, as it would end a program of this
    machine.
    """

    def __init__(self) -> None:
        self.lost: OSError | None = None

    def __call__(self, stream: int, data: bytes) -> None:
        """Write to standard output (1) or standard error (2)."""
        if stream == 1 and self.lost is not None:
            return
        try:
            write_all(stream, data)
        except OSError as error:
            meaning = lost_output(error)
            if meaning is not None and meaning.exit_code == 141:
                raise meaning from None
            if stream == 1:
                self.lost = error

    def conclude(self, code: int) -> int:
        """The exit code; KezuriError when the container ended well and its output did not arrive."""
        meaning = lost_output(self.lost) if self.lost is not None and not code else None
        if meaning is not None:
            raise meaning
        return code
