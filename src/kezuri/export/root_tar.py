"""An image's files as a tar: each layer that has some of them is read once, whatever the order of their names."""

from collections.abc import Iterable
from typing import BinaryIO

from kezuri.diagnostics import KezuriError
from kezuri.export.root import Exported
from kezuri.layer.entry import Content, Entry
from kezuri.layer.tar_writer import END, PADDING, header
from kezuri.linux.refusal import refused
from kezuri.tree.content import InTar, TarFiles, pieces

_HELD = 1 << 20


def write_tar(items: Iterable[Exported], sink: BinaryIO) -> None:
    """Write the entries as one tar: parents first and hard links last; files that lie in tars of layers come layer by
    layer, in the order in which the layers have them. Nothing is unpacked, and memory does not depend on the size of
    the files. KezuriError when a layer cannot be read or the sink does not take the bytes."""
    writer = _Writer(sink)
    links: list[Entry] = []
    packed: dict[TarFiles, dict[str, list[Entry]]] = {}
    for entry, content in items:
        if isinstance(content, InTar):
            packed.setdefault(content.tar, {}).setdefault(content.path, []).append(entry)
        elif entry.kind == "hardlink":
            links.append(entry)
        else:
            writer.put(entry, content)
    for tar, files in packed.items():
        while files:
            # Once, unless the same file goes to several places.
            for path, _, data in tar.read(list(files)):
                writer.stream(files[path].pop(), data)
            files = {path: more for path, more in files.items() if more}
    for entry in links:
        writer.put(entry, None)
    writer.end()


class _Writer:
    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._held = bytearray()

    def put(self, entry: Entry, content: Content) -> None:
        self._add(header(entry))
        if entry.kind != "file":
            return
        left = entry.size
        try:
            for piece in pieces(content):
                left -= len(piece)
                self._add(piece)
        except OSError as error:
            raise refused(error) from error
        self._pad(entry, left)

    def stream(self, entry: Entry, data: BinaryIO) -> None:
        self._add(header(entry))
        left = entry.size
        while piece := data.read(_HELD):
            left -= len(piece)
            self._add(piece)
        self._pad(entry, left)

    def end(self) -> None:
        self._add(END)
        self._sink.write(bytes(self._held))

    def _pad(self, entry: Entry, left: int) -> None:
        if left:
            raise KezuriError.of(f"/{entry.path} has {entry.size - left} bytes instead of {entry.size}")
        self._add(PADDING[-entry.size % 512])

    def _add(self, data: bytes) -> None:
        self._held += data
        if len(self._held) >= _HELD:
            self._sink.write(bytes(self._held))
            self._held.clear()
