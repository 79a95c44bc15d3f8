"""What a process has from whoever started it and no result may depend on, put back to what a fresh machine gives."""

import os

from kezuri.linux import libc, syscalls

_PR_SET_SECUREBITS, _PR_SET_TIMERSLACK, _PR_SET_THP_DISABLE = 28, 29, 41


def shed() -> None:
    """Put this process back to defaults: the umask, the execution domain (`linux32`, `setarch -R`), the securebits,
    the timer slack and the setting for huge pages.

    Signals 32 and 33, too, which the C library keeps for itself and so does not let anybody reset.
    Resource limits, niceness, affinity and the like stay: they bound what the caller may use of the machine.
    """
    os.umask(0o022)
    rt_sigaction = syscalls.table(syscalls.native()).get("rt_sigaction", 134)
    for name, *arguments in (
        ("personality", 0),
        ("prctl", _PR_SET_SECUREBITS, 0, 0, 0, 0),
        ("prctl", _PR_SET_TIMERSLACK, 50_000, 0, 0, 0),
        ("prctl", _PR_SET_THP_DISABLE, 0, 0, 0, 0),
        ("syscall", rt_sigaction, 32, bytes(32), None, 8),
        ("syscall", rt_sigaction, 33, bytes(32), None, 8),
    ):
        try:
            libc.call(name, *arguments)
        except OSError:
            pass  # locked by the caller, or not known to this kernel
