"""Becoming root of a user namespace of our own, so that an ordinary user can mount and own files of many ids."""

import errno
import os
import time
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from kezuri.diagnostics import KezuriError
from kezuri.linux import idmaps, mounts, namespaces, privileges
from kezuri.linux.idmaps import IdRanges
from kezuri.linux.surroundings import here

_MOST_IDS = 1 << 32
_PATIENCE = 40.0
"""Seconds to wait for threads that are ending. The longest to end is one that asks name servers which do not answer:
resolv.conf(5) gives three of them five seconds, twice."""


class SubordinateIds(NamedTuple):
    """Ranges of ids that /etc/subuid or /etc/subgid grants: (first id, how many)."""

    ranges: tuple[tuple[int, int], ...]


class Shortcoming(NamedTuple):
    """Why there is one id only, and the line that mends it. Empty texts: nothing is amiss."""

    detail: str = ""
    remedy: str = ""

    def text(self) -> str:
        """Both, as the hint of an error ("" when nothing is amiss)."""
        return f"{self.detail}\n{self.remedy}" if self.detail else ""


class Identity(NamedTuple):
    """How `enter` left this process: the ids that the user namespace has, and what is amiss."""

    ids: int
    shortcoming: Shortcoming = Shortcoming()


_identity: Identity | None = None


def identity() -> Identity | None:
    """What `enter` found; None when it had nothing to do."""
    return _identity


def shortcoming() -> Shortcoming:
    """Why this process lacks ids that images have, whether it has entered a user namespace already or not."""
    if _identity is not None:
        return _identity.shortcoming
    return ranges(os.geteuid(), os.getegid())[2]


def private_mounts() -> None:
    """Move this process, still single-threaded, into a mount namespace of its own: its mounts vanish with it.

    KezuriError when the process may not do that, with what to do.
    """
    try:
        namespaces.unshare(namespaces.NEWNS)
        mounts.make_private("/")
    except PermissionError:
        raise KezuriError.of(
            "this process is root but may not mount: a security module or a system call filter forbids it",
            hint=here().remedy("namespaces"),
            exit_code=125,
        ) from None


def enter() -> None:
    """Become uid 0 of a new user namespace and a new mount namespace, unless this process may mount already.

    No thread may go on working meanwhile; those that have nothing to do any more are waited for. All subordinate ids of
    the user are mapped after the user's own (see subuid(5)); without them, or without newuidmap, only the user's own:
    then `identity()` tells what falls short.
    KezuriError names the kernel setting that forbids user namespaces.
    """
    global _identity
    if os.geteuid() == 0 and idmaps.may_mount():
        private_mounts()
        return
    uid, gid = os.geteuid(), os.getegid()
    uids, gids, amiss = ranges(uid, gid)
    if uids:
        # newuidmap looks at us from the outer namespace: the child is forked before we leave it.
        ready, go = os.pipe()
        pid = os.fork()
        if pid == 0:
            _map_parent(ready, go, uids, gids)
        os.close(ready)
        try:
            _unshare()
            os.write(go, b"x")
        finally:
            os.close(go)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status != 0 or idmaps.id_map() == ():
            refused = (
                "this root has no CAP_SETUID, or no CAP_SETGID"
                if uid == 0
                else "newuidmap or newgidmap refused the ranges of /etc/subuid and /etc/subgid (it prints why)"
            )
            amiss = Shortcoming(f"{refused}: only one user id is mapped", _more_ids())
            uids = ()
        if len(idmaps.id_map("/proc/self/gid_map")) == 0 and status == 0:
            uids = ()
    else:
        _unshare()
    if not uids:
        _map_self(uid, gid)
    try:
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        mounts.make_private("/")
    except OSError as e:
        raise forbidden(e) from None
    ids = sum(count for _, _, count in idmaps.id_map())
    _identity = Identity(min(ids, _MOST_IDS), amiss)


def subordinate(path: str, name: str, number: int) -> SubordinateIds:
    """The ranges that `path` (/etc/subuid, /etc/subgid) grants to the user of this name or number."""
    return SubordinateIds(tuple(_granted(path, (name or str(number), str(number)))))


def _granted(path: str, users: tuple[str, ...] = ()) -> Iterator[tuple[int, int]]:
    """The ranges of such a file, of these users or of all."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                fields = line.strip().split(":")
                if len(fields) != 3 or (users and fields[0] not in users):
                    continue
                if fields[1].isdecimal() and fields[2].isdecimal() and int(fields[2]) > 0:
                    yield int(fields[1]), int(fields[2])
    except OSError:
        pass


def user_name(number: int) -> str:
    """The login name of a user id ("" when there is none)."""
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except KeyError:
        return ""


def find_program(name: str) -> str:
    """The path of a program on PATH or in the places of system programs ("" when there is none)."""
    for directory in [*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/usr/bin", "/sbin", "/bin"]:
        path = os.path.join(directory, name)
        if directory and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def ranges(uid: int, gid: int) -> tuple[IdRanges, IdRanges, Shortcoming]:
    """What `enter` maps: (inside, outside, count) of users and of groups, and why not more."""
    if uid == 0:
        # Root without the right to mount, as in most containers: it may still map every id that it has. All but the
        # last of the whole range, by which programs tell the machine's first user namespace from others.
        maps = (idmaps.id_map(path) for path in ("/proc/self/uid_map", "/proc/self/gid_map"))
        uids, gids = (tuple((a, a, min(count, _MOST_IDS - 2)) for a, _, count in found) for found in maps)
        return uids, gids, Shortcoming()
    name = user_name(uid)
    own_uids = subordinate("/etc/subuid", name, uid).ranges
    own_gids = subordinate("/etc/subgid", name, uid).ranges
    for path, granted in (("/etc/subuid", own_uids), ("/etc/subgid", own_gids)):
        if not granted:
            detail = f"{path} grants no subordinate ids to {name or uid}: only one user id is mapped"
            return (), (), Shortcoming(detail, _granting(name, uid))
    for program in ("newuidmap", "newgidmap"):
        path = find_program(program)
        if not path:
            return (), (), Shortcoming(f"{program} is not installed: only one user id is mapped", _INSTALL)
        if not _is_privileged(path):
            detail = f"{path} has neither its set-user-id bit nor file capabilities: only one user id is mapped"
            return (), (), Shortcoming(detail, f"sudo chmod u+s {path}")
    if privileges.has_no_new_privileges():
        detail = "no_new_privs keeps newuidmap from having any: only one user id is mapped"
        return (), (), Shortcoming(detail, _more_ids())
    return _after(uid, own_uids), _after(gid, own_gids), Shortcoming()


_INSTALL = "sudo apt install uidmap (Fedora: shadow-utils, Alpine: shadow-uidmap)"


def _granting(name: str, uid: int) -> str:
    """The command that grants 65536 ids which nobody has yet to this user."""
    free = 100000
    for path in ("/etc/subuid", "/etc/subgid"):
        free = max([free, *(first + count for first, count in _granted(path))])
    if not name:
        return f"echo {uid}:{free}:65536 | sudo tee -a /etc/subuid /etc/subgid"
    last = free + 65535
    return f"sudo usermod --add-subuids {free}-{last} --add-subgids {free}-{last} {name}"


def _more_ids() -> str:
    """What to do where newuidmap is there and may not work."""
    if here().engine:
        return here().remedy("ids")
    return "run kezuri outside of what keeps it from new privileges (systemd: NoNewPrivileges=no)"


def _is_privileged(path: str) -> bool:
    try:
        found = os.stat(path)
        return bool(found.st_mode & 0o4000) or "security.capability" in os.listxattr(path)
    except OSError:
        return False


def _after(own: int, ranges: tuple[tuple[int, int], ...]) -> IdRanges:
    mapped = [(0, own, 1)]
    inside = 1
    for first, count in ranges:
        mapped.append((inside, first, count))
        inside += count
    return tuple(mapped)


def _map_parent(ready: int, go: int, uids: IdRanges, gids: IdRanges) -> NoReturn:
    """In the child, outside the namespace: wait until the parent has entered it, then map its ids."""
    parent = os.getppid()
    try:
        os.close(go)
        if os.read(ready, 1) != b"x":
            os._exit(1)
        for program, ranges in (("newuidmap", uids), ("newgidmap", gids)):
            if os.geteuid() == 0:
                with open(f"/proc/{parent}/{program[3:6]}_map", "w") as f:
                    f.write("".join(f"{a} {b} {c}\n" for a, b, c in ranges))
                continue
            numbers = [str(n) for line in ranges for n in line]
            path = find_program(program)
            pid = os.posix_spawn(path, [program, str(parent), *numbers], os.environ)
            if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
                os._exit(1)
        os._exit(0)
    except BaseException:
        os._exit(1)


def _map_self(uid: int, gid: int) -> None:
    """Map our own ids to 0: the one thing that a process may do for itself."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1\n"), ("gid_map", f"0 {gid} 1\n")):
        path = f"/proc/self/{name}"
        try:
            with open(path, "w") as f:
                f.write(text)
        except OSError as e:
            if name != "setgroups" and idmaps.id_map(path):
                continue  # newuidmap had done the one and failed at the other
            if name == "setgroups" and e.errno in (errno.ENOENT, errno.EPERM):
                continue
            # Who is root may map itself with CAP_SETFCAP only (Linux 5.12); an ordinary user always may.
            hint = advice() or here().remedy("ids" if uid == 0 and e.errno == errno.EPERM else "namespaces")
            raise KezuriError.of(f"cannot write {path}: {e.strerror}", hint=hint, exit_code=125) from None


def _unshare() -> None:
    _await_threads()
    try:
        namespaces.unshare(namespaces.NEWUSER | namespaces.NEWNS)
    except OSError as e:
        raise forbidden(e) from None


def _await_threads() -> None:
    """Wait until this process has one thread: the kernel takes no others along into a user namespace. A thread of
    Python's that was waited for may still be a thread of the kernel's for a moment."""
    pause, end = 0.0005, time.monotonic() + _PATIENCE
    while len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < end:
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def forbidden(error: OSError) -> KezuriError:
    """The error for a machine on which user namespaces cannot be made: which setting it is, and what to do."""
    return KezuriError.of(
        f"user namespaces cannot be used here: {error.strerror}; kezuri needs one when it does not run as root",
        hint=advice() or _why(error.errno),
        exit_code=125,
    )


def _why(number: int | None) -> str:
    """What to do where no setting of this kernel's forbids user namespaces."""
    if number == errno.EINVAL:
        return "the kernel was built without CONFIG_USER_NS, or this program has more than one thread already"
    if number in (errno.ENOSPC, errno.EUSERS):
        return (
            "as many user namespaces exist, or lie in each other, as are allowed: raise user.max_user_namespaces in "
            "the machine around this one"
        )
    return here().remedy("namespaces")


def advice() -> str:
    """Which kernel setting forbids user namespaces, and the command that allows them ("" when none is known to)."""
    for name, bad, good in SETTINGS:
        if setting(name) == bad:
            where = "on the machine that runs this container: " if here().engine else ""
            return f"{name} is {bad}; allow it with: {where}sudo sysctl -w {name}={good}"
    return ""


SETTINGS = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "15000"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)
"""Kernel settings that forbid user namespaces to ordinary users: name, the value that forbids, one that allows."""


def setting(name: str) -> str:
    """The value of a sysctl ("" when the kernel has none of this name)."""
    try:
        with open("/proc/sys/" + name.replace(".", "/")) as f:
            return f.read().strip()
    except OSError:
        return ""
