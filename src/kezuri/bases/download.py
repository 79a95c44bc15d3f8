"""Files fetched over HTTP into a directory, under their digest, verified when they come and whenever they are used."""

import contextlib
import hashlib
import os
import threading
from typing import IO

from kezuri.diagnostics import KezuriError
from kezuri.linux.replacement import replacement
from kezuri.registry.origin import Origin
from kezuri.registry.redirects import Terms, follow
from kezuri.registry.retry import Backoff, Clock, Patience, passing, retry_after
from kezuri.registry.wire import Answer, Pace, Request, Transport, TransportError

_TRIES = 3
_PACE = Pace(head=40.0, idle=30.0)
_CHUNK = 1 << 18
_STALE = 86400


class Unreachable(KezuriError):
    """A server did not answer, or not with what was asked for."""


class NotThere(Unreachable):
    """The server says that it has no such file."""


class Downloads:
    """Fetches files over a transport.

    `directory` is made when missing; files lie in it as `<sha256>`. `advice` is the hint of errors that another server
    would mend. Safe to use from several threads.
    """

    def __init__(self, directory: str, transport: Transport, advice: str) -> None:
        self._directory = directory
        self._transport = transport
        self._advice = advice
        self._backoff = Backoff(Clock())
        self._stop = threading.Event()
        os.makedirs(directory, exist_ok=True)
        self._sweep()

    def file(self, url: str, sha256: str, size: int) -> str:
        """The path of the file with this digest and size, from the directory or from `url`.

        KezuriError when what arrives is something else."""
        path = os.path.join(self._directory, sha256)
        if self._holds(path, sha256, size):
            return path
        with replacement(path) as out:
            digest = self._copy(url, out, size)
            if out.tell() != size or digest != sha256:
                raise KezuriError.of(
                    f"{url}: {out.tell()} bytes with SHA-256 {digest}, but it must have {size} bytes with {sha256}",
                    hint="the server, or a proxy before it, serves something else than what was published:"
                    f" try again; {self._advice}",
                )
        return path

    def text(self, url: str, most: int) -> bytes:
        """A small file's content, at most `most` bytes, not kept."""
        from io import BytesIO

        out = BytesIO()
        self._copy(url, out, most)
        return out.getvalue()

    def _holds(self, path: str, sha256: str, size: int) -> bool:
        try:
            with open(path, "rb") as file:
                if (
                    os.fstat(file.fileno()).st_size == size
                    and hashlib.file_digest(file, "sha256").hexdigest() == sha256
                ):
                    return True
        except FileNotFoundError:
            return False
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return False

    def _sweep(self) -> None:
        """Removes what killed downloads have left, once nobody can be writing it any more."""
        from time import time

        for entry in os.scandir(self._directory):
            with contextlib.suppress(FileNotFoundError):
                if entry.name.endswith(".part") and entry.stat().st_mtime < time() - _STALE:
                    os.unlink(entry.path)

    def _copy(self, url: str, out: IO[bytes], most: int) -> str:
        """Writes the body of `url` to `out`, which is begun anew on every attempt; its SHA-256 in hex."""
        host = Origin.of(url).netloc
        patience = Patience(self._backoff, _TRIES, self._stop)
        while True:
            self._backoff.ready(host, self._stop)
            out.seek(0)
            out.truncate()
            try:
                with self._follow(url) as answer:
                    if answer.status == 200:
                        return _pour(answer, out, url, most)
                    status = answer.status
                    after = retry_after(answer.headers.get("retry-after"), self._backoff.clock.date())
            except TransportError as error:
                if not patience.again(host, error.kind):
                    raise self._unreachable(url, error) from None
                continue
            why = f"cannot fetch {url}: the server answered {status}"
            if status in (404, 410):
                raise NotThere.of(why)
            if not passing(status) or not patience.again(host, "", after):
                raise Unreachable.of(why, hint=self._advice)

    def _follow(self, url: str) -> Answer:
        """The answer at the end of all redirects."""
        return follow(self._transport, Request("GET", url, {"Accept": "*/*"}, pace=_PACE), Terms())[0]

    def _unreachable(self, url: str, error: TransportError) -> KezuriError:
        if error.kind == "certificate":
            return Unreachable.of(
                f"cannot fetch {url}: its certificate is not trusted: {error.message}",
                hint="where the network has its own certificate authority, name its PEM file"
                " with the ca-certificates setting",
            )
        who = f"{error.origin}: " if error.kind == "url" else ""
        return Unreachable.of(f"cannot fetch {url}: {who}{error.message}", hint=self._advice)


def _pour(answer: Answer, out: IO[bytes], url: str, most: int) -> str:
    digest = hashlib.sha256()
    size = 0
    while chunk := answer.read(_CHUNK):
        size += len(chunk)
        if size > most:
            raise KezuriError.of(f"{url}: larger than the {most} bytes that it may have")
        digest.update(chunk)
        out.write(chunk)
    return digest.hexdigest()
