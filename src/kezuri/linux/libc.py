"""The C library and raw system calls as Python calls that raise OSError.

Everything here loads ctypes on the first call and not before: a command that touches no namespace does not pay for it.
"""

import os
from typing import Any

_library: Any = None
_functions: dict[str, Any] = {}

# The calls without a C library function in every version, by machine. Numbers from 424 on are the same everywhere.
_PIVOT_ROOT = {"x86_64": 155, "amd64": 155}
_KEYCTL = {"x86_64": 250, "amd64": 250}
_GENERIC_PIVOT_ROOT, _GENERIC_KEYCTL = 41, 219
OPEN_TREE, MOVE_MOUNT, FSOPEN, FSCONFIG, FSMOUNT = 428, 429, 430, 431, 432
CLOSE_RANGE, OPENAT2, MOUNT_SETATTR = 436, 437, 442


def load() -> Any:
    """The C library of this process, with errno kept."""
    global _library
    if _library is None:
        import ctypes

        _library = ctypes.CDLL(None, use_errno=True)
    return _library


def call(name: str, *arguments: Any) -> int:
    """Call a C library function that returns an int and sets errno; OSError when it returns -1.

    Integers are passed as C longs, bytes as char pointers, None as a null pointer.
    """
    import ctypes

    function = _functions.get(name)
    if function is None:
        function = getattr(load(), name)
        function.restype = ctypes.c_long if name == "syscall" else ctypes.c_int
        _functions[name] = function
    long = ctypes.c_long
    result: int = function(*[long(a) if isinstance(a, int) else a for a in arguments])
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number: int, *arguments: Any) -> int:
    """A system call by number; OSError when it fails."""
    return call("syscall", number, *arguments)


def pivot_root(new: bytes, old: bytes) -> None:
    """pivot_root(2)."""
    syscall(_PIVOT_ROOT.get(os.uname().machine, _GENERIC_PIVOT_ROOT), new, old)


def new_session_keyring() -> None:
    """Leave the session keyring that was inherited (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING)."""
    syscall(_KEYCTL.get(os.uname().machine, _GENERIC_KEYCTL), 1, None)
