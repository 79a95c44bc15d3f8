"""Whom an image's processes belong to, and what that user may do with a file."""

from typing import NamedTuple

from kezuri.check.image.subject import Image
from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.tree.accounts import user_ids
from kezuri.tree.tree import clean


class User(NamedTuple):
    """The ids of a process."""

    uid: int
    gids: tuple[int, ...]


def user_of(image: Image) -> User | None:
    """The user of a container's processes; None for one that the image does not know."""
    try:
        uid, _, gids = user_ids(image.config.user, image.tree)
    except KezuriError:
        return None
    return User(uid, gids)


def may(user: User, entry: Entry, bits: int) -> bool:
    """Whether the user has these rights (4 read, 2 write, 1 execute). root has all of them but to execute what nobody
    may."""
    if user.uid == 0:
        return bits != 1 or entry.kind == "dir" or bool(entry.mode & 0o111)
    shift = 6 if entry.uid == user.uid else 3 if entry.gid in user.gids else 0
    return (entry.mode >> shift) & bits == bits


def barrier(image: Image, path: str, user: User) -> str:
    """The directory above a path that the user cannot pass; empty for none."""
    parts = path.split("/")[:-1]
    for count in range(len(parts) + 1):
        at = "/".join(parts[:count])
        entry = image.tree.lookup(at)
        if entry is not None and entry.kind == "dir" and not may(user, entry, 1):
            return f"/{at} has mode {entry.mode:04o} and belongs to {entry.uid}:{entry.gid}"
    return ""


def may_execute(image: Image, path: str, user: User) -> str:
    """Why the user may not start the file; empty where he may."""
    above = barrier(image, path, user)
    if above:
        return above
    entry = image.tree.lookup(path)
    if entry is not None and not may(user, entry, 1):
        return f"its mode is {entry.mode:04o} and it belongs to {entry.uid}:{entry.gid}"
    return ""


def may_write(image: Image, path: str, user: User) -> str:
    """Why the user may not write into a directory, or what stands in the way of it; empty where he may, and where there
    is nothing."""
    at = image.resolve(clean(path))
    entry = image.tree.lookup(at)
    if entry is None:
        return ""
    if not may(user, entry, 3 if entry.kind == "dir" else 2):
        return f"its mode is {entry.mode:04o} and it belongs to {entry.uid}:{entry.gid}"
    return barrier(image, at, user)
