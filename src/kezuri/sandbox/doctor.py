"""What this machine offers to a sandbox, tried out rather than guessed."""

import errno
import os
from collections.abc import Callable
from typing import Literal, NamedTuple, NoReturn

from kezuri.diagnostics import KezuriError
from kezuri.linux import libc, mounts, namespaces, overlay, recorded, userns
from kezuri.sandbox import runtime, seccomp


class Finding(NamedTuple):
    """One thing that was looked at; `remedy` says what to do when `state` is not ok."""

    name: str
    state: Literal["ok", "warning", "error"]
    detail: str
    remedy: str = ""


_OLDEST = (5, 11)


def findings() -> tuple[Finding, ...]:
    """Everything that a step needs, in a fraction of a second. Changes nothing: trials are made in child processes."""
    return (
        _kernel(),
        *_namespaces_and_overlay(),
        _subordinate_ids(),
        *_single_id(),
        _seccomp(),
        _no_new_privileges(),
        _openat2(),
        _mount_calls(),
        _cgroups(),
        _runtimes(),
    )


def _kernel() -> Finding:
    release = os.uname().release
    numbers = []
    for part in release.split("-")[0].split(".")[:2]:
        digits = "".join(c for c in part if c.isdigit())
        numbers.append(int(digits or 0))
    detail = f"Linux {release} on {os.uname().machine}"
    if tuple(numbers) < _OLDEST:
        return Finding(
            "kernel",
            "warning",
            detail,
            "before Linux 5.11 ordinary users cannot mount overlay: run kezuri as root, or update the kernel",
        )
    return Finding("kernel", "ok", detail)


def _namespaces_and_overlay() -> tuple[Finding, Finding, Finding]:
    """Enter namespaces and mount an overlay for real, in a child."""
    said = _try(_trial)
    words = dict(line.split("\t", 1) for line in said.splitlines() if "\t" in line)
    root = os.geteuid() == 0
    name = "mount namespace" if root else "user namespace"
    error, hint = words.get("enter", "the trial process died"), words.get("enter-hint", "")
    if error:
        unknown = Finding("overlay", "error", "not tried", "see above")
        return Finding(name, "error", error, hint), unknown, unknown._replace(name="/proc")
    detail = "we are root and may mount" if root else f"{words.get('ids', '?')} ids are mapped"
    entered = Finding(name, "ok", detail)
    if words.get("shortcoming"):
        entered = Finding(
            name,
            "warning",
            words["shortcoming"],
            "see the findings on subordinate ids and on a single id",
        )
    merged = words.get("overlay", "the trial process died")
    if merged:
        laid = Finding(
            "overlay",
            "error",
            f"cannot be mounted: {merged}",
            "load the module: sudo modprobe overlay; or use Linux 5.11",
        )
    else:
        laid = Finding("overlay", "ok", "mounted, written to and read back on a tmpfs")
    proc = words.get("proc", "the trial process died")
    if proc:
        own = Finding(
            "/proc",
            "error",
            f"cannot be mounted for a step: {proc}",
            "this container masks its /proc: run it with --security-opt systempaths=unconfined, or --privileged",
        )
    else:
        own = Finding("/proc", "ok", "can be mounted for a step")
    return entered, laid, own


def _trial(out: int) -> None:
    def say(key: str, value: object) -> None:
        os.write(out, f"{key}\t{str(value).replace(chr(10), ' ')}\n".encode())

    try:
        userns.enter()
    except KezuriError as e:
        say("enter-hint", e.diagnostics[0].hint)
        say("enter", e)
        return
    say("enter", "")
    known = userns.identity()
    say("ids", sum(count for _, _, count in namespaces.id_map()))
    say("shortcoming", known.shortcoming if known else "")
    try:
        mounts.tmpfs("/tmp")
        for name in ("a", "b", "upper", "work", "merged", "proc"):
            os.mkdir(f"/tmp/{name}")
        overlay.mount("/tmp/merged", ("/tmp/a", "/tmp/b"), "/tmp/upper", "/tmp/work")
        with open("/tmp/merged/file", "w"):
            pass
        say("overlay", "" if os.path.exists("/tmp/upper/file") else "what was written did not arrive")
    except OSError as e:
        say("overlay", e.strerror)
    try:
        namespaces.unshare(namespaces.NEWPID)
        pid = os.fork()
        if pid == 0:
            _try_proc(say)
        os.waitpid(pid, 0)
    except OSError as e:
        say("proc", e.strerror)


def _try_proc(say: Callable[[str, object], None]) -> NoReturn:
    try:
        mounts.mount("proc", "/tmp/proc", "proc")
        say("proc", "")
    except OSError as e:
        say("proc", e.strerror)
    finally:
        os._exit(0)


def _try(act: Callable[[int], None]) -> str:
    """What a child process that runs `act` has to say."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            null = os.open("/dev/null", os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            act(write)
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as f:
        said = f.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return said


def _subordinate_ids() -> Finding:
    name = "subordinate ids"
    uid = os.geteuid()
    if uid == 0:
        return Finding(name, "ok", "not needed: we are root")
    user = userns.user_name(uid)
    who = user or str(uid)
    counts = []
    for path in ("/etc/subuid", "/etc/subgid"):
        ranges = userns.subordinate(path, user, uid).ranges
        if not ranges:
            return Finding(
                name,
                "warning",
                f"{path} grants none to {who}",
                f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {who}",
            )
        counts.append(sum(count for _, count in ranges))
    for program in ("newuidmap", "newgidmap"):
        path = userns.find_program(program)
        if not path:
            return Finding(name, "warning", f"{program} is not installed", "install it: apt install uidmap")
        if not _is_privileged(path):
            return Finding(
                name,
                "warning",
                f"{path} has neither its set-user-id bit nor file capabilities",
                f"reinstall the package uidmap, or: sudo chmod u+s {path}",
            )
    if min(counts) < 65536:
        return Finding(
            name, "warning", f"{min(counts)} for {who}", "images use ids up to 65535: grant 65536 of each kind"
        )
    return Finding(name, "ok", f"{counts[0]} user ids and {counts[1]} group ids for {who}")


def _single_id() -> tuple[Finding, ...]:
    """What a build is like for a user to whom no more than one id is mapped; nothing for others."""
    if os.geteuid() == 0:
        single = recorded.is_single()
    else:
        single = not userns.ranges(os.geteuid(), os.getegid())[0]
    if not single:
        return ()
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail") as f:
            listens = "user_notif" in f.read().split()
    except OSError:
        listens = False
    if listens:
        detail = "builds work: owners are recorded beside the files, and steps see them; a USER may do what you may"
        return (Finding("single id", "ok", detail),)
    return (
        Finding(
            "single id",
            "warning",
            "this kernel lets nobody answer system calls: owners that steps give to files are lost",
            "use Linux 5.5 or newer, or get subordinate ids",
        ),
    )


def _is_privileged(path: str) -> bool:
    try:
        found = os.stat(path)
        return bool(found.st_mode & 0o4000) or "security.capability" in os.listxattr(path)
    except OSError:
        return False


def _seccomp() -> Finding:
    machine = os.uname().machine
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail") as f:
            actions = f.read().split()
    except OSError:
        return Finding(
            "seccomp", "error", "this kernel has no system call filters", "use a kernel with CONFIG_SECCOMP_FILTER"
        )
    if "errno" not in actions:
        return Finding("seccomp", "error", f"actions: {' '.join(actions)}", "use a kernel with CONFIG_SECCOMP_FILTER")
    if not seccomp.is_known(machine):
        return Finding(
            "seccomp", "warning", f"kezuri has no filter for {machine}", "use an OCI runtime: --runtime crun"
        )
    return Finding("seccomp", "ok", f"{len(seccomp.program(machine)) // 8} instructions for {machine}")


def _no_new_privileges() -> Finding:
    try:
        with open("/proc/self/status") as f:
            value = [line.split()[1] for line in f if line.startswith("NoNewPrivs:")]
    except OSError:
        value = []
    if value == ["1"] and os.geteuid() != 0:
        return Finding(
            "no_new_privs",
            "warning",
            "it is set for this process: newuidmap cannot work, so that only one user id is mapped",
            "run kezuri outside the sandbox that set it (systemd NoNewPrivileges, allowPrivilegeEscalation: false)",
        )
    return Finding("no_new_privs", "ok", "known to the kernel" if value else "not reported by the kernel")


def _openat2() -> Finding:
    from kezuri.linux import inroot

    try:
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.close(inroot.open_in(root, "proc", os.O_PATH))
        finally:
            os.close(root)
    except OSError as e:
        return Finding(
            "openat2", "error", f"does not work: {e.strerror}", "Linux 5.6 has it; an old seccomp profile may hide it"
        )
    return Finding("openat2", "ok", "paths of images are resolved by the kernel")


def _mount_calls() -> Finding:
    missing = []
    for name, number in (("fsopen", libc.FSOPEN), ("open_tree", libc.OPEN_TREE), ("mount_setattr", libc.MOUNT_SETATTR)):
        try:
            libc.syscall(number, -1, None, 0, None, 0)
        except OSError as e:
            if e.errno == errno.ENOSYS:
                missing.append(name)
    if missing:
        return Finding("mount calls", "ok", f"{', '.join(missing)} missing: older calls are used, with the same result")
    return Finding("mount calls", "ok", "the newer mount calls are there")


def _cgroups() -> Finding:
    root = "/sys/fs/cgroup"
    kind = mounts.type_at(root)
    if kind == "cgroup2":
        layout = "version 2"
    elif kind == "tmpfs":
        layout = "versions 1 and 2 (hybrid)" if os.path.isdir(f"{root}/unified") else "version 1"
    else:
        layout = "not mounted"
    detail = f"{layout}; kezuri makes none, and no step can write to them"
    return Finding("control groups", "ok", detail)


def _runtimes() -> Finding:
    found = [userns.find_program(name) for name in runtime.KNOWN]
    shown = ", ".join(path for path in found if path)
    return Finding("OCI runtimes", "ok", shown or "none installed; none needed")
