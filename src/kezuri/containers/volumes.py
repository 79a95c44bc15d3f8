"""Volumes without a name: directories of a container that are writable whatever the rest is, and gone with it."""

import os
from collections.abc import Iterable

from kezuri.sandbox.step import HostMount, Mount, Root, TreeMount
from kezuri.tree.stack import StackView


def nameless(
    paths: Iterable[str], mounts: tuple[Mount, ...], view: StackView, root: Root, readonly: bool, scratch: str
) -> tuple[Mount, ...]:
    """The mounts of volumes at these paths of the container but for those where something else is mounted.

    A directory of a writable root is as good: it is gone with the container, too. One of a read-only root shows what
    the image has there, and keeps what is written in memory; where the image has nothing it is made in `scratch`.
    """
    taken = {mount.target for mount in mounts}
    made: list[Mount] = []
    for path in dict.fromkeys(os.path.normpath(f"/{path}") for path in paths):
        found = view.stat(path.lstrip("/"))
        if path in taken or path == "/" or (found is not None and (not readonly or found.entry.kind != "dir")):
            continue
        if found is not None and view.scan(path.lstrip("/")):
            made.append(TreeMount(root.lowers, path, path, writable=True))
            continue
        directory = os.path.join(scratch, f"volume-{len(made)}")
        os.mkdir(directory)
        if found is not None:
            os.chown(directory, found.entry.uid, found.entry.gid)
            os.chmod(directory, found.entry.mode)
        made.append(HostMount(directory, path))
    return tuple(made)
