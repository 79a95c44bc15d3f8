"""The kernel's own file systems of a step, /proc, /dev and /sys, with what must not be seen covered.

They are put together in a directory of our own before anything of an image is mounted there, and are moved into the
root as they are: no path that is walked here has a component that an image could have made.
"""

import errno
import os
import stat

from kezuri.linux import idmaps, mounts
from kezuri.linux.mounts import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_STRICTATIME
from kezuri.linux.surroundings import here
from kezuri.sandbox.failure import StartFailure, reason
from kezuri.sandbox.step import Step

MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
DEVICES = {
    "null": os.makedev(1, 3),
    "zero": os.makedev(1, 5),
    "full": os.makedev(1, 7),
    "random": os.makedev(1, 8),
    "urandom": os.makedev(1, 9),
    "tty": os.makedev(5, 0),
}
LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)
TTY_GROUP = 5

_KERNEL = MS_NOSUID | MS_NODEV | MS_NOEXEC


def mount_proc(root: str) -> None:
    """A /proc of this process's PID namespace. StartFailure in a container that masks its own /proc."""
    try:
        mounts.mount("proc", f"{root}/proc", "proc", _KERNEL)
    except OSError as e:
        if e.errno not in (errno.EPERM, errno.EACCES):
            raise
        raise StartFailure(
            "cannot mount /proc for the step: the container around kezuri masks parts of its own /proc",
            here().remedy("proc"),
        ) from None


def make(at: str, step: Step, dev_size: int) -> None:
    """Mount /proc, /dev (of at most `dev_size` bytes) and /sys in the directory `at`, which is ours and empty.

    StartFailure when something that a step must not see cannot be covered.
    """
    for name in ("proc", "dev", "sys", "nodes"):
        os.mkdir(f"{at}/{name}", 0o755)
    mount_proc(at)
    _make_nodes(f"{at}/nodes")
    _mount_dev(at, step.shm_size, dev_size)
    _mount_sys(f"{at}/sys", step.insecure)
    if not step.insecure:
        _cover(at)


def _make_nodes(at: str) -> None:
    """Make the device nodes; each is later bound to the place where the step sees it.

    Where this process may make nodes they are the step's own, on a file system that is gone with it: whatever the step
    does to their mode, owner and time is done to nothing else. Elsewhere (in a user namespace, or without CAP_MKNOD)
    they are the machine's, read-only: that forbids changes of the nodes and leaves reading and writing the devices.
    """
    # This is the only file system of a step that is not mounted nodev. The step sees its files but none of its
    # directories, and so cannot make nodes there.
    mounts.tmpfs(at, 1 << 20, 0o755, MS_NOSUID | MS_NOEXEC)
    try:
        for name, number in DEVICES.items():
            os.mknod(f"{at}/{name}", stat.S_IFCHR | 0o666, number)
            os.chmod(f"{at}/{name}", 0o666)
        return
    except PermissionError:
        pass
    for name, number in DEVICES.items():
        try:
            node = os.open(f"/dev/{name}", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        found = os.fstat(node)
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == number:
            os.close(os.open(f"{at}/{name}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            mounts.bind(f"/proc/self/fd/{node}", f"{at}/{name}")
        os.close(node)
    mounts.restrict(at, MS_RDONLY | MS_NOSUID | MS_NOEXEC, recursive=True)
    if not os.path.exists(f"{at}/null"):
        raise StartFailure("this machine has no /dev/null that is the null device")


def _mount_dev(at: str, shm_size: int, size: int) -> None:
    """Make a /dev that has only harmless devices. It is mounted nodev, so that nodes which the step makes there cannot
    be opened."""
    dev = f"{at}/dev"
    mounts.tmpfs(dev, size, 0o755, MS_NOSUID | MS_NODEV | MS_STRICTATIME)
    for name in os.listdir(f"{at}/nodes"):
        os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        mounts.bind(f"{at}/nodes/{name}", f"{dev}/{name}")
    for name, target in LINKS:
        os.symlink(target, f"{dev}/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{name}", 0o755)
    group = f",gid={TTY_GROUP}" if idmaps.is_mapped(TTY_GROUP, idmaps.id_map("/proc/self/gid_map")) else ""
    mounts.mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, f"newinstance,ptmxmode=0666,mode=0620{group}")
    mounts.tmpfs(f"{dev}/shm", shm_size, 0o1777, _KERNEL)
    try:
        mounts.mount("mqueue", f"{dev}/mqueue", "mqueue", _KERNEL)
    except OSError as e:
        if e.errno != errno.ENODEV:  # a kernel without POSIX message queues
            raise


def _mount_sys(where: str, writable: bool) -> None:
    """Mount a read-only /sys: one of the step's own network namespace where the kernel allows it, else this
    machine's."""
    lock = 0 if writable else MS_RDONLY
    try:
        mounts.mount("sysfs", where, "sysfs", _KERNEL | lock)
        if os.path.ismount("/sys/fs/cgroup") and os.path.isdir(f"{where}/fs/cgroup"):
            # Programs read their memory and processor limits there.
            mounts.bind("/sys/fs/cgroup", f"{where}/fs/cgroup", recursive=True)
    except OSError as e:
        if e.errno not in (errno.EPERM, errno.EACCES):
            raise
        # A user namespace gets a sysfs of its own only together with a network namespace.
        mounts.bind("/sys", where, recursive=True)
    mounts.restrict(where, _KERNEL | lock, recursive=True)


def _cover(at: str) -> None:
    """Hide the files that reveal too much of the machine, and make the kernel's settings read-only."""
    for path in (*MASKED, *READ_ONLY):
        where = at + path
        try:
            kind = os.lstat(where).st_mode
        except FileNotFoundError:
            continue  # this kernel has no such thing
        try:
            if path in READ_ONLY:
                mounts.bind(where, where, recursive=True)
                mounts.restrict(where, _KERNEL | MS_RDONLY, recursive=True)
            elif stat.S_ISDIR(kind):
                mounts.mount("tmpfs", where, "tmpfs", _KERNEL | MS_RDONLY, "mode=755")
            else:
                mounts.bind(f"{at}/nodes/null", where)
        except OSError as e:
            raise StartFailure(f"cannot cover {path} for the step: {reason(e)}") from None
