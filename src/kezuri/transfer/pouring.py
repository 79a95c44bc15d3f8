"""Blobs of this machine poured into a sink, one after another."""

from collections.abc import Callable, Iterable
from typing import IO

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor
from kezuri.registry.sink import BlobSink
from kezuri.transfer.doors import Progress

_CHUNK = 1 << 20


def pour(
    open_blob: Callable[[Descriptor], IO[bytes]],
    descriptors: Iterable[Descriptor],
    sink: BlobSink,
    progress: Progress,
    where: str,
) -> None:
    """Copy the blobs that the sink does not have; the sink verifies them. KezuriError, naming `where`, for one that has
    other bytes than its digest says."""
    for descriptor in descriptors:
        if not sink.has(descriptor.digest):
            with open_blob(descriptor) as file, sink.writer(descriptor) as writer:
                writer.restart()
                rest = descriptor.size
                try:
                    while rest and (piece := file.read(min(_CHUNK, rest))):
                        writer.write(piece)
                        rest -= len(piece)
                        progress(descriptor, descriptor.size - rest, descriptor.size)
                    writer.commit()
                except KezuriError as error:
                    writer.restart()  # half a copy of a local file is not worth keeping
                    if error.__cause__ is None:
                        raise damaged(descriptor, where) from None
                    raise
                except BaseException:
                    writer.restart()
                    raise
        progress(descriptor, descriptor.size, descriptor.size)


def damaged(descriptor: Descriptor, where: str) -> KezuriError:
    """The error for a blob that has not the bytes that its digest names."""
    return KezuriError.of(
        f"{where}: the blob {descriptor.digest} is damaged: its bytes have another digest or another size",
        hint="nothing of it was kept; have the image made or saved anew",
        exit_code=125,
    )
