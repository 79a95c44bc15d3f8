"""What to tell somebody when the kernel refuses something and nobody nearer to it had better words."""

import errno
import os

from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import disk_error

_LONGEST = 240
"""Characters of a path that are shown: paths that are refused for their length fill a screen."""

_HINTS = {
    errno.EMFILE: "this process may open too few files at once: raise `ulimit -n`",
    errno.ENFILE: "the machine has too many files open: see `sysctl fs.file-max`",
    errno.ENOMEM: "memory has run out",
    errno.EAGAIN: "too many processes, or too little memory: see `ulimit -u`",
    errno.EIO: "the disk, or what it is reached through, is failing: the kernel's log (dmesg) says more",
    errno.ENAMETOOLONG: "a path may have 4095 bytes, and a name in it 255: shorten it, or begin nearer to it",
    errno.ELOOP: "symbolic links lead in a circle, or there are too many",
    errno.EFBIG: "this process may not write files that large: see `ulimit -f`",
    errno.ESTALE: "the file system was changed from elsewhere (NFS): try again",
}


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
        f"{abridged(path)}: {words}" if path else words, hint=_HINTS.get(error.errno or 0, ""), exit_code=125
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
