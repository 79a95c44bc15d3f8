"""What this machine offers to builds: a build that was tried, and what explains how it went."""

import errno
import json
import os
from collections.abc import Callable
from typing import Literal, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.linux import idmaps, libc, mounts, privileges, userns
from kezuri.linux.refusal import refused
from kezuri.linux.surroundings import here
from kezuri.sandbox import runtime, seccomp


class Finding(NamedTuple):
    """One thing that was looked at; `remedy` says what to do when `state` is not ok."""

    name: str
    state: Literal["ok", "warning", "error"]
    detail: str
    remedy: str = ""


class Trial(NamedTuple):
    """How a build went that was tried: its error and that error's hint, both empty when it was built; how many ids its
    steps had, and whether that is for want of something."""

    error: str = ""
    hint: str = ""
    ids: int = 0
    shortcoming: userns.Shortcoming = userns.Shortcoming()


_OLDEST = (5, 11)


def tried(build: Callable[[], None]) -> Trial:
    """How `build` goes in a child process: it takes rights and makes mounts that this process must not have."""
    said = _in_child(lambda: _outcome(build))
    if said is None:
        return Trial("the process that built has died", "see the kernel's log (dmesg)")
    error, hint, ids, detail, remedy = said
    return Trial(error, hint, ids, userns.Shortcoming(detail, remedy))


def _outcome(build: Callable[[], None]) -> tuple[str, str, int, str, str]:
    error = hint = ""
    try:
        build()
    except KezuriError as e:
        error, hint = e.diagnostics[0].message, e.diagnostics[0].hint
    except OSError as e:
        told = refused(e).diagnostics[0]
        error, hint = told.message, told.hint
    except Exception as e:
        error = f"{type(e).__name__}: {e}"
    known = userns.identity()
    amiss = known.shortcoming if known is not None else userns.Shortcoming()
    return (error, hint, sum(count for _, _, count in idmaps.id_map()), *amiss)


def _in_child(act: Callable[[], tuple[str, str, int, str, str]]) -> tuple[str, str, int, str, str] | None:
    """Call `act` in a child process and return what it returned there; None when the child died."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            null = os.open("/dev/null", os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            with open(write, "w") as told:
                json.dump(act(), told)
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as f:
        said = f.read()
    os.waitpid(pid, 0)
    if not said:
        return None
    error, hint, ids, detail, remedy = json.loads(said)
    return error, hint, ids, detail, remedy


def findings(trial: Trial) -> tuple[Finding, ...]:
    """What there is of everything that builds need. After a trial that went well nothing is an error."""
    return (
        _build(trial),
        _kernel(),
        _engine(),
        _user_namespaces(trial),
        _subordinate_ids(trial),
        *_single_id(trial),
        _no_new_privileges(),
        _proc(trial),
        _overlay(trial),
        _seccomp(trial),
        _openat2(trial),
        _mount_calls(),
        _cgroups(),
        _runtimes(),
        _container_networks(),
    )


def _build(trial: Trial) -> Finding:
    if trial.error:
        return Finding("a build", "error", trial.error, trial.hint)
    return Finding("a build", "ok", "one that copies a file and runs a step was made here")


def _blocks(trial: Trial) -> Literal["warning", "error"]:
    """A lack is an error where the trial failed, and else a warning."""
    return "error" if trial.error else "warning"


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


def _engine() -> Finding:
    around = here()
    if not around.engine:
        return Finding("container", "ok", "this is none, as far as can be seen")
    masked = f"; {len(around.masked)} paths of its /proc are masked" if around.masked else ""
    name = "some engine" if around.engine == "container" else around.engine
    return Finding("container", "ok", f"{name}, known by {around.evidence}{masked}")


def _mounts_without() -> bool:
    """Whether this process may mount without a user namespace of its own."""
    return os.geteuid() == 0 and idmaps.may_mount()


def _user_namespaces(trial: Trial) -> Finding:
    name = "user namespaces"
    if _mounts_without():
        return Finding(name, "ok", "not needed: we are root and may mount")
    if not trial.error:
        return Finding(name, "ok", f"one with {trial.ids} ids was entered")
    forbids = userns.advice()
    if forbids:
        return Finding(name, "error", "a setting of the kernel's forbids them", forbids)
    return Finding(name, "ok", "no setting of the kernel's forbids them")


def _subordinate_ids(trial: Trial) -> Finding:
    name = "subordinate ids"
    uid = os.geteuid()
    amiss = trial.shortcoming if trial.shortcoming.detail else userns.shortcoming()
    if amiss.detail:
        return Finding(name, "error" if trial.hint == amiss.text() else "warning", *amiss)
    if uid == 0:
        return Finding(name, "ok", "not needed: we are root")
    user = userns.user_name(uid)
    counts = [
        sum(count for _, count in userns.subordinate(path, user, uid).ranges) for path in ("/etc/subuid", "/etc/subgid")
    ]
    who = user or str(uid)
    if min(counts) < 65536:
        return Finding(
            name, "warning", f"{min(counts)} for {who}", "images use ids up to 65535: grant 65536 of each kind"
        )
    return Finding(name, "ok", f"{counts[0]} user ids and {counts[1]} group ids for {who}")


def _single_id(trial: Trial) -> tuple[Finding, ...]:
    """What builds are like for a user to whom no more than one id is mapped; nothing for others."""
    if trial.error or _mounts_without() or trial.ids != 1:
        return ()
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail") as f:
            listens = "user_notif" in f.read().split()
    except OSError:
        listens = False
    name = "single id"
    if listens:
        detail = "builds work: owners are recorded beside the files, and steps see them; a USER may do what you may"
        return (Finding(name, "ok", detail),)
    detail = "this kernel lets nobody answer system calls: owners that steps give to files are lost"
    return (Finding(name, "warning", detail, "use Linux 5.5 or newer, or get subordinate ids"),)


def _no_new_privileges() -> Finding:
    if not privileges.has_no_new_privileges():
        return Finding("no_new_privs", "ok", "not set")
    if os.geteuid() == 0:
        return Finding("no_new_privs", "ok", "set, and root needs no more privileges")
    return Finding("no_new_privs", "ok", "set: newuidmap can map no ids (see subordinate ids)")


def _proc(trial: Trial) -> Finding:
    masked = here().masked
    if not masked:
        return Finding("/proc", "ok", "nothing of it is masked")
    some = f"{', '.join(masked[:3])}{', ...' if len(masked) > 3 else ''} masked"
    if not trial.error:
        return Finding("/proc", "ok", f"{some}, and steps get one of their own all the same")
    if _mounts_without() and idmaps.is_initial_user():
        return Finding("/proc", "ok", f"{some}, which does not concern root who may mount")
    return Finding("/proc", "error", f"{some}: steps get none of their own", here().remedy("proc"))


def _overlay(trial: Trial) -> Finding:
    try:
        with open("/proc/filesystems") as f:
            known = "overlay" in f.read().split()
    except OSError:
        known = True
    if known or not trial.error:
        return Finding("overlay", "ok", "the kernel has it")
    return Finding("overlay", "error", "the kernel does not have it (yet)", "load it: sudo modprobe overlay")


def _seccomp(trial: Trial) -> Finding:
    machine = os.uname().machine
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail") as f:
            actions = f.read().split()
    except OSError:
        return Finding(
            "seccomp",
            _blocks(trial),
            "this kernel tells of no system call filters",
            "use a kernel with CONFIG_SECCOMP_FILTER",
        )
    if "errno" not in actions:
        return Finding(
            "seccomp", _blocks(trial), f"actions: {' '.join(actions)}", "use a kernel with CONFIG_SECCOMP_FILTER"
        )
    if not seccomp.is_known(machine):
        return Finding(
            "seccomp", "warning", f"kezuri has no filter for {machine}", "use an OCI runtime: --runtime crun"
        )
    return Finding("seccomp", "ok", f"{len(seccomp.program(machine)) // 8} instructions for {machine}")


def _openat2(trial: Trial) -> Finding:
    from kezuri.linux import inroot

    try:
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.close(inroot.open_in(root, "proc", os.O_PATH))
        finally:
            os.close(root)
    except OSError as e:
        return Finding(
            "openat2",
            _blocks(trial),
            f"does not work: {e.strerror}",
            "Linux 5.6 has it; an old seccomp profile may hide it",
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
    from kezuri.linux.cgroups import Groups, Limits

    try:
        with Groups(Limits(memory=1 << 30, cpu_shares=1024, pids=1 << 15)) as groups:
            lacks = groups.lacks
    except OSError as e:
        return Finding("control groups", "ok", f"{layout}; no step can write to them; no limits: {e.strerror}")
    if not lacks:
        return Finding("control groups", "ok", f"{layout}; --memory, --cpus and --pids-limit have effect")
    names = ", ".join(lack.controller for lack in lacks)
    return Finding("control groups", "ok", f"{layout}; no limits of {names}: {lacks[0].reason}")


def _runtimes() -> Finding:
    found = [userns.find_program(name) for name in runtime.KNOWN]
    shown = ", ".join(path for path in found if path)
    return Finding("OCI runtimes", "ok", shown or "none installed; none needed")


def _container_networks() -> Finding:
    """Whether `run` can give containers a network of their own; nothing else needs it."""
    from kezuri.sandbox import uplink

    found = uplink.find()
    if found is not None:
        return Finding("container networks", "ok", f"their own, by {found.path}")
    installed = any(userns.find_program(name) for name in ("pasta", "slirp4netns"))
    lacking = (
        "/dev/net/tun cannot be opened" if installed else "neither pasta (package passt) nor slirp4netns is installed"
    )
    return Finding("container networks", "ok", f"this machine's: {lacking}; builds need none")
