"""The kernel's own file systems in a step's root: /proc, /dev and /sys, with what must not be seen covered."""

import errno
import os

from kezuri.linux import mounts, namespaces
from kezuri.linux.mounts import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_STRICTATIME
from kezuri.sandbox.failure import StartFailure
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
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
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
            "run that container with --security-opt systempaths=unconfined (Kubernetes: procMount: Unmasked), "
            "or with --privileged",
        ) from None


def mount_dev(root: str, shm_size: int) -> None:
    """A /dev with the harmless devices alone. Nodes that the step makes there open nothing: it is mounted nodev."""
    dev = f"{root}/dev"
    mounts.tmpfs(dev, 65536 << 10, 0o755, MS_NOSUID | MS_NODEV | MS_STRICTATIME)
    for name in DEVICES:
        if not os.path.exists(f"/dev/{name}"):
            if name == "null":
                raise StartFailure("this machine has no /dev/null")
            continue
        os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        mounts.bind(f"/dev/{name}", f"{dev}/{name}")
    for name, target in LINKS:
        os.symlink(target, f"{dev}/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{name}", 0o755)
    group = f",gid={TTY_GROUP}" if namespaces.is_mapped(TTY_GROUP, namespaces.id_map("/proc/self/gid_map")) else ""
    mounts.mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, f"newinstance,ptmxmode=0666,mode=0620{group}")
    mounts.tmpfs(f"{dev}/shm", shm_size, 0o1777, _KERNEL)
    try:
        mounts.mount("mqueue", f"{dev}/mqueue", "mqueue", _KERNEL)
    except OSError as e:
        if e.errno != errno.ENODEV:  # a kernel without POSIX message queues
            raise


def mount_sys(root: str, writable: bool) -> None:
    """A read-only /sys: of the step's network namespace where the kernel lets us, else what this machine shows us."""
    where = f"{root}/sys"
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


def cover(root: str, step: Step) -> None:
    """Hide what says too much about the machine and make the kernel's settings read-only."""
    if step.insecure:
        return
    for path in MASKED:
        where = root + path
        try:
            if os.path.isdir(where):
                mounts.mount("tmpfs", where, "tmpfs", _KERNEL | MS_RDONLY, "mode=755")
            elif os.path.lexists(where):
                mounts.bind(f"{root}/dev/null", where)
        except FileNotFoundError:
            continue
    for path in READ_ONLY:
        where = root + path
        if os.path.exists(where):
            mounts.bind(where, where, recursive=True)
            mounts.restrict(where, _KERNEL | MS_RDONLY, recursive=True)
