"""What must be the same on a machine before and after kezuri ran.

    python -m tests.machine.machine_state REPORT COMMAND...

runs the command and writes to the file REPORT what differs afterwards. The exit code is the command's, or 1 when
something differs. Root sees everything; another user sees what he may read.
"""

import ctypes
import hashlib
import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator

State = dict[str, dict[str, str]]
"""Facts by section: what a thing is called, and everything about it that must not change."""

PATIENCE = 20
"""Seconds for what is still ending (a process that was told to stop)."""

_PR_SET_CHILD_SUBREAPER = 36

GIVEN_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "fuse", "net/tun", "kmsg")
"""The nodes of /dev that containers get."""

_WITHOUT_TIMES = {"tty", "ptmx"}
"""The kernel writes the times of terminals when they are used."""

_MOVING_DEVICES = re.compile(r"(pts|block|char|disk|bus|input|snd|mapper)/|(tty|vcs|loop|dm-|hidraw|ptp|pps)")
"""Nodes that come and go with terminals and hardware, or when the kernel makes another loop device."""

_MOVING_SETTINGS = re.compile(
    r"fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr|quota/.*)"
    r"|kernel/(ns_last_pid|pty/nr|random/(uuid|entropy_avail)|perf_event_max_sample_rate|hung_task_detect_count)"
    r"|net/netfilter/nf_conntrack_(count|events)"
    r"|net/ipv4/tcp_fastopen_key"
)
"""Files of /proc/sys that count, that draw a number whenever they are read, or that the kernel adjusts by itself."""

_MOVING_MOUNTS = re.compile(r"/run/user/\d+|/snap/|/proc/sys/fs/binfmt_misc$|/run/credentials/|/var/lib/snapd/")
"""What logins, snapd and systemd's automounter mount whenever they like."""

_SYSTEMD = re.compile(r"^/(system|user)\.slice(/|$)|^/init\.scope")
"""Control groups that systemd makes and removes as its services and logins come and go."""

_PODMAN = re.compile(r"/dev/shm/libpod_(rootless_)?lock(_\d+)?$")
"""podman, which the tests read images with, keeps its locks until the machine is restarted."""

_FILES = (
    *("passwd", "group", "shadow", "gshadow", "subuid", "subgid", "hosts", "hostname", "resolv.conf", "fstab"),
    *("nsswitch.conf", "environment", "profile", "ld.so.preload", "sudoers"),
)
_DIRECTORIES = ("/", "/dev", "/dev/pts", "/dev/shm", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/tmp", "/usr",
                "/var", "/var/lib", "/var/tmp")  # fmt: skip


def taken() -> State:
    """The machine as it is now."""
    return {name: dict(section()) for name, section in _SECTIONS.items()}


def differences(before: State, after: State) -> list[str]:
    """One line for each thing that is not what it was. Other names of settings come with a kernel module that was
    loaded meanwhile, and the mounts of a process that has ended are missed by nobody."""
    found = []
    for section in before.keys() | after.keys():
        old, new = before.get(section, {}), after.get(section, {})
        for name in sorted(old.keys() | new.keys()):
            if name not in new:
                if section != "mounts of a process":
                    found.append(f"{section} {name}: is gone; it was {old[name]}")
            elif name not in old:
                if section not in ("setting", "mounts of a process"):
                    found.append(f"{section} {name}: is new: {new[name]}")
            elif old[name] != new[name]:
                found += [f"{section} {name}: {line}" for line in _changed(old[name], new[name])]
    return sorted(found)


def _changed(old: str, new: str) -> Iterator[str]:
    if "\n" not in old + new:
        yield f"was {old}, is {new}"
        return
    before, after = old.splitlines(), new.splitlines()
    yield from (f"lacks {line}" for line in before if line not in after)
    yield from (f"has a new {line}" for line in after if line not in before)
    if set(before) == set(after):
        yield "the same lines in another order or number"


def node(path: str, times: bool = True) -> str:
    """Kind, mode, owner, device number and link of one file, and its times (whole nanoseconds)."""
    try:
        status = os.lstat(path)
    except OSError as error:
        return error.strerror or str(error)
    said = f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
    if stat.S_ISLNK(status.st_mode):
        return f"{said} -> {os.readlink(path)}"
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        said += f" {os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        if times:
            said += f" mtime {status.st_mtime_ns} ctime {status.st_ctime_ns}"
    return said


def given_devices() -> dict[str, str]:
    """The nodes of /dev that containers get, as they are now."""
    return {name: node(f"/dev/{name}", name not in _WITHOUT_TIMES) for name in GIVEN_DEVICES}


def _devices() -> Iterator[tuple[str, str]]:
    yield from given_devices().items()
    for path in _below("/dev"):
        name = path.removeprefix("/dev/")
        if (
            name not in GIVEN_DEVICES
            and not _MOVING_DEVICES.match(name)
            and name.split("/")[0] not in ("shm", "mqueue")
        ):
            yield name, node(path, times=False)


def _below(top: str) -> Iterator[str]:
    for directory, directories, files in os.walk(top):
        yield from (os.path.join(directory, name) for name in sorted((*directories, *files)))


def _settings() -> Iterator[tuple[str, str]]:
    for path in _below("/proc/sys"):
        name = path.removeprefix("/proc/sys/")
        if not os.path.isdir(path) and not _MOVING_SETTINGS.fullmatch(name):
            yield name, _read(path)


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return error.strerror or str(error)
    with open(descriptor, "rb") as file:
        try:
            return file.read(1 << 20).decode(errors="backslashreplace").rstrip("\n")
        except OSError as error:
            return error.strerror or str(error)


def _groups() -> Iterator[tuple[str, str]]:
    """The groups at the top of each hierarchy (cgroups(7)), and those below our own. What lies deeper in a group that
    is there before us belongs to whoever made that group."""
    top = "/sys/fs/cgroup"
    # Version 2 has one hierarchy, with its own list of processes; version 1 has one in each directory.
    tops = (
        [top] if os.path.exists(f"{top}/cgroup.procs") else [entry.path for entry in os.scandir(top) if entry.is_dir()]
    )
    seen = {entry.path for place in tops for entry in os.scandir(place) if entry.is_dir()}
    for line in _read("/proc/self/cgroup").splitlines():
        ours = line.split(":", 2)[2].strip("/")
        if ours:
            seen.update(path for place in tops for path in _below(f"{place}/{ours}") if os.path.isdir(path))
    for directory in sorted(seen):
        name = directory.removeprefix(top)
        if not _SYSTEMD.search(name):
            yield name, node(directory)


def _directories(path: str) -> list[str]:
    return [entry.path for entry in os.scandir(path) if entry.is_dir()] if os.path.isdir(path) else []


def _names() -> Iterator[tuple[str, str]]:
    yield "host name", socket.gethostname()
    yield "domain name", _read("/proc/sys/kernel/domainname")
    for kind in ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup"):
        for process in ("1", "self"):
            try:
                yield f"{kind} namespace of {process}", os.readlink(f"/proc/{process}/ns/{kind}")
            except OSError:
                pass


def _mounts() -> Iterator[tuple[str, str]]:
    """All mount namespaces that a process lives in, by the inode that names them."""
    seen = set()
    for process in ("self", "1", *_processes()):
        try:
            space = os.readlink(f"/proc/{process}/ns/mnt")
            if space not in seen:
                with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="backslashreplace") as file:
                    seen.add(space)
                    yield space, "\n".join(sorted(mounted(file)))
        except OSError:
            continue


def mounted(lines: Iterable[str]) -> Iterator[str]:
    """The mounts in a mountinfo file (proc_pid_mountinfo(5)), without the numbers that the kernel gives them."""
    for line in lines:
        fields = line.split()
        if not _MOVING_MOUNTS.match(fields[4]):
            shared = [field.partition(":")[0] for field in fields[6 : fields.index("-")]]
            yield " ".join(["mount", *fields[3:6], *shared, *fields[fields.index("-") :]])


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def _left() -> Iterator[tuple[str, str]]:
    """What runs below this process, which adopts orphans (see `watch`): nothing else on the machine is ours."""
    parents: dict[str, str] = {}
    for name in _processes():
        try:
            state, parent = _stat(name)
        except (OSError, IndexError):
            continue
        if state not in "ZX":
            parents[name] = parent
    for name in parents:
        above = name
        while above in parents and above != str(os.getpid()):
            above = parents[above]
        if above == str(os.getpid()) != name:
            words = _read(f"/proc/{name}/cmdline").replace("\0", " ").strip() or _read(f"/proc/{name}/comm")
            yield name, f"child of {parents[name]}: {words[:300]}"


def _stat(process: str) -> tuple[str, str]:
    """State and parent (proc_pid_stat(5))."""
    with open(f"/proc/{process}/stat", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return fields[0], fields[1]


def _accounts() -> Iterator[tuple[str, str]]:
    for name in _FILES:
        path = f"/etc/{name}"
        if os.path.lexists(path):
            digest = hashlib.sha256(_read(path).encode()).hexdigest()[:16]
            yield path, f"{node(path)} content {digest}"
    for path in _DIRECTORIES:
        yield path, node(path)


def _interfaces() -> Iterator[tuple[str, str]]:
    for name in sorted(os.listdir("/sys/class/net")):
        yield name, _read(f"/sys/class/net/{name}/address")
    yield "routes", "\n".join(line.split("\t")[0] + " to " + line.split("\t")[1] for line in _table("/proc/net/route"))


def _table(path: str) -> list[str]:
    return _read(path).splitlines()[1:]


def _memory() -> Iterator[tuple[str, str]]:
    for kind in ("msg", "sem", "shm"):
        for line in _table(f"/proc/sysvipc/{kind}"):
            yield f"{kind} {' '.join(line.split()[:3])}", "is there"
    for top in ("/dev/shm", "/dev/mqueue"):
        yield from ((path, node(path)) for path in _below(top) if not _PODMAN.match(path))


def _loops() -> Iterator[tuple[str, str]]:
    for name in sorted(os.listdir("/sys/block") if os.path.isdir("/sys/block") else ()):
        backing = f"/sys/block/{name}/loop/backing_file"
        if os.path.exists(backing):
            yield name, _read(backing)


_SECTIONS: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
    "device": _devices,
    "setting": _settings,
    "control group": _groups,
    "name": _names,
    "mounts of a process": _mounts,
    "process": _left,
    "file": _accounts,
    "network interface": _interfaces,
    "shared memory": _memory,
    "loop device": _loops,
}


def watch(command: list[str]) -> tuple[int, list[str]]:
    """Run a command; its exit code, and what is not as it was before, 20 seconds later at the latest."""
    adopt = ctypes.CDLL(None).prctl
    # Whatever loses its parent becomes our child, not that of the machine's first process.
    adopt(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        before = taken()
        code = subprocess.run(command, check=False).returncode
        deadline = time.monotonic() + PATIENCE
        while (found := differences(before, taken())) and time.monotonic() < deadline:
            time.sleep(1)
            _reap()
    finally:
        adopt(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    return code if code >= 0 else 128 - code, found


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def main(words: list[str]) -> int:
    if len(words) < 2:
        print("usage: machine_state REPORT COMMAND...", file=sys.stderr)
        return 2
    code, found = watch(words[1:])
    with open(words[0], "w") as file:
        file.writelines(f"machine: {line}\n" for line in found)
        file.write("machine: the tests have changed it\n" if found else "machine: as it was before\n")
    return code or bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
