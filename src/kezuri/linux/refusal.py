"""What to tell somebody when the kernel refuses something and nobody nearer to it had better words."""

import errno
import os

from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import HINTS, disk_error
from kezuri.linux.idmaps import is_initial_user

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


def exhausted(error: Exception) -> KezuriError | None:
    """The error for memory that has run out, and for a thread that cannot be started; None for another exception."""
    if isinstance(error, MemoryError):
        return KezuriError.of("memory has run out", hint=_memory_limit(), exit_code=125)
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        hint = process_limit() or _memory_limit() or "see `ulimit -u`, and pids.max of the control group"
        return KezuriError.of("no more threads can be started", hint=hint, exit_code=125)
    return None


def process_limit() -> str:
    """What may keep this process from starting others, and what helps; empty when its user may have as many as there
    can be. Root is not bound by that limit."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if most == resource.RLIM_INFINITY or (os.geteuid() == 0 and is_initial_user()):
        return ""
    return f"this user may have {most} processes and threads at once: raise `ulimit -u`"


def _memory_limit() -> str:
    import resource

    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most == resource.RLIM_INFINITY:
        return ""
    return f"this process may have {most >> 10} KiB of addresses: raise `ulimit -v` (--memory limits what steps use)"


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
