"""Writes a recipe's entries into a new directory, for steps that run on top of it."""

import errno
import os
from collections.abc import Callable, Iterable

from kezuri.diagnostics import KezuriError
from kezuri.layer.anchored import AnchoredTree
from kezuri.layer.entry import Entry, Item
from kezuri.layer.maker import DeviceRefused, Maker
from kezuri.linux.directory import make_plain
from kezuri.linux.disk import disk_error
from kezuri.linux.userns import shortcoming


def materialise(
    items: Iterable[Item], directory: str, warn: Callable[[str], None] | None = None, recorded: bool = False
) -> None:
    """Write the entries into `directory`, which must not exist yet.

    Entries come with parents before children, each path once, hard links after their first name, as recipes give
    them; nothing is followed or replaced. A file that changed since it was looked at is an error: see
    `verify_unchanged`. With `warn`, devices that a user namespace may not make are left out, as they are where layers
    are unpacked, and it hears of the first one. `recorded`: owners are recorded in attributes. KezuriError when the
    disk is full or an owner cannot be given.
    """
    make_plain(directory)
    directories: list[Entry] = []
    left_out: list[str] = []
    with AnchoredTree(directory) as tree:
        maker = Maker(tree, recorded=recorded)
        for entry, content in items:
            try:
                maker.make(entry, content)
            except DeviceRefused as error:
                if warn is None:
                    raise _explain(error, entry, directory) from error
                left_out.append(entry.path)
            except OSError as error:
                raise _explain(error, entry, directory) from error
            if entry.kind == "dir":
                directories.append(entry)
        for entry in reversed(directories):
            try:
                maker.settle(entry)
            except OSError as error:
                raise _explain(error, entry, directory) from error
    if left_out and warn is not None:
        more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        warn(f"left out the device /{left_out[0]}{more}: making it needs real root")


def _explain(error: OSError, entry: Entry, directory: str) -> KezuriError:
    if error.errno in (errno.EPERM, errno.EINVAL) and entry.kind not in ("char", "block"):
        return KezuriError.of(
            f"/{entry.path} cannot be given the owner {entry.uid}:{entry.gid}: {error.strerror}",
            hint=shortcoming().text(),
            exit_code=125,
        )
    return disk_error(error, os.path.join(directory, entry.path))
