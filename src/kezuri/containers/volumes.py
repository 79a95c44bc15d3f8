"""Volumes of containers: directories that are writable whatever the rest is. Those with a name stay when it is gone."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from kezuri.containers.request import NamedVolume
from kezuri.diagnostics import KezuriError
from kezuri.sandbox.step import HostMount, Mount, Root, TreeMount
from kezuri.step.seeding import make_seeded
from kezuri.store.owners import Owners
from kezuri.store.volumes import Volume, Volumes
from kezuri.tree.selection import Selection, select
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


@contextmanager
def named(
    wanted: Sequence[NamedVolume], volumes: Volumes, owners: Owners, view: StackView, scratch: str
) -> Iterator[tuple[HostMount, ...]]:
    """The mounts of these volumes, which nobody removes while the block runs. One that is not there is made, and one
    that is empty gets what the image has at its place. KezuriError for one whose files belong to ids of others."""
    with ExitStack() as held:
        made = []
        for number, one in enumerate(wanted):
            held.enter_context(volumes.used(one.name))
            aside = os.path.join(scratch, f"named-{number}")
            os.mkdir(aside)
            with volumes.making(one.name):
                _prepare(one, volumes, owners, _seed(view, one), aside)
            made.append(HostMount(volumes.data(one.name), one.target, one.writable))
        yield tuple(made)


def make(name: str, volumes: Volumes, owners: Owners, labels: dict[str, str]) -> Volume:
    """An empty volume; the one of this name when there is one."""
    with volumes.used(name), volumes.making(name):
        found = volumes.find(name)
        if found is not None:
            return found
        settled, recorded = owners.settled(), owners.recorded
        return volumes.make(name, settled, lambda path: make_seeded(path, (), "", recorded=recorded), labels)


def _prepare(one: NamedVolume, volumes: Volumes, owners: Owners, seed: Selection, aside: str) -> None:
    settled, recorded = owners.settled(), owners.recorded
    found = volumes.find(one.name)
    if found is None:
        volumes.make(one.name, settled, lambda path: make_seeded(path, seed, aside, recorded=recorded), {})
        return
    if found.owners != settled:
        raise KezuriError.of(
            f"the files of volume {one.name} belong to ids that this process sees as others",
            hint="run kezuri as it was run when the volume was made, or take another volume",
            exit_code=125,
        )
    data = volumes.data(one.name)
    if seed and not os.listdir(data):
        begun = os.path.join(aside, "begun")
        make_seeded(begun, seed, aside, recorded=recorded)
        # Others may have the directory already: it stays, and gets the files.
        for name in os.listdir(begun):
            os.rename(os.path.join(begun, name), os.path.join(data, name))
        _take_after(data, begun)


def _take_after(path: str, model: str) -> None:
    """Give a directory the owner, the mode and the attributes of another one."""
    status = os.stat(model)
    os.chown(path, status.st_uid, status.st_gid)
    os.chmod(path, status.st_mode & 0o7777)
    for attribute in os.listxattr(model):
        os.setxattr(path, attribute, os.getxattr(model, attribute))


def _seed(view: StackView, one: NamedVolume) -> Selection:
    """What the image has at the place of a volume: the directory there, or nothing."""
    place = view.resolve(one.target.lstrip("/"))
    found = view.stat(place) if one.copies else None
    return select(view, (place,), literal=True) if found is not None and found.entry.kind == "dir" else ()
