"""A file that one process works on at a time, and that its name may be taken from while another one waits."""

import fcntl
import os


def hold(path: str, flags: int = 0, *, directory: int | None = None, wait: bool = False) -> int:
    """A descriptor of the file that has this name, which nobody else holds while it is open; -1 when somebody does,
    unless we `wait` for that. No link is followed. `flags` say more of how it is opened, and `directory` is what the
    path is relative to. OSError when it cannot be opened, or cannot be locked."""
    while True:
        held = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o644, dir_fd=directory)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # Who had it before may have moved or removed it, or put another one in its place.
            if os.path.samestat(os.stat(path, dir_fd=directory, follow_symlinks=False), os.fstat(held)):
                return held
        except BlockingIOError:
            os.close(held)
            return -1
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(held)
            raise
        os.close(held)
