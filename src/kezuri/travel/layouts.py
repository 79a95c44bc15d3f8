"""Caches written into a layout directory, from which blobs are removed that no cache in it names any more."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from time import time
from typing import IO, BinaryIO, Protocol

from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import disk_error
from kezuri.linux.held_file import hold
from kezuri.linux.replacement import replacement
from kezuri.oci.descriptor import (
    INDEXES,
    MANIFEST,
    MOST_BYTES,
    MOST_DEEP,
    REF_NAME,
    Descriptor,
    Index,
    Manifest,
    canonical,
    digest_of,
    read_document,
    valid_digest,
)
from kezuri.store.layout import LayoutDirectory
from kezuri.travel.document import ARTIFACT, CONFIG_TYPE

LEDGER = ".kezuri-cache"
"""The file in a layout that names the blobs which caches have brought there, one digest a line."""

_STALE = 3600.0
"""Seconds after which nobody writes an unfinished file any more."""


class BlobSource(Protocol):
    """Gives blobs that are to be written somewhere."""

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """The blob's bytes; KezuriError when it cannot be had."""
        ...


def manifest_of(config: bytes, blobs: Iterable[Descriptor]) -> bytes:
    """The manifest of a cache whose document is `config`."""
    descriptor = Descriptor(CONFIG_TYPE, digest_of(config), len(config))
    layers = tuple(Descriptor(blob.media_type, blob.digest, blob.size) for blob in blobs)
    document = Manifest(descriptor, layers, MANIFEST).to_json()
    head = {key: document.pop(key) for key in ("schemaVersion", "mediaType")}
    return canonical({**head, "artifactType": ARTIFACT, **document})


class CacheDirectory:
    """A layout directory with caches in it, each under a tag. Two exporters wait for each other.

    Every blob that a cache brings is written down in a ledger first. What the ledger names and nothing in the index
    reaches any more is removed, so that the directory does not grow with every build, also after one that was killed;
    what is not in the ledger is somebody else's and stays.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def write(
        self,
        tag: str,
        config: bytes,
        blobs: tuple[Descriptor, ...],
        source: BlobSource,
        check: Callable[[], None],
        damaged: Collection[str] = (),
    ) -> None:
        """Put a cache in the place of the one with this tag. `check` is called between pieces, and may raise. Blobs
        that lie there already are not written again, but for those that are known to be `damaged`."""
        try:
            layout = LayoutDirectory(self._directory)
            manifest = manifest_of(config, blobs)
            with self._ledger() as ledger:
                for descriptor in blobs:
                    there = descriptor.digest not in damaged
                    if not there or self._size(layout, descriptor.digest) != descriptor.size:
                        _enter(ledger, descriptor.digest)
                        with source.open(descriptor) as file:
                            layout.copy_in(descriptor, file, check)
                for data in (config, manifest):
                    digest = digest_of(data)
                    if self._size(layout, digest) != len(data):
                        _enter(ledger, digest)
                        with layout.blob(digest) as file:
                            file.write(data)
                layout.name(Descriptor(MANIFEST, digest_of(manifest), len(manifest), {REF_NAME: tag}, None, ARTIFACT))
                self._sweep(layout, ledger)
        except OSError as error:
            raise disk_error(error, error.filename or self._directory) from error

    @contextmanager
    def _ledger(self) -> Iterator[BinaryIO]:
        path = os.path.join(self._directory, LEDGER)
        with os.fdopen(hold(path, os.O_CREAT | os.O_APPEND, wait=True), "r+b") as file:
            yield file

    def _size(self, layout: LayoutDirectory, digest: str) -> int:
        try:
            return os.lstat(layout.path(digest)).st_size
        except FileNotFoundError:
            return -1

    def _sweep(self, layout: LayoutDirectory, ledger: BinaryIO) -> None:
        """Remove what the ledger names and the index does not reach. Where something of the index is not understood,
        all stays."""
        ledger.seek(0)
        own = {line for line in ledger.read().decode("ascii", "replace").split("\n") if valid_digest(line)}
        try:
            with open(os.path.join(self._directory, "index.json"), "rb") as file:
                index = Index.parse(file.read(), self._directory)
            kept: set[str] = set()
            for entry in index.manifests:
                self._reach(layout, entry, kept, 0)
        except (KezuriError, OSError):
            return
        self._sweep_unfinished(own)
        for digest in own - kept:
            with suppress(FileNotFoundError):
                os.unlink(layout.path(digest))
        with replacement(os.path.join(self._directory, LEDGER)) as file:
            file.write("".join(f"{digest}\n" for digest in sorted(own & kept)).encode())

    def _sweep_unfinished(self, own: set[str]) -> None:
        """Remove what exporters that were killed have written half. They are named after blobs of the ledger; another
        program that writes the same blob now has touched its file lately."""
        directory = os.path.join(self._directory, "blobs", "sha256")
        with suppress(OSError), os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith(".part") and f"sha256:{entry.name[:64]}" in own:
                    with suppress(OSError):
                        if time() - entry.stat(follow_symlinks=False).st_mtime > _STALE:
                            os.unlink(entry.path)

    def _reach(self, layout: LayoutDirectory, entry: Descriptor, kept: set[str], depth: int) -> None:
        kept.add(entry.digest)
        with open(layout.path(entry.digest), "rb") as file:
            content = read_document(file.read(MOST_BYTES), self._directory)
        if isinstance(content, Index):
            if depth > MOST_DEEP:
                raise KezuriError.of(f"{self._directory}: indexes nested more than {MOST_DEEP} deep")
            for child in content.manifests:
                if child.media_type in INDEXES or os.path.exists(layout.path(child.digest)):
                    self._reach(layout, child, kept, depth + 1)
            return
        kept.add(content.config.digest)
        kept.update(layer.digest for layer in content.layers)


def _enter(ledger: BinaryIO, digest: str) -> None:
    ledger.write(f"{digest}\n".encode())
    ledger.flush()
