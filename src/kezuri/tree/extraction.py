"""The files of a selection whose bytes lie in tars of layers: hashed and taken out, each tar read once for all."""

from collections.abc import Iterator, Mapping

from kezuri.layer.entry import Content
from kezuri.tree.content import InTar, Spool, TarFiles
from kezuri.tree.selection import Root, Selected, Selection


def digests_in_tars(selection: Selection) -> Mapping[InTar, bytes]:
    """The SHA-256 of every file of the selection that lies in a tar. KezuriError when a layer cannot be read."""
    known: dict[InTar, bytes] = {}
    for tar, paths in _in_tars(selection).items():
        for path, digest in tar.digests(paths).items():
            known[InTar(tar, path)] = digest
    return known


def taken_out(selection: Selection, scratch: str) -> Selection:
    """The same selection, with the bytes of every file on hand: those from tars in files of the directory `scratch`,
    for as long as it is there, small ones in memory.

    No privilege is needed for it, and nothing but the selected files is written. KezuriError when a layer cannot be
    read, or the disk is full.
    """
    wanted = _in_tars(selection)
    if not wanted:
        return selection
    spool = Spool(scratch, "taken")
    found: dict[InTar, Content] = {}
    for tar, paths in wanted.items():
        for path, size, data in tar.read(paths):
            found[InTar(tar, path)] = spool.keep(data, size)

    def on_hand(item: Selected) -> Selected:
        return item._replace(content=found[item.content]) if isinstance(item.content, InTar) else item

    return tuple(root._replace(top=on_hand(root.top), items=tuple(map(on_hand, root.items))) for root in selection)


def _in_tars(selection: Selection) -> dict[TarFiles, set[str]]:
    """The paths that are wanted of each tar, the tars in the order in which they are met first."""
    wanted: dict[TarFiles, set[str]] = {}
    for root in selection:
        for item in _items(root):
            if isinstance(item.content, InTar):
                wanted.setdefault(item.content.tar, set()).add(item.content.path)
    return wanted


def _items(root: Root) -> Iterator[Selected]:
    yield root.top
    yield from root.items
