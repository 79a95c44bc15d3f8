"""What to tell somebody whose disk did not take what was to be written, and whose files are in the way."""

import errno
import os

from kezuri.diagnostics import KezuriError

HINTS = {
    errno.EACCES: "its mode, or a directory's above it, keeps this user out (for the store: --root names another)",
    errno.EEXIST: "a file is in the way: name another place (for the store: --root)",
    errno.ENOTDIR: "a file is in the way of a directory: name another place (for the store: --root)",
    errno.EMFILE: "this process may open too few files at once: raise `ulimit -n`",
    errno.ENFILE: "the machine has too many files open: see `sysctl fs.file-max`",
    errno.ENOMEM: "memory has run out",
    errno.EAGAIN: "too many processes, or too little memory: see `ulimit -u`",
    errno.EIO: "the disk, or what it is reached through, is failing: the kernel's log (dmesg) says more",
    errno.ENAMETOOLONG: "a path may have 4095 bytes, and a name in it 255: shorten it, or begin nearer to it",
    errno.ELOOP: "symbolic links lead in a circle, or there are too many",
    errno.EFBIG: "this process may not write files that large: see `ulimit -f`",
    errno.EROFS: "name a place that can be written (for the store: --root)",
    errno.ENOLCK: "this file system has no locks (NFS without its lock service): --root puts the store on another",
    errno.ESTALE: "the file system was changed from elsewhere (NFS): try again",
}
"""What to do about an error, by its number."""


def is_full(error: KezuriError) -> bool:
    """Whether it says that there was no room on a disk."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def disk_error(error: OSError, path: str) -> KezuriError:
    """What to tell somebody whose disk did not take what the store wanted to write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KezuriError.of(
            f"no space left on the device while writing {path}",
            hint="`kezuri prune` frees what the cache can spare; `--root DIR` puts the store on another disk",
            exit_code=125,
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        owner = _stranger(path)
        if owner:
            return KezuriError.of(
                f"cannot write {path}: {error.strerror}: it belongs to {owner}",
                hint="take it over with chown, or name another place (for the store: --root)",
                exit_code=125,
            )
    hint = HINTS.get(error.errno or 0, "")
    return KezuriError.of(f"cannot write {path}: {error.strerror or error}", hint=hint, exit_code=125)


def _stranger(path: str) -> str:
    """Who owns the path, or the nearest directory above it that can be seen; empty when that is this user."""
    while path != "/":
        try:
            own = os.lstat(path).st_uid == os.geteuid()
        except OSError:
            path = os.path.dirname(path)
            continue
        return "" if own else owner_of(path)
    return ""


def owner_of(path: str) -> str:
    """The owner of a path, in words."""
    return user(os.lstat(path).st_uid)


def user(number: int) -> str:
    """A user of this machine, in words."""
    from kezuri.linux import idmaps, userns

    name = userns.user_name(number)
    if number == _overflow() and not idmaps.is_initial_user():
        return f"a user whom this user namespace does not know (it shows as {name or number})"
    return f"{name} (user {number})" if name else f"user {number}"


def _overflow() -> int:
    """The id that stands for all those that a user namespace lacks."""
    try:
        with open("/proc/sys/kernel/overflowuid") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 65534
