"""One blob, read while it comes and kept nowhere."""

import io
from collections.abc import Callable
from hashlib import sha256

from kezuri.oci import Descriptor
from kezuri.registry.exchange import Ask
from kezuri.registry.failure import Refused, WrongBytes
from kezuri.registry.place import Place
from kezuri.registry.ranges import CHUNK, WORTH_WHILE, Mistaken, asking_from, begins, continues
from kezuri.registry.retry import Stall, Stopped
from kezuri.registry.wire import Answer, TransportError


class BlobStream(io.RawIOBase):
    """The bytes of one blob, in order, as somebody asks for them; to be used in a `with`, which ends the transfer.

    A connection that breaks is gone on with by a range request, as often as `patience` allows. Every byte is hashed:
    the end is given out only when the size and the digest are those of the descriptor. Of a stream that nobody reads to
    its end nothing is proved. `read` raises what `failed` makes of a TransportError, Refused, WrongBytes or Stopped.
    """

    def __init__(
        self,
        place: Place,
        descriptor: Descriptor,
        failed: Callable[[TransportError | Refused | WrongBytes | Stopped], Exception],
        count: Callable[[int], None],
    ) -> None:
        """`count` hears of every piece that came, in bytes."""
        self._place = place
        self._descriptor = descriptor
        self._ask = Ask(place.endpoint, f"blobs/{descriptor.digest}", document=False)
        self._host = place.host
        self._patience = place.patience()
        self._failed = failed
        self._count = count
        self._hash = sha256()
        self._stall = Stall(self._patience.backoff.clock.now)
        self._answer: Answer | None = None
        self._offset = 0
        self._resumed = 0
        self._ranges = True
        self.verified = False
        """Whether the whole blob was read, and is the one that was asked for."""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """End the transfer: the connection is cut when bytes are still to come."""
        self._hang_up()
        super().close()

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes (a quarter of a megabyte when nothing is said); none at the blob's end."""
        wanted = CHUNK if size is None or size < 0 else size
        if self.verified or not wanted:
            return b""
        try:
            return self._next(min(wanted, CHUNK))
        except (TransportError, Refused, WrongBytes, Stopped) as error:
            raise self._failed(error) from None

    def _next(self, most: int) -> bytes:
        whole = self._descriptor.size
        while True:
            try:
                if self._answer is None and (self._offset < whole or not whole):
                    self.dial()
                # One byte more than is wanted shows a body that is too long.
                piece = self._answer.read(min(most, whole - self._offset + 1)) if self._answer is not None else b""
                if not piece and self._offset < whole:
                    raise TransportError("cut", self._host, "the connection ended early")
                if self._patience.stop.is_set():
                    raise Stopped
                self._stall.check(len(piece), self._host)
            except Refused as error:
                if error.failure.status != 416 or not self._ranges or not self._offset:
                    raise
                self._ranges = False
                continue
            except TransportError as error:
                self._hang_up()
                if self._offset - self._resumed >= WORTH_WHILE:
                    self._patience.progressed()
                self._resumed = self._offset
                if not self._patience.again(self._host, error.kind):
                    raise
                self._patience.backoff.ready(self._host, self._patience.stop)
                continue
            break
        self._offset += len(piece)
        if self._offset > whole:
            raise self._wrong(f"more than {whole} bytes")
        self._hash.update(piece)
        self._count(len(piece))
        if not piece:
            own = "sha256:" + self._hash.hexdigest()
            if own != self._descriptor.digest:
                raise self._wrong(f"its digest is {own}")
            self.verified = True
            self._hang_up()
        return piece

    def dial(self) -> None:
        """Ask for what is still to come, which `read` does by itself. Where the server begins anew, the bytes that are
        known are passed over. TransportError, Refused or WrongBytes."""
        try:
            self._dial()
        except Mistaken as error:
            raise self._wrong(str(error)) from None
        except BaseException:
            self._hang_up()
            raise

    def _dial(self) -> None:
        start, whole = self._offset, self._descriptor.size
        self._stall = Stall(self._patience.backoff.clock.now)
        headers = asking_from(start, whole) if self._ranges else {}
        answer = self._place.open(self._ask._replace(headers=headers), self._patience)
        answer.__enter__()
        self._answer = answer
        if start and continues(answer, start, whole):
            return
        begins(answer, whole)
        known, again = start, sha256()
        while known:
            piece = answer.read(min(known, CHUNK))
            if not piece:
                raise TransportError("cut", self._host, "the connection ended early")
            again.update(piece)
            self._count(len(piece))
            known -= len(piece)
        if start and again.digest() != self._hash.digest():
            raise Mistaken(f"its first {start} bytes were others a moment ago")

    def _wrong(self, why: str) -> WrongBytes:
        self._hang_up()
        return WrongBytes(f"blob {self._descriptor.digest} from {self._host} is wrong: {why}")

    def _hang_up(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.__exit__(None, None, None)
