"""What a process may do: capabilities, no_new_privs, system call filters, death with the parent."""

import errno
import os

from kezuri.linux import libc

# include/uapi/linux/capability.h: the bit of each name, in order.
_NAMES = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
    SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
    MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
CAPABILITIES = tuple(_NAMES.split())

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 38, 47


def mask(names: tuple[str, ...]) -> int:
    """The capabilities, named without CAP_, as a bit mask."""
    return sum(1 << CAPABILITIES.index(name) for name in names)


def permitted() -> int:
    """The permitted capabilities of this process, as a bit mask."""
    return capabilities()[1]


def capabilities() -> tuple[int, int, int]:
    """The effective, permitted and inheritable capabilities of this process, as bit masks."""
    import ctypes

    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    libc.call("capget", header, data)
    return data[0] | data[3] << 32, data[1] | data[4] << 32, data[2] | data[5] << 32


def has_no_new_privileges() -> bool:
    """Whether programs that this process executes gain nothing: see `no_new_privileges`."""
    return _status("NoNewPrivs", "0") == "1"


def _status(field: str, default: str) -> str:
    """A field of /proc/self/status: costs less than to load ctypes for a system call."""
    with open("/proc/self/status") as status:
        return next((line.split()[1] for line in status if line.startswith(field + ":")), default)


def set_capabilities(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) for this process."""
    import ctypes

    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (effective, permitted, inheritable)
    low, high = [s & 0xFFFFFFFF for s in sets], [s >> 32 for s in sets]
    libc.call("capset", header, (ctypes.c_uint32 * 6)(*low, *high))


def bound(keep: int) -> None:
    """Drop every capability outside `keep` from the bounding set and all of them from the ambient set."""
    for number in range(64):
        if keep >> number & 1:
            continue
        try:
            libc.call("prctl", _PR_CAPBSET_DROP, number, 0, 0, 0)
        except OSError as e:
            if e.errno == errno.EINVAL:  # past the kernel's last capability
                break
            raise
    try:
        libc.call("prctl", _PR_CAP_AMBIENT, 4, 0, 0, 0)
    except OSError as e:
        if e.errno != errno.EINVAL:  # before Linux 4.3 there is no ambient set
            raise


def no_new_privileges() -> None:
    """From now on no execve(2) gives this process more than it has: set-id bits and file capabilities do nothing."""
    libc.call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def keep_memory_private() -> None:
    """This process writes no core file, and other processes of its user cannot read its memory. A program that it
    executes begins anew."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    libc.call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def die_with_parent(signal: int) -> None:
    """Have `signal` sent to this process when its parent dies. Changing ids clears this: set it afterwards."""
    libc.call("prctl", _PR_SET_PDEATHSIG, signal, 0, 0, 0)


def filter_system_calls(program: bytes) -> None:
    """Install a seccomp filter: an array of struct sock_filter. Needs no_new_privs or CAP_SYS_ADMIN."""
    import ctypes

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    argument = Program(len(program) // 8, program)
    libc.call("prctl", _PR_SET_SECCOMP, 2, ctypes.byref(argument), 0, 0)


def close_from(first: int, on_exec: bool = False) -> None:
    """Close every file descriptor from `first` on, now or (`on_exec`) when a program is executed."""
    try:
        libc.syscall(libc.CLOSE_RANGE, first, 0xFFFFFFFF, 4 if on_exec else 0)
    except OSError as e:
        if e.errno not in (errno.ENOSYS, errno.EINVAL, errno.EPERM):
            raise
        for name in os.listdir("/proc/self/fd"):
            if int(name) < first:
                continue
            try:
                if on_exec:
                    os.set_inheritable(int(name), False)
                else:
                    os.close(int(name))
            except OSError:
                pass
