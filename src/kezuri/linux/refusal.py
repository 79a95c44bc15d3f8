"""What to tell somebody when the kernel refuses something and nobody nearer to it had better words."""

import errno
import os

from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import HINTS, disk_error

_LONGEST = 240
"""Characters of a path that are shown: paths that are refused for their length fill a screen."""


def refused(error: OSError) -> KezuriError:
    """The error for a call that the kernel has refused: what it was about, why, and what to do."""
    if isinstance(error, FileNotFoundError) and not _has_directory():
        return KezuriError.of(
            "the current directory was removed", hint="change to a directory that exists", exit_code=125
        )
    name = error.filename if error.filename is not None else error.filename2
    path = os.fsdecode(name) if isinstance(name, str | bytes) else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) and path:
        return disk_error(error, path)
    words = error.strerror or str(error) or type(error).__name__
    return KezuriError.of(
        f"{abridged(path)}: {words}" if path else words, hint=HINTS.get(error.errno or 0, ""), exit_code=125
    )


def abridged(path: str) -> str:
    """The path, of a very long one its beginning and its end."""
    if len(path) <= _LONGEST:
        return path
    half = _LONGEST // 2
    return f"{path[:half]}...{path[-half:]} ({len(os.fsencode(path))} bytes)"


def _has_directory() -> bool:
    try:
        return bool(os.getcwd())
    except OSError:
        return False
