"""What an image can be copied from and to: the two doors, and what passes through them."""

from collections.abc import Callable, Iterable
from typing import IO, Protocol

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor
from kezuri.registry.image import Document
from kezuri.registry.sink import BlobSink

Progress = Callable[[Descriptor, int, int], None]
"""Hears of a blob how many of its bytes are there. Threads may call it."""


class Source(Protocol):
    """One image, wherever it is. `where` is what errors call it."""

    @property
    def where(self) -> str: ...

    def root(self) -> Document:
        """The manifest or index that was asked for."""
        ...

    def document(self, descriptor: Descriptor) -> Document:
        """A manifest or index that the root leads to, verified; Absent when the source does not have it."""
        ...

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob's bytes, which are for the caller to verify."""
        ...

    def prepare(self, descriptors: tuple[Descriptor, ...], progress: Progress) -> None:
        """Have blobs at hand that will be opened one after another."""
        ...

    def bring(self, descriptors: Iterable[Descriptor], sink: BlobSink, progress: Progress) -> None:
        """Copy blobs into a sink, which verifies them."""
        ...

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """What refers to a manifest or index by its `subject`."""
        ...


class Destination(Protocol):
    """Where one image goes. The calls come in this order: `take`, `put` for each document below the root, `finish`."""

    @property
    def single(self) -> bool:
        """Whether it can hold the image of one platform only."""
        ...

    def take(self, source: Source, blobs: tuple[Descriptor, ...], progress: Progress) -> int:
        """Take the blobs that are not there yet; how many were there."""
        ...

    def put(self, document: Document) -> None:
        """Take a manifest or index that the root leads to, or that refers to it."""
        ...

    def finish(self, document: Document) -> None:
        """Take the root, and let the name stand for it."""
        ...


class Absent(KezuriError):
    """A document or blob is named by a source which does not have it."""
