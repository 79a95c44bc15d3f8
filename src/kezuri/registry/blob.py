"""One blob, streamed, checked, and gone on with where it broke off."""

from kezuri.diagnostics import KezuriError
from kezuri.oci import Descriptor
from kezuri.registry.exchange import Ask
from kezuri.registry.failure import Refused, WrongBytes
from kezuri.registry.place import Place
from kezuri.registry.ranges import CHUNK, WORTH_WHILE, Mistaken, asking_from, begins, continues
from kezuri.registry.retry import Patience, Stall, Stopped
from kezuri.registry.sink import BlobWriter, MemorySink, Progress
from kezuri.registry.wire import Answer, TransportError


def download(
    place: Place,
    descriptor: Descriptor,
    writer: BlobWriter,
    progress: Progress | None = None,
    *,
    document: bool = False,
) -> None:
    """Bring the blob into the writer and commit it; a `document` has to come within the time of one.

    A connection that breaks is gone on with by a range request, as often as patience allows; content that is wrong is
    fetched once more from the start. Raises WrongBytes when it is wrong again, TransportError or Refused when it does
    not come, Stopped when the work is called off.
    """
    digest, size = descriptor.digest, descriptor.size
    ask = Ask(place.endpoint, f"blobs/{digest}", document=document)
    host, patience = place.host, place.patience()
    kept = writer.offset > 0
    ranges, wrong = True, ""
    while True:
        if writer.offset > size or (writer.offset and not ranges):
            writer.restart()
            kept = False
        why = ""
        # When all bytes are there already nothing is asked for: to a range that begins at the blob's end some
        # registries answer 416 and announce a body that they never send.
        if writer.offset < size or size == 0:
            start = writer.offset
            try:
                with place.open(ask._replace(headers=asking_from(start, size)), patience) as answer:
                    if start and not continues(answer, start, size):
                        writer.restart()
                        kept = False
                    _pour(answer, writer, size, host, patience, progress)
            except TransportError as error:
                if writer.offset - start >= WORTH_WHILE:
                    patience.progressed()
                if not patience.again(host, error.kind):
                    raise
                continue
            except Refused as error:
                if error.failure.status == 416 and start and ranges:
                    ranges = False
                    continue
                raise
            except Mistaken as error:
                why = str(error)
            else:
                if writer.offset < size and answer.status == 206:
                    # A server may give less of a range than was asked for; the rest is asked for next.
                    if writer.offset - start >= WORTH_WHILE:
                        patience.progressed()
                    elif not patience.again(host):
                        raise TransportError("cut", host, "answers ranges in crumbs")
                    continue
        if not why and writer.offset != size:
            why = f"{writer.offset} bytes instead of {size}"
        if not why:
            try:
                writer.commit()  # It knows the digest of what it was given.
                return
            except KezuriError as error:
                if error.__cause__ is not None:  # the disk's fault, not the content's
                    raise
                fits = "what was kept from an earlier attempt does not fit"
                why = fits if kept else "its bytes have another digest"
        if wrong:
            writer.restart()  # the next attempt shall not go on from wrong bytes
            raise WrongBytes(f"blob {digest} from {host} is wrong twice: {wrong}; then {why}")
        wrong = why
        ranges = kept = False
        if writer.offset:
            writer.restart()


def read_small(place: Place, descriptor: Descriptor) -> bytes:
    """A document that is kept as a blob, such as a config. Raises what `download` does."""
    sink = MemorySink()
    with sink.writer(descriptor) as writer:
        download(place, descriptor, writer, document=True)
    return sink.blobs[descriptor.digest]


def _pour(
    answer: Answer,
    writer: BlobWriter,
    size: int,
    host: str,
    patience: Patience,
    progress: Progress | None,
) -> None:
    if answer.status != 206:
        begins(answer, size)
    endless = answer.headers.length() is None and "chunked" not in answer.headers.get("transfer-encoding").lower()
    stall = Stall(patience.backoff.clock.now)
    while True:
        if patience.stop.is_set():
            raise Stopped
        rest = size - writer.offset
        # One byte more than is wanted shows a body that is too long.
        piece = answer.read(min(CHUNK, rest + 1) if rest < CHUNK else CHUNK)
        if not piece:
            # A body with neither a length nor chunks ends when the connection does, so a broken connection cannot be
            # told from the end: whatever is too short counts as broken, and is asked for again.
            if rest and endless:
                raise TransportError("cut", host, "the connection ended early")
            return
        if len(piece) > rest:
            raise Mistaken(f"more than {size} bytes")
        writer.write(piece)
        if progress is not None:
            progress(writer.offset, size)
        stall.check(len(piece), host)
