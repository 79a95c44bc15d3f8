"""The files of an image that is elsewhere: its layers are read where they are, and none of them is kept."""

import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from hashlib import sha256
from types import TracebackType
from typing import IO, BinaryIO, Protocol, Self, cast

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor
from kezuri.registry.sink import DirectorySink
from kezuri.tree.layers import LayerForm
from kezuri.tree.streamed import Descent, StreamedLayer
from kezuri.tree.tree import Found, Tree


class Source(Protocol):
    """Where the layers of one image are."""

    def open(self, layer: Descriptor) -> BinaryIO:
        """A layer's bytes as they come, from the first one on. Read to their end they are proved to be the layer."""
        ...

    def fetch(self, layers: Sequence[Descriptor], sink: DirectorySink) -> None:
        """Bring whole layers into a sink. KezuriError when they cannot be had."""
        ...


class DistantFiles:
    """An image's files; to be used in a `with`. A single file is found by reading layers from the uppermost one on, as
    far as needed. Of a directory every layer that it is made up of is read; where its files are wanted, too, those
    layers lie in `scratch`, a directory that is given, meanwhile."""

    def __init__(self, name: str, layers: Sequence[Descriptor], source: Source, scratch: str) -> None:
        self.name = name
        self.scratch = scratch
        self._source = source
        self._layers = tuple(layers)
        self._sink = DirectorySink(scratch)
        self._streams = [StreamedLayer(self.opener(layer), f"layer {layer.digest}") for layer in layers]
        self._descent = Descent(self._streams)
        self._held = ExitStack()

    def __enter__(self) -> Self:
        for stream in self._streams:
            self._held.enter_context(stream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def resolve(self, path: str, last: bool = True) -> str:
        """The path with its links followed within the image, the one at its end only if `last`."""
        return self._descent.resolve(path, last)

    def stat(self, path: str) -> Found | None:
        """What is at exactly this path."""
        return self._descent.stat(path)

    def tree(self, path: str, contents: bool) -> Tree:
        """A tree that shows what the directory at this path has; `contents`: somebody is going to read its files."""
        from kezuri.tree.stack import StackView

        if not contents:
            return StackView([stream.listed() for stream in self._descent.reaching(path)], self.name)
        if not path:
            self.bring(self._layers)
        reached = self._descent.reaching(path, self._brought)
        for stream in reached:
            if stream.has_files(path):
                self._bring(stream)
        return StackView([stream.listed() for stream in reached], self.name)

    def whole(self) -> tuple[LayerForm, ...]:
        """Every layer with all that it has, lowest first, brought before and read to its end."""
        self.bring(self._layers)
        return tuple(map(_listed, self._streams))

    def prove(self) -> None:
        """Read every layer that was begun to its end: KezuriError when one is not what its digest says."""
        for stream in self._streams:
            if stream.begun:
                stream.finish()

    def _brought(self, stream: StreamedLayer) -> None:
        """Make sure that what is still to be read of a layer is not read twice."""
        if not stream.ended:
            self._bring(stream)
            stream.restart()

    def _bring(self, stream: StreamedLayer) -> None:
        layer = self._layers[self._streams.index(stream)]
        if not self._sink.has(layer.digest):
            self._source.fetch([layer], self._sink)

    def bring(self, layers: Sequence[Descriptor]) -> None:
        """Have these layers at hand, several at a time: `opener` then reads nothing over a network."""
        self._source.fetch([layer for layer in layers if not self._sink.has(layer.digest)], self._sink)

    def opener(self, layer: Descriptor) -> Callable[[], BinaryIO]:
        """What opens a layer's blob: the one that was brought, else where it is."""

        def opened() -> BinaryIO:
            if self._sink.has(layer.digest):
                return cast(BinaryIO, open(self._sink.path(layer.digest), "rb", buffering=0))
            return self._source.open(layer)

        return opened


def _listed(stream: StreamedLayer) -> LayerForm:
    """The layer's listing alone, which is all that is kept of what was read."""
    listed = stream.listed()
    stream.restart()
    return listed


class Checked(io.RawIOBase):
    """The bytes of a blob of this machine: its end is given out only where size and digest are right."""

    def __init__(self, stream: IO[bytes], descriptor: Descriptor, where: str) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._where = where
        self._hash = sha256()
        self._left = descriptor.size

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Close what it reads."""
        self._stream.close()
        super().close()

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes, 1 MiB when nothing is said."""
        piece = self._stream.read(1 << 20 if size is None or size < 0 else size)
        self._hash.update(piece)
        self._left -= len(piece)
        digest = self._descriptor.digest
        if self._left < 0 or (not piece and (self._left or "sha256:" + self._hash.hexdigest() != digest)):
            raise KezuriError.of(f"{self._where}: the blob {digest} is damaged", exit_code=125)
        return piece
