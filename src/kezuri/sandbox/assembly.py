"""The root file system of a step, put together from layer directories and mounts in a private mount namespace."""

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from kezuri.linux import inroot, mounts, overlay, recorded
from kezuri.linux.mounts import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from kezuri.linux.surroundings import here
from kezuri.sandbox.failure import MISSING_IDS, StartFailure, reason
from kezuri.sandbox.step import (
    AgentMount,
    FileMount,
    HostMount,
    Mount,
    SecretMount,
    Step,
    TmpfsMount,
    TreeMount,
)
from kezuri.sandbox.trees import Place, Plan, Tree, make_stubs, replicate

# Directories to mount the scratch tmpfs on; it hides what lies there from the assembling process alone.
_SCRATCH = ("/mnt", "/media", "/srv", "/opt", "/tmp", "/var", "/home", "/run", "/boot")

KERNEL = ("/proc", "/dev", "/sys")
"""Mount points of the kernel's own file systems, whatever the image has there."""

_KERNEL = tuple(f"{point}/" for point in KERNEL)


class Piece(NamedTuple):
    """One mount of the step, ready to be put in its place.

    `mount` is None for the kernel's file systems, of which `place` is one of KERNEL. `source` is where it was made, or
    is to be made before any piece is put in its place.
    """

    place: Place
    mount: Mount | None
    source: str


class Assembly(NamedTuple):
    """An assembled root: the directory where it is mounted, and its pieces in the order of mounting."""

    scratch: str
    root: str
    pieces: tuple[Piece, ...]
    sockets: tuple[tuple[int, str], ...]
    """Listening sockets (file descriptors) of forwarded SSH agents, with the agent's path."""
    dev_size: int
    """The most bytes that the step's /dev takes (0: the kernel's default)."""


def assemble(step: Step, own: Sequence[Mount]) -> Assembly:
    """Mount the step's root and make its mounts, in this process's mount namespace, which must be private.

    `own` are the sandbox's own files (/etc/hosts and the like), mounted like the step's. StartFailure says what could
    not be made.
    """
    scratch = _mount_scratch(step)
    for name in ("view", "root", "stubs", "pieces", "upper", "work", "empty", "kernel"):
        os.mkdir(f"{scratch}/{name}", 0o755)
    view = _merged(step.root.lowers, f"{scratch}/view", "the layers of the step")
    root = Tree("/", view, f"{scratch}/stubs")
    plan = Plan(root)
    for point in KERNEL:
        plan.place(point, True, shadow=True)
    wanted: list[tuple[str, Mount | None]] = [(point, None) for point in KERNEL]
    wanted += [(m.target, m) for m in (*own, *step.mounts)]
    # Parents before what lies in them; among equals in the given order, so that a step's own mount covers ours.
    wanted.sort(key=lambda w: len([p for p in w[0].split("/") if p]))
    found = [_find(m, f"{scratch}/pieces/{i}") if m else "" for i, (_, m) in enumerate(wanted)]
    places: list[tuple[Place, Tree]] = []
    for (target, mount), source in zip(wanted, found, strict=True):
        stubs = f"{scratch}/stubs-{len(places)}"
        places.append(_settle(plan, target, mount, source, stubs, any(mount is m for m in own)))
    if step.readonly:
        plan.trees[1:] = []
        path = plan.resolve(step.cwd)
        if path != "/" and root.look(path) is None and path not in root.missing:
            plan.place(step.cwd, True)
    _mount_root(step, scratch, view, root)
    if not step.readonly:
        _make_working_directory(step, root, f"{scratch}/root")
    pieces: list[Piece] = []
    sockets: list[tuple[int, str]] = []
    dev_size = 65536 << 10
    for i, ((_, mount), source, (place, tree)) in enumerate(zip(wanted, found, places, strict=True)):
        made = f"{scratch}/pieces/{i}"
        if mount is not None and place.path == "/dev":
            assert isinstance(mount, TmpfsMount)
            # The step's own /dev is a tmpfs already, so only the size is taken from a tmpfs that is wanted there.
            dev_size = mount.size
            continue
        if mount is None:
            made = f"{scratch}/kernel{place.path}"
        elif isinstance(mount, TmpfsMount) and place.mode is not None and not mount.exact:
            mount = mount._replace(mode=place.mode)
        if mount is not None:
            _make(mount, source, made, tree, sockets, 0 if step.insecure else MS_NODEV)
        pieces.append(Piece(place, mount, made))
    return Assembly(scratch, f"{scratch}/root", tuple(pieces), tuple(sockets), dev_size)


def put(assembly: Assembly, piece: Piece) -> None:
    """Mount a piece in its place within the assembled root."""
    point = open_point(assembly, piece.place)
    try:
        if piece.mount is None:
            mounts.move(piece.source, f"/proc/self/fd/{point}")
        else:
            mounts.bind(piece.source, f"/proc/self/fd/{point}", recursive=True)
    except OSError as e:
        raise StartFailure(f"cannot mount at {piece.place.path}: {reason(e)}") from None
    finally:
        os.close(point)


def open_point(assembly: Assembly, place: Place) -> int:
    """The mount point of a place (an O_PATH descriptor), made when it lies in a mount and is missing there."""
    root = os.open(assembly.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return inroot.make_point(root, place.path, place.directory)
    except OSError as e:
        words, hint = e.strerror, ""
        if e.errno == errno.EROFS:
            hint = "the mount around it is read-only and has no such entry: make it there, or mount that one writable"
        elif e.errno == errno.ELOOP:
            words = "a symbolic link is in the way"
        raise StartFailure(f"cannot make the mount point {place.path}: {words}", hint) from None
    finally:
        os.close(root)


def _mount_scratch(step: Step) -> str:
    """Mount a tmpfs to work in, on a directory that holds none of the layers and mounts of the step; its path."""
    paths = [*step.root.lowers, step.root.upper, step.root.work]
    for m in step.mounts:
        if isinstance(m, TreeMount):
            paths += m.lowers
        elif isinstance(m, HostMount):
            paths.append(m.source)
    parents: dict[str, str] = {}
    needed: list[str] = []
    for path in filter(None, paths):
        parent, name = os.path.split(path)
        if os.path.islink(path):
            needed.append(os.path.realpath(path) + "/")
            continue
        if parent not in parents:
            parents[parent] = os.path.realpath(parent)
        needed.append(os.path.join(parents[parent], name) + "/")
    for candidate in _SCRATCH:
        if os.path.realpath(candidate) != candidate or not os.path.isdir(candidate):
            continue
        inside = candidate + "/"
        if not any(n.startswith(inside) or (inside.startswith(n) and n != "/") for n in needed):
            mounts.tmpfs(candidate, mode=0o700, flags=MS_NODEV | MS_NOSUID)
            return candidate
    raise StartFailure("no directory to assemble the step in", f"one of these must exist: {', '.join(_SCRATCH)}")


def _merged(lowers: tuple[str, ...], at: str, what: str) -> str:
    """A directory that shows the layers `lowers` as one tree: the layer itself where there is only one, else a
    read-only overlay that is mounted at `at`. `what` names the layers in an error."""
    if not lowers:
        return ""
    if len(lowers) > overlay.MOST_LOWERS - 1:
        raise StartFailure(
            f"{what} are {len(lowers)} directories, and the kernel merges {overlay.MOST_LOWERS - 1} at most",
            "squash some of the image's layers",
        )
    for path in lowers:
        if not os.path.isdir(path):
            raise StartFailure(f"the layer directory {path} is not there")
    if len(lowers) == 1:
        return lowers[0]
    try:
        os.makedirs(at, exist_ok=True)
        overlay.mount(at, lowers, flags=MS_RDONLY | MS_NODEV)
    except OSError as e:
        raise _no_overlay(what, "", e) from None
    return at


def _mount_root(step: Step, scratch: str, view: str, root: Tree) -> None:
    lowers = list(step.root.lowers)
    if make_stubs(root):
        lowers.insert(0, root.stubs)
    target, upper, work = f"{scratch}/root", step.root.upper, step.root.work
    # nodev, so that device nodes which the step makes cannot be opened: there may be no device cgroup to forbid it.
    flags = (0 if step.insecure else MS_NODEV) | (MS_RDONLY if step.readonly else 0)
    if not upper and not step.readonly:
        upper, work = f"{scratch}/upper", f"{scratch}/work"
    if upper and view:
        replicate(view, upper)
    elif upper:
        os.chmod(upper, 0o755)
    try:
        if upper:
            overlay.mount(target, lowers or [f"{scratch}/empty"], upper, work, flags)
        elif len(lowers) > 1:
            overlay.mount(target, lowers, flags=flags)
        else:
            mounts.bind(lowers[0] if lowers else f"{scratch}/empty", target)
            mounts.restrict(target, flags)
    except OSError as e:
        raise _no_overlay("the step's root", upper or view, e) from None


def _make_working_directory(step: Step, root: Tree, at: str) -> None:
    """Make the working directory and its parents where the image lacks them, as the step's user's (BuildKit does so).

    `at` shows the image and the stubs, and no mount yet: one that lies over the working directory gets it later, from
    whoever enters it. A stub that lies in the way is turned into the directory.
    """
    try:
        path = inroot.resolve(step.cwd, root.look, root.link)
        if path == "/" or root.look(path) is not None or (path + "/").startswith(_KERNEL):
            return
        top = os.open(at, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        made = ""
        for name in path[1:].split("/"):
            parent, made = made, f"{made}/{name}"
            if root.look(made) is not None:
                continue
            above = inroot.open_in(top, parent, os.O_PATH | os.O_DIRECTORY, links=False)
            with suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=above)
            try:
                os.chown(name, step.uid, step.gid, dir_fd=above, follow_symlinks=False)
            except OSError as e:
                if e.errno not in (
                    errno.EINVAL,
                    errno.EPERM,
                ):  # there is no such id here: becoming that user fails, and says so
                    raise
            os.close(above)
        os.close(top)
    except OSError as e:
        raise StartFailure(f"cannot make the working directory {step.cwd}: {reason(e)}") from None


def _no_overlay(what: str, directory: str, error: OSError) -> StartFailure:
    kind = mounts.type_at(directory) if directory else ""
    hint = ""
    if error.errno == errno.EINVAL and kind:
        hint = f"the store lies on {kind}, and overlay needs a local file system such as ext4, xfs, btrfs or tmpfs"
        if kind == "overlay":
            hint += f"\n{here().remedy('volume')}"
    elif error.errno == errno.ENODEV:
        hint = "this kernel has no overlay file system: load it with `sudo modprobe overlay`"
    elif error.errno == errno.EPERM:
        hint = "mounting overlay in a user namespace needs Linux 5.11 or newer; run kezuri as root otherwise"
    return StartFailure(f"cannot mount {what} as an overlay: {error.strerror}", hint)


def _find(mount: Mount, at: str) -> str:
    """The path on this machine of what is to be mounted: for a part of a tree, of that part. Empty for a mount whose
    content is made for the step (tmpfs, secrets, sockets, files)."""
    if isinstance(mount, HostMount):
        try:
            return f"/proc/self/fd/{os.open(mount.source, os.O_PATH | os.O_CLOEXEC)}"
        except OSError as e:
            raise StartFailure(f"cannot mount {mount.source} at {mount.target}: {e.strerror}") from None
    if not isinstance(mount, TreeMount):
        return ""
    view = _merged(mount.lowers, f"{at}-view", f"the layers mounted at {mount.target}")
    if not view:
        raise StartFailure(f"cannot mount at {mount.target}: no layers are given")
    if not mount.source.strip("/."):
        return view
    # The descriptor stays open until the program starts: the path through it cannot be redirected.
    top = os.open(view, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = inroot.open_in(top, mount.source, os.O_PATH)
    except OSError as e:
        raise StartFailure(f"cannot mount {mount.source} at {mount.target}: {e.strerror}") from None
    finally:
        os.close(top)
    found = os.fstat(fd)
    # A single layer is looked at as it is, without an overlay that would hide its whiteouts.
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
        raise StartFailure(f"cannot mount {mount.source} at {mount.target}: {os.strerror(errno.ENOENT)}")
    return f"/proc/self/fd/{fd}"


def _settle(plan: Plan, target: str, mount: Mount | None, source: str, stubs: str, own: bool) -> tuple[Place, Tree]:
    """Decide where in the root a mount lies, and describe it to those that are mounted inside it. `own` mounts are the
    sandbox's, not the step's."""
    if mount is None:
        place = Place(target, True)
        tree = Tree(target, "")
    else:
        directory = stat.S_ISDIR(os.stat(source).st_mode) if source else isinstance(mount, TmpfsMount)
        place = plan.place_over_link(target, _KERNEL) if own else plan.place(target, directory)
        if place.path == "/proc" or place.path.startswith("/proc/"):
            raise StartFailure(f"cannot mount at {target}: /proc belongs to the kernel")
        if place.path in KERNEL and not isinstance(mount, TmpfsMount):
            hint = f"mount below it, or elsewhere; only a tmpfs can be asked for at {place.path} itself"
            raise StartFailure(f"cannot mount at {target}: {place.path} belongs to the sandbox", hint)
        with_stubs = directory and isinstance(mount, TreeMount)
        tree = Tree(place.path, source if directory else "", stubs if with_stubs else "", not directory)
    plan.mounted(tree)
    return place, tree


def _make(mount: Mount, source: str, at: str, tree: Tree, sockets: list[tuple[int, str]], nodev: int) -> None:
    """Make a mount's content at `at`, so that it can be bound in its place with all its flags."""
    try:
        if isinstance(mount, TreeMount):
            _make_tree(mount, source, at, tree)
        elif isinstance(mount, HostMount):
            _empty(at, not tree.file)
            mounts.bind(source, at, recursive=True)
            flags = (0 if mount.device else nodev) | (0 if mount.writable else MS_RDONLY)
            if flags:
                mounts.restrict(at, flags, recursive=True)
        elif isinstance(mount, TmpfsMount):
            os.mkdir(at)
            flags = MS_NODEV | MS_NOSUID | (MS_NOEXEC if mount.noexec else 0)
            mounts.tmpfs(at, mount.size, mount.mode, flags)
            if mount.uid or mount.gid:
                os.chown(at, mount.uid, mount.gid)
            if mount.readonly:
                mounts.restrict(at, flags | MS_RDONLY)
        elif isinstance(mount, SecretMount):
            _make_secret(mount, at)
        elif isinstance(mount, FileMount):
            _write(at, mount.data, mount.mode)
            mounts.bind(at, at)
            mounts.restrict(at, MS_RDONLY | MS_NODEV | MS_NOSUID)
        else:
            sockets.append((_make_socket(mount, at), mount.agent))
            mounts.bind(at, at)
    except OSError as e:
        if (
            e.errno == errno.EINVAL
            and isinstance(mount, SecretMount | AgentMount | TmpfsMount)
            and (mount.uid or mount.gid)
        ):
            raise StartFailure(
                f"cannot make the mount at {mount.target}: user {mount.uid} or group {mount.gid} does not exist in "
                "this user namespace",
                MISSING_IDS,
            ) from None
        raise StartFailure(f"cannot make the mount at {mount.target}: {reason(e)}") from None


def _make_tree(mount: TreeMount, source: str, at: str, tree: Tree) -> None:
    flags = MS_NODEV | (0 if mount.writable else MS_RDONLY)
    if tree.file:
        found = os.stat(source)
        if mount.writable:
            if stat.S_ISREG(found.st_mode):
                with open(source, "rb") as content, open(at, "wb") as copy:
                    while piece := content.read(1 << 20):
                        copy.write(piece)
            else:
                # A device must not be read, and a fifo could never be read to its end: a node of the same kind is made.
                os.mknod(at, found.st_mode, found.st_rdev)
            os.chown(at, found.st_uid, found.st_gid)
            os.chmod(at, stat.S_IMODE(found.st_mode))
            os.utime(at, ns=(found.st_mtime_ns, found.st_mtime_ns))
            mounts.bind(at, at)
        else:
            _empty(at, False)
            mounts.bind(source, at)
        mounts.restrict(at, flags)
        return
    os.mkdir(at)
    stubbed = make_stubs(tree)
    if not mount.writable and not stubbed:
        mounts.bind(source, at, recursive=len(mount.lowers) == 1)
        mounts.restrict(at, flags, recursive=True)
        return
    # The layers of a whole stack are mounted anew, with the stubs on top. For a part of a stack, the stubs are laid
    # over the part as it is mounted already.
    lowers = [source] if source.startswith("/proc/self/fd/") else list(mount.lowers)
    if stubbed:
        lowers.insert(0, tree.stubs)
    if not mount.writable:
        overlay.mount(at, lowers, flags=flags)
        return
    for name in ("upper", "work"):
        os.mkdir(f"{at}-{name}")
    replicate(source, f"{at}-upper")
    overlay.mount(at, lowers, f"{at}-upper", f"{at}-work", flags)


def _make_secret(mount: SecretMount, at: str) -> None:
    """Make the secret a file on a tmpfs of its own, which the kernel is told not to swap out where it can be told."""
    own = f"{at}-secret"
    os.mkdir(own, 0o700)
    flags = MS_NODEV | MS_NOSUID | (0 if mount.mode & 0o111 else MS_NOEXEC)
    try:
        mounts.mount("tmpfs", own, "tmpfs", flags, "mode=700,noswap")
    except OSError:
        mounts.tmpfs(own, mode=0o700, flags=flags)
    _write(f"{own}/secret", mount.data, 0o600)
    _give(f"{own}/secret", mount.uid, mount.gid)
    os.chmod(f"{own}/secret", mount.mode)
    _empty(at, False)
    mounts.bind(f"{own}/secret", at)
    mounts.restrict(at, flags | MS_RDONLY)


def _make_socket(mount: AgentMount, at: str) -> int:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as s:
        s.bind(at)
        os.chmod(at, mount.mode)
        _give(at, mount.uid, mount.gid)
        s.listen(16)
        return s.detach()


def _give(path: str, uid: int, gid: int) -> None:
    """Give a file to these ids. Where only one id is mapped the file keeps it: every user of the step is that id."""
    try:
        os.chown(path, uid, gid)
    except OSError as e:
        if e.errno != errno.EINVAL or not recorded.is_single():
            raise


def _empty(path: str, directory: bool) -> None:
    if directory:
        os.mkdir(path)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def _write(path: str, data: bytes, mode: int) -> None:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as f:
        f.write(data)
        os.fchmod(f.fileno(), mode)
