"""What a step's process is allowed: user, groups, capabilities, system calls, resource limits."""

import errno
import os
from collections.abc import Callable

from kezuri.linux import idmaps, intercept, namespaces, privileges
from kezuri.sandbox import seccomp
from kezuri.sandbox.failure import MISSING_IDS, StartFailure
from kezuri.sandbox.step import Step

DEFAULT_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SYS_CHROOT",
    "MKNOD",
    "AUDIT_WRITE",
    "SETFCAP",
)
"""The capabilities that container engines leave to root. The inheritable set stays empty, as it does there since
CVE-2022-24769."""


def capabilities(step: Step) -> int:
    """The capabilities of the step's root, out of those that this process has, as a bit mask.

    CAP_NET_RAW is not among them on the machine's own network: raw sockets would show what other programs send there.
    """
    have = privileges.permitted()
    if step.insecure:
        return have
    added, dropped = (
        privileges.mask(tuple(name for name in names if name != "ALL"))
        for names in (step.add_capabilities, step.drop_capabilities)
    )
    if "ALL" in step.add_capabilities:
        return have & ~dropped
    kept = 0 if "ALL" in step.drop_capabilities else privileges.mask(DEFAULT_CAPABILITIES)
    if step.network == "host":
        kept &= ~privileges.mask(("NET_RAW",))
    return have & (kept & ~dropped | added)


def check(step: Step) -> None:
    """StartFailure for a capability that is to be added and that this process does not have itself."""
    lacking = [
        name
        for name in step.add_capabilities
        if name != "ALL" and not privileges.permitted() & privileges.mask((name,))
    ]
    if lacking:
        raise StartFailure(f"CAP_{lacking[0]} cannot be added: kezuri does not have it here")


def bounds(step: Step, no_new_privileges: bool) -> int:
    """The bounding set of the step, as a bit mask: the capabilities that an executable file can give (setcap).

    The kernel refuses to start a program whose file asks for a capability outside of this set. `ping` asks for
    CAP_NET_RAW, so that is in the set wherever it gives no power over the machine's network: with no_new_privs no file
    gives anything, and a capability counts only for networks that belong to the step's own user namespace.
    """
    kept = capabilities(step)
    if step.drop_capabilities:
        return kept
    harmless = no_new_privileges or not namespaces.owns_network()
    return kept | privileges.permitted() & privileges.mask(("NET_RAW",)) if harmless else kept


# include/uapi/asm-generic/resource.h, by the names that `docker build --ulimit` takes.
ULIMITS = {
    "cpu": 0,
    "fsize": 1,
    "data": 2,
    "stack": 3,
    "core": 4,
    "rss": 5,
    "nproc": 6,
    "nofile": 7,
    "memlock": 8,
    "as": 9,
    "locks": 10,
    "sigpending": 11,
    "msgqueue": 12,
    "nice": 13,
    "rtprio": 14,
    "rttime": 15,
}


def limits(step: Step) -> list[tuple[str, int, int]]:
    """The step's resource limits as this process can give them, its own hard limits raised where they must be.

    Raising takes a right that we may not have (CAP_SYS_RESOURCE): where the soft limit fits below our hard limit, ours
    stays, and the process gets what it asked for; else StartFailure names the ulimit.
    """
    import resource

    given: list[tuple[str, int, int]] = []
    for name, soft, hard in step.ulimits:
        if name not in ULIMITS:
            raise StartFailure(f"unknown ulimit {name}", f"known are {', '.join(sorted(ULIMITS))}")
        if 0 <= hard < soft or (soft < 0 <= hard):
            raise StartFailure(f"ulimit {name}: the soft limit {_shown(soft)} is above the hard limit {_shown(hard)}")
        number = ULIMITS[name]
        our_soft, ours = resource.getrlimit(number)
        if ours != -1 and (hard < 0 or hard > ours):
            try:
                resource.setrlimit(number, (our_soft, hard))
            except (ValueError, OSError):
                if soft < 0 or soft > ours:
                    raise StartFailure(
                        f"ulimit {name}={_shown(soft)}:{_shown(hard)} is above the hard limit here, {ours}",
                        f"raise it for the user who runs kezuri (limits.conf(5)), or ask for {ours} at most",
                    ) from None
                hard = ours
        given.append((name, soft, hard))
    return given


def limit(step: Step) -> None:
    """Set the step's resource limits for this process. StartFailure names the ulimit that cannot be set."""
    import resource

    for name, soft, hard in limits(step):
        try:
            resource.setrlimit(ULIMITS[name], (soft, hard))
        except (ValueError, OSError) as e:
            raise StartFailure(f"cannot set ulimit {name}={_shown(soft)}:{_shown(hard)}: {e}") from None


def _shown(value: int) -> str:
    return "unlimited" if value < 0 else str(value)


def filter_for(step: Step) -> bytes:
    """The step's system call filter (empty: none). StartFailure for a machine that has no table."""
    machine = os.uname().machine
    if step.insecure or step.unfiltered:
        return b""
    if not seccomp.is_known(machine):
        raise StartFailure(
            f"kezuri has no system call filter for {machine}", "use an OCI runtime: --runtime crun, or --runtime runc"
        )
    return seccomp.program(machine)


def assume(
    step: Step,
    program: bytes,
    named: int,
    no_new_privileges: bool,
    hand_over: Callable[[int], None] | None = None,
) -> None:
    """Become the step's user with its capabilities and its filter; `named` are its `bounds`. StartFailure when an
    id does not exist here.

    `hand_over` is given where there is one id only: it takes the descriptor that hears of what the step asks of ids.
    The step's user is then another name of that id, in a user namespace of its own.
    The order is forced: the filter without no_new_privs needs CAP_SYS_ADMIN, the bounding set needs CAP_SETPCAP,
    setuid(2) needs CAP_SETUID, and the capabilities go last.
    """
    keep = capabilities(step)
    if hand_over is not None:
        _rename(step)
    have = privileges.permitted()
    if no_new_privileges:
        privileges.no_new_privileges()
    if hand_over is not None and step.uid == 0:
        _let_ids_be_answered(hand_over)
    if program:
        privileges.filter_system_calls(program)
    privileges.bound(named)
    privileges.set_capabilities(have, have, 0)
    if hand_over is None:
        _become(step)
    if step.uid == 0:
        privileges.set_capabilities(keep, keep, 0)
    else:
        privileges.set_capabilities(0, 0, 0)


def _let_ids_be_answered(hand_over: Callable[[int], None]) -> None:
    """Have the step's calls about owners and ids answered by a process outside (`ids_keeper.py`). Where the kernel
    cannot hand calls over, or somebody around us does so already, such calls succeed and do nothing."""
    from kezuri.sandbox import ids_filter

    machine = os.uname().machine
    if not seccomp.is_known(machine):
        return
    try:
        listener = intercept.listen(ids_filter.program(machine))
    except OSError as e:
        if e.errno not in (errno.EBUSY, errno.EINVAL, errno.ENOSYS):
            raise
        privileges.filter_system_calls(ids_filter.program(machine, answered=False))
        return
    hand_over(listener)


def _rename(step: Step) -> None:
    """Enter a user namespace in which our only id has the numbers of the step's user, so that programs which ask who
    they are, or who owns their files, are told that user."""
    if (step.uid, step.gid) == (0, 0):
        return
    try:
        namespaces.unshare(namespaces.NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{step.uid} 0 1"), ("gid_map", f"{step.gid} 0 1")):
            with open(f"/proc/self/{name}", "w") as f:
                f.write(text)
        os.setresgid(step.gid, step.gid, step.gid)
        os.setresuid(step.uid, step.uid, step.uid)
    except OSError as e:
        raise StartFailure(
            f"cannot run as user {step.uid}:{step.gid}: {e.strerror}",
            "this machine gives your user one id, and lets it make no user namespace in another one: "
            "`kezuri doctor` says how to get more ids",
        ) from None


def _become(step: Step) -> None:
    try:
        os.setgroups(list(step.groups))
    except OSError as e:
        # Where a single id is mapped the kernel forbids setgroups(2), so the step keeps the groups that our user has.
        if e.errno != errno.EPERM or _setgroups_allowed():
            raise _unmapped("group", max(step.groups, default=step.gid), e) from None
    try:
        os.setresgid(step.gid, step.gid, step.gid)
    except OSError as e:
        raise _unmapped("group", step.gid, e) from None
    try:
        os.setresuid(step.uid, step.uid, step.uid)
    except OSError as e:
        raise _unmapped("user", step.uid, e) from None


def _setgroups_allowed() -> bool:
    try:
        with open("/proc/self/setgroups") as f:
            return f.read().strip() != "deny"
    except OSError:
        return True


def _unmapped(kind: str, number: int, error: OSError) -> StartFailure:
    path = "/proc/self/uid_map" if kind == "user" else "/proc/self/gid_map"
    try:
        missing = not idmaps.is_mapped(number, idmaps.id_map(path))
    except OSError:
        missing = False
    if not missing:
        return StartFailure(f"cannot become {kind} {number}: {error.strerror}")
    return StartFailure(f"{kind} {number} does not exist in this user namespace", MISSING_IDS)
