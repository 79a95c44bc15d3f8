"""What `ps` shows of a process of ours."""

from contextlib import suppress

from kezuri.linux import libc

_PR_SET_NAME = 15
_ARGUMENTS = (45, 46)
"""Where /proc/self/stat has the addresses of the command line, counted behind the name (proc(5): 48 and 49)."""


def name_process(name: str) -> None:
    """Show this process under a short name, without the command line that it was started with. Where there is no /proc,
    the command line stays."""
    # Modules cannot be imported any more where the root is that of an image: without the one there is no new name.
    with suppress(OSError, ValueError, IndexError, ImportError):
        import ctypes

        # A process that changed its user may not write its /proc/self/comm.
        libc.call("prctl", _PR_SET_NAME, name.encode(), 0, 0, 0)
        with open("/proc/self/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        start, end = (int(fields[at]) for at in _ARGUMENTS)
        title = name.encode()[: max(end - start - 1, 0)]
        if 0 < start < end:
            ctypes.memset(start, 0, end - start)
            ctypes.memmove(start, title, len(title))
