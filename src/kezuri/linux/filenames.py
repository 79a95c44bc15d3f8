"""File names are bytes, and the text of Dockerfiles and layers is UTF-8: Python must turn one into the other as UTF-8.

Python takes the encoding of file names from the locale and cannot change it once it runs. Under ISO-8859-1 it would
write `é` as one byte, into layers whose cache keys say nothing of it.
"""

import os
import sys

from kezuri.diagnostics import KezuriError


def are_utf8() -> bool:
    """Whether this interpreter's file names, arguments and environment are UTF-8; other bytes are kept then."""
    return sys.getfilesystemencoding() == "utf-8"


def start_again() -> None:
    """Execute this program again, by the same command line, in Python's UTF-8 mode; never comes back.

    For a program whose interpreter runs without that mode. The words are the kernel's: those in `sys.argv` were decoded
    by the C library, which Python's own codecs do not always reverse.
    """
    with open("/proc/self/cmdline", "rb") as file:
        program, *words = file.read().split(b"\0")[:-1]
    os.execv("/proc/self/exe", [program, b"-X", b"utf8", *words])


def must_be_utf8() -> None:
    """KezuriError in a program of another encoding that uses kezuri as a library."""
    if not are_utf8():
        raise KezuriError.of(
            f"this Python writes file names as {sys.getfilesystemencoding()}, but those of images are UTF-8",
            hint="start it with `python -X utf8` or PYTHONUTF8=1",
            exit_code=125,
        )
