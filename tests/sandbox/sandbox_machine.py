"""What a step must leave alone: a record of files and devices of the machine, compared before and after."""

import os
import stat
from collections.abc import Iterable

from kezuri.linux import mounts
from kezuri.sandbox import kernelfs

Record = dict[str, tuple[object, ...]]


def record(*places: str) -> Record:
    """Everything at and below the places: kind, mode, owner, numbers, size, times of change, links and content.

    Times of reading are left out, and so are the times of terminals, which change by their use.
    """
    made: Record = {}
    for place in places:
        for path in (place, *_below(place)):
            found = os.lstat(path)
            terminal = stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) in (4, 5, 136)
            content: object = None
            if stat.S_ISREG(found.st_mode):
                with open(path, "rb") as f:
                    content = f.read()
            elif stat.S_ISLNK(found.st_mode):
                content = os.readlink(path)
            made[path] = (
                oct(found.st_mode),
                *(found.st_uid, found.st_gid, found.st_rdev, found.st_ino),
                *(() if terminal else (found.st_mtime_ns, found.st_ctime_ns)),
                content,
            )
    return made


def differences(before: Record, after: Record) -> list[str]:
    """What is not as it was, one line each."""
    paths = sorted(before.keys() | after.keys())
    return [f"{p}: {before.get(p)} -> {after.get(p)}" for p in paths if before.get(p) != after.get(p)]


def devices() -> Record:
    """The record of the device nodes that steps are shown under the same names."""
    return record(*(path for name in kernelfs.DEVICES if os.path.exists(path := f"/dev/{name}")))


def own_devices() -> None:
    """Put device nodes of our own in the place of the machine's, so that a fault in what is tested does no harm.

    For a process in a mount namespace of its own; it does nothing where nodes cannot be made, that is, for ordinary
    users, who cannot change those of the machine either.
    """
    if os.geteuid() != 0:
        return
    at = "/mnt"
    mounts.tmpfs(at)
    try:
        for name, number in kernelfs.DEVICES.items():
            os.mknod(f"{at}/{name}", stat.S_IFCHR | 0o666, number)
            os.chmod(f"{at}/{name}", 0o666)
            mounts.bind(f"{at}/{name}", f"/dev/{name}")
    except PermissionError:
        pass
    mounts.unmount(at, detach=True)


def _below(place: str) -> Iterable[str]:
    for path, directories, files in os.walk(place):
        for name in (*directories, *files):
            yield os.path.join(path, name)
