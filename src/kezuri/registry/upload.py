"""One blob, brought into a repository: found there, mounted from another one, or sent in one piece."""

import threading
from collections.abc import Iterable, Iterator
from typing import IO, Literal, Protocol

from kezuri.diagnostics import KezuriError
from kezuri.oci import Descriptor
from kezuri.oci.descriptor import valid_digest
from kezuri.registry.exchange import Ask
from kezuri.registry.failure import Failure, Refused, weigh
from kezuri.registry.place import Place
from kezuri.registry.redirects import Hop
from kezuri.registry.retry import Patience, Stopped
from kezuri.registry.sink import Progress
from kezuri.registry.wire import TransportError

Uploaded = Literal["there", "mounted", "sent"]
"""How a blob came to be in a repository."""

_PIECE = 128 << 10
_SOURCES = 3
"""From how many repositories a mount is tried."""
_LOST = ("BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")
_DAMAGED = ("DIGEST_INVALID", "SIZE_INVALID")


class BlobSource(Protocol):
    """Has blobs. Threads may share one."""

    def open(self, descriptor: Descriptor, /) -> IO[bytes]:
        """The blob from its start; to be closed by the caller. KezuriError when it is not there."""
        ...


class Body:
    """A blob as the body of a request: read anew each time it is iterated over. KezuriError where it cannot be read or
    is not as long as it should be, Stopped when the work is called off."""

    def __init__(
        self, source: BlobSource, descriptor: Descriptor, stop: threading.Event, progress: Progress | None = None
    ) -> None:
        self._source = source
        self._descriptor = descriptor
        self._stop = stop
        self._progress = progress

    def __iter__(self) -> Iterator[bytes]:
        size = self._descriptor.size
        sent = 0
        with self._source.open(self._descriptor) as file:
            while sent < size:
                if self._stop.is_set():
                    raise Stopped
                try:
                    piece = file.read(min(_PIECE, size - sent))
                except OSError as error:
                    raise _unreadable(self._descriptor, error.strerror or "cannot be read") from error
                if not piece:
                    raise _unreadable(self._descriptor, f"has {sent} bytes instead of {size}")
                sent += len(piece)
                yield piece
                if self._progress is not None:
                    self._progress(sent, size)


class Upload:
    """Brings blobs into a repository. There is no going on with an upload that broke: registries differ in what they
    make of it. So whenever something went wrong the blob is asked for, and sent anew if it is not there."""

    def __init__(self, place: Place, source: BlobSource) -> None:
        self._place = place
        self._source = source

    def bring(self, descriptor: Descriptor, known_in: Iterable[str] = (), progress: Progress | None = None) -> Uploaded:
        """Have the blob in the repository. `known_in` are paths of repositories at the same registry that have it.
        TransportError or Refused when it cannot be done, KezuriError when the blob cannot be read."""
        if not valid_digest(descriptor.digest):
            raise KezuriError.of(f"not a sha256 digest: {descriptor.digest!r}", exit_code=125)
        patience = self._place.patience()
        if self._is_there(descriptor, patience):
            return "there"
        at: Hop | None = None
        for path in [p for p in known_in if p != self._place.endpoint.path][:_SOURCES]:
            mounted, at = self._mount(descriptor, path)
            if mounted:
                return "mounted"
            if at is not None:
                break  # An upload was begun instead; another try would leave it lying there.
        body = Body(self._source, descriptor, self._place.stop, progress)
        damaged = False
        while True:
            if at is None:
                at = begin(self._place, patience)
            try:
                self._send(descriptor, body, at, patience)
                return "sent"
            except TransportError as error:
                if not patience.again(self._place.host, error.kind):
                    raise
            except Refused as error:
                failure = error.failure
                if any(code in _DAMAGED for code in failure.codes) and not damaged:
                    damaged = True
                    self._examine(descriptor)
                elif not _is_lost(failure):
                    weigh(failure, self._place.host, patience)
                elif not patience.again(self._place.host):
                    raise
            at = None
            if self._is_there(descriptor, patience):
                return "sent"

    def _is_there(self, descriptor: Descriptor, patience: Patience) -> bool:
        try:
            with self._place.open(self._place.ask("HEAD", f"blobs/{descriptor.digest}"), patience):
                return True
        except Refused as error:
            if error.failure.status == 404:
                return False
            raise

    def _mount(self, descriptor: Descriptor, path: str) -> tuple[bool, Hop | None]:
        """Whether another repository's blob is in this one now, or where it may be sent to otherwise."""
        from urllib.parse import quote

        query = f"mount={quote(descriptor.digest, safe='')}&from={quote(path, safe='/')}"
        ask = self._place.ask("POST", f"blobs/uploads/?{query}")._replace(others=(path,), body=b"", once=True)
        try:
            answer, hop = self._place.reach(ask, self._place.patience())
        except (Refused, TransportError):
            return False, None  # A registry need not let us; the upload tells what is really wrong.
        with answer:
            if answer.status == 201:
                return True, None
            location = answer.headers.get("location")
            return False, self._onward(hop, location) if location else None

    def _onward(self, hop: Hop, location: str) -> Hop:
        return hop.onward(location, self._place.exchanges.terms(self._place.endpoint))

    def _send(self, descriptor: Descriptor, body: Body, at: Hop, patience: Patience) -> None:
        mark = "&" if "?" in at.url else "?"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(descriptor.size)}
        ask = Ask(
            self._place.endpoint,
            "",
            "PUT",
            headers,
            "pull,push",
            document=False,
            body=body,
            at=at._replace(url=f"{at.url}{mark}digest={descriptor.digest.replace(':', '%3A')}"),
            once=True,
        )
        with self._place.open(ask, patience):
            pass

    def _examine(self, descriptor: Descriptor) -> None:
        """KezuriError when it is our blob that is damaged, rather than what arrived of it."""
        from hashlib import sha256

        hashed = sha256()
        for piece in Body(self._source, descriptor, self._place.stop):
            hashed.update(piece)
        if f"sha256:{hashed.hexdigest()}" != descriptor.digest:
            raise _unreadable(descriptor, f"is damaged: its bytes have the digest sha256:{hashed.hexdigest()}")


def begin(place: Place, patience: Patience) -> Hop:
    """Begin an upload: where it goes. Refused where nothing may be written."""
    answer, hop = place.reach(place.ask("POST", "blobs/uploads/")._replace(body=b""), patience)
    with answer:
        location = answer.headers.get("location")
    if not location:
        raise TransportError("url", place.host, f"answers {answer.status} and does not say where a blob is to go")
    return hop.onward(location, place.exchanges.terms(place.endpoint))


def probe(place: Place) -> None:
    """Find out whether something may be written, by an upload that is begun and called off. TransportError or Refused
    when not."""
    patience = place.patience()
    at = begin(place, patience)
    ask = Ask(place.endpoint, "", "DELETE", actions="pull,push", at=at, once=True)
    try:
        with place.open(ask, patience):
            pass
    except (Refused, TransportError):
        pass  # Not every registry can call an upload off; those forget it after a while.


def _is_lost(failure: Failure) -> bool:
    """Whether the registry knows nothing of the upload: a new one may come to a better end."""
    return failure.status == 404 or any(code in _LOST for code in failure.codes)


def _unreadable(descriptor: Descriptor, why: str) -> KezuriError:
    return KezuriError.of(f"blob {descriptor.digest} {why}: it cannot be pushed", exit_code=125)
