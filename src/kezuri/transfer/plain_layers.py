"""An image whose zstd layers are given as plain ones, for programs that cannot read zstd."""

import os
from collections.abc import Iterable
from hashlib import sha256
from typing import IO, cast

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import LAYER, MANIFEST, Descriptor, Manifest, canonical, digest_of
from kezuri.registry.image import Document
from kezuri.registry.sink import BlobSink
from kezuri.store.archive_file import Window, nameless_file, spool_directory
from kezuri.transfer.doors import Progress, Source
from kezuri.transfer.pouring import pour
from kezuri.transfer.walking import config_of

_CHUNK = 1 << 20


class PlainLayers:
    """A source over another one. Use `close` when nothing is read from it any more: it holds a file without a name for
    each layer that was decompressed."""

    def __init__(self, source: Source) -> None:
        self.where = source.where
        self._source = source
        self._files: dict[str, tuple[int, int]] = {}

    def close(self) -> None:
        """Let go of the files."""
        while self._files:
            os.close(self._files.popitem()[1][0])

    def manifest(self, document: Document) -> Document:
        """The manifest with plain layers in the place of zstd ones; the same one when it has none. The image keeps its
        config, and so its id."""
        content = document.content
        assert isinstance(content, Manifest)
        if not any(layer.media_type.endswith("zstd") for layer in content.layers):
            return document
        config = config_of(self._source, content)
        if len(config.diff_ids) != len(content.layers):
            raise KezuriError.of(f"{self.where}: its config and its manifest do not agree", exit_code=125)
        layers = tuple(
            self._plain(layer, diff_id) if layer.media_type.endswith("zstd") else layer
            for layer, diff_id in zip(content.layers, config.diff_ids)
        )
        made = content._replace(layers=layers, media_type=MANIFEST)
        raw = canonical(made.to_json())
        descriptor = document.descriptor._replace(media_type=MANIFEST, digest=digest_of(raw), size=len(raw))
        return Document(descriptor, raw, made)

    def root(self) -> Document:
        """The root of the other source."""
        return self._source.root()

    def document(self, descriptor: Descriptor) -> Document:
        """A document of the other source."""
        return self._source.document(descriptor)

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob's bytes."""
        found = self._files.get(descriptor.digest)
        if found is None:
            return self._source.open(descriptor)
        return cast(IO[bytes], Window(found[0], 0, found[1], self.where))

    def prepare(self, descriptors: tuple[Descriptor, ...], progress: Progress) -> None:
        """Have those blobs at hand that the other source gives."""
        self._source.prepare(tuple(d for d in descriptors if d.digest not in self._files), progress)

    def bring(self, descriptors: Iterable[Descriptor], sink: BlobSink, progress: Progress) -> None:
        """Copy blobs into the sink."""
        pour(self.open, descriptors, sink, progress, self.where)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """None: what refers to the image refers to the one with other layers."""
        return ()

    def _plain(self, layer: Descriptor, diff_id: str) -> Descriptor:
        """The layer decompressed into a file, which must have the digest that the image's config names."""
        from kezuri.layer.decompression import decompress
        from kezuri.linux.descriptors import write_all

        if diff_id not in self._files:
            descriptor = nameless_file(spool_directory())
            try:
                hashed, size = sha256(), 0
                with self._source.open(layer) as file:
                    plain = decompress(file, self.where)  # type: ignore[arg-type]
                    while piece := plain.read(_CHUNK):
                        hashed.update(piece)
                        size += len(piece)
                        write_all(descriptor, piece)
                if "sha256:" + hashed.hexdigest() != diff_id:
                    raise KezuriError.of(
                        f"{self.where}: the layer {layer.digest} is not the one that the image's config names",
                        exit_code=125,
                    )
            except OSError as error:
                os.close(descriptor)
                raise KezuriError.of(
                    f"{self.where}: no room for a layer in {spool_directory()}: {error.strerror}",
                    hint="TMPDIR names another directory",
                    exit_code=125,
                ) from error
            except BaseException:
                os.close(descriptor)
                raise
            self._files[diff_id] = (descriptor, size)
        return Descriptor(LAYER, diff_id, self._files[diff_id][1])
