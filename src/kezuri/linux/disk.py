"""What to tell somebody whose disk did not take what was to be written, and whose files are in the way."""

import errno
import os

from kezuri.diagnostics import KezuriError


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
    hint = "name a place that can be written (for the store: --root)" if error.errno == errno.EROFS else ""
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
    from kezuri.linux import namespaces, userns

    name = userns.user_name(number)
    if number == _overflow() and not namespaces.is_initial_user():
        return f"a user whom this user namespace does not know (it shows as {name or number})"
    return f"{name} (user {number})" if name else f"user {number}"


def _overflow() -> int:
    """The id that stands for all those that a user namespace lacks."""
    try:
        with open("/proc/sys/kernel/overflowuid") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 65534
