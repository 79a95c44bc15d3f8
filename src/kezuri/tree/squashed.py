"""Several layers on top of each other as the entries of one: what they leave of each other, and what they remove."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from kezuri.layer.entry import Content, Entry, Item
from kezuri.linux.disk import disk_error
from kezuri.tree.content import Bytes, InTar, TarFiles
from kezuri.tree.layers import IMPLIED, LayerForm
from kezuri.tree.stack import StackView

_IN_MEMORY = 1 << 20
"""Bytes of a file that are held in memory while it goes from one tar into another."""

Squashed = tuple[Entry, Bytes]


def squashed(layers: Sequence[LayerForm], kept: int = 0) -> Iterator[Squashed]:
    """The entries of the one layer that does, on top of the lowest `kept` layers, what all those above do.

    Parents come before children, siblings sorted, hard links after the file that they name. A whiteout is there for
    what the kept layers have and the stack has not; a directory whose lower contents all go is opaque. Without kept
    layers there is neither, and the entries are the files of the whole.
    """
    below, whole, own = StackView(layers[:kept]), StackView(layers), layers[kept:]
    first: dict[object, str] = {}
    root = whole.lookup("")
    if root is not None and any(_described(layer, "") for layer in own):
        yield root, None
    bare = kept > 0 and any(_hides(layer, "") for layer in own)
    if bare:
        yield Entry("", "opaque", 0), None
    stack = [("", bare)]
    while stack:
        path, hidden = stack.pop()
        prefix = f"{path}/" if path else ""
        directories = []
        for name in _names(own, path):
            at = prefix + name
            found = whole.stat(at)
            before = None if hidden else below.lookup(at)
            if found is None:
                if before is not None:
                    yield Entry(at, "whiteout", 0), None
                continue
            # As the layers have it: what a copy of it would get is less.
            entry = whole.lookup(at) or found.entry
            if entry.kind != "dir":
                if found.identity is not None:
                    known = first.setdefault(found.identity, at)
                    if known != at:
                        yield entry._replace(kind="hardlink", link=known, size=0), None
                        continue
                yield entry._replace(kind=found.entry.kind), found.content
                continue
            covers = before is not None and before.kind == "dir" and any(_hides(layer, at) for layer in own)
            if covers or entry != before or any(_described(layer, at) for layer in own):
                yield entry, None
            if covers:
                yield Entry(at, "opaque", 0), None
            directories.append((at, hidden or covers))
        stack.extend(reversed(directories))


def _names(layers: Iterable[LayerForm], path: str) -> list[str]:
    """The names that these layers have in a directory, sorted by their bytes."""
    names: set[str] = set()
    for layer in layers:
        found = layer.find(path)
        if (found is not None and found.entry.kind == "dir") or not path:
            names.update(name for name, _ in layer.scan(path))
    return sorted(names, key=os.fsencode)


def _described(layer: LayerForm, path: str) -> bool:
    """Whether the layer says itself what the directory is like."""
    found = layer.find(path)
    return found is not None and found is not IMPLIED


def _hides(layer: LayerForm, path: str) -> bool:
    """Whether nothing is seen through the layer of what lies below it at this path."""
    found = layer.find(path)
    return found is not None and (found.entry.kind != "dir" or layer.opaque(path))


def readable_once(items: Iterable[Squashed], scratch: str) -> Iterator[Item]:
    """The same entries with their bytes on hand, in an order in which every tar is read once: files that lie in tars
    come after the others, in the order of their tars, and hard links after all files. Parents still come before
    children. The bytes of a large file lie in the directory `scratch` until the next item is asked for."""
    links: list[Entry] = []
    packed: dict[TarFiles, dict[str, list[Entry]]] = {}
    for entry, content in items:
        if isinstance(content, InTar):
            packed.setdefault(content.tar, {}).setdefault(content.path, []).append(entry)
        elif entry.kind == "hardlink":
            links.append(entry)
        else:
            yield entry, content
    place = os.path.join(scratch, "content")
    for tar, files in packed.items():
        for path, size, data in tar.read(list(files)):
            content = data.read() if size <= _IN_MEMORY else _laid(data, place)
            for entry in files[path]:
                yield entry, content
    for entry in links:
        yield entry, None


def _laid(data: BinaryIO, place: str) -> Content:
    try:
        with open(place, "wb") as file:
            while piece := data.read(_IN_MEMORY):
                file.write(piece)
    except OSError as error:
        raise disk_error(error, place) from error
    return place
