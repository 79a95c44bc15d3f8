"""A writable directory that begins with files of somebody else: what cache mounts and volumes are made of."""

import os
import stat
from collections.abc import Iterator

from kezuri.layer.entry import Item
from kezuri.linux import recorded as records
from kezuri.linux.directory import make_plain
from kezuri.step.selections import as_tree
from kezuri.tree.extraction import taken_out
from kezuri.tree.materialise import materialise
from kezuri.tree.selection import Selection


def make_seeded(
    path: str,
    seed: Selection,
    scratch: str,
    mode: int = 0o755,
    owner: tuple[int, int] = (0, 0),
    recorded: bool = False,
) -> None:
    """Make the directory `path` with the files of the seed, which may be nothing. A seed that is a directory gives it
    its mode and owner; else it has those that are given. `scratch` is a directory for what is made on the way;
    `recorded` says that owners are recorded in attributes. KezuriError when the disk is full or an owner cannot be
    given."""
    if seed:
        seed = taken_out(seed, scratch)
        materialise(_linked(seed), path, recorded=recorded)
        for root in seed:
            if root.directory:
                mode, owner = root.top.entry.mode, (root.top.entry.uid, root.top.entry.gid)
    else:
        make_plain(path)
    os.chmod(path, mode)
    if recorded:
        records.write(path, stat.S_IFDIR, records.Record(*owner))
    elif owner != (0, 0):
        os.chown(path, *owner)
        # The kernel takes set-id bits away from what changes its owner.
        os.chmod(path, mode)


def _linked(seed: Selection) -> Iterator[Item]:
    """The entries of the seed; the names of one file are names of one file there, too."""
    first: dict[object, str] = {}
    things = [item for root in seed for item in (root.items if root.directory else (root.top,))]
    for thing, (entry, content) in zip(things, as_tree(seed)[0], strict=True):
        if thing.identity is not None and entry.kind == "file":
            other = first.setdefault(thing.identity, entry.path)
            if other != entry.path:
                yield entry._replace(kind="hardlink", link=other, size=0), None
                continue
        yield entry, content
