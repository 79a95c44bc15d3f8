"""Files at URLs: downloaded once, kept by their content, and asked after again only as far as that is needed."""

import os
import threading
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import NamedTuple, Protocol

from kezuri.diagnostics import KezuriError
from kezuri.plan.inputs import UrlSource
from kezuri.registry.failure import redact
from kezuri.registry.retry import Stall, Stopped
from kezuri.registry.wire import Answer, TransportError
from kezuri.source.http_exchange import HttpExchange, Wanted
from kezuri.store.blobs import BlobWriter
from kezuri.store.facts import Download
from kezuri.store.store import Store

_CHUNK = 256 << 10

Progress = Callable[[int, int], None]
"""Told how many bytes came of how many; the latter is 0 where it is not known."""


class Downloaded(NamedTuple):
    """A file that is in the store: the digest of its content, its size in bytes, and Last-Modified as it was said."""

    digest: str
    size: int
    modified: str

    @property
    def mtime(self) -> int:
        """When it was last modified, in nanoseconds since the epoch; 0 where nobody said."""
        return _seconds(self.modified) * 1_000_000_000


class Told(Protocol):
    """Somebody who is told how a download goes."""

    def begin(self) -> None:
        """The network is asked."""

    def progress(self, current: int, total: int) -> None:
        """So many bytes came, of so many (0: unknown)."""

    def unchanged(self) -> None:
        """What is in the store is still what is there."""


class Downloads:
    """Brings files into a store.

    What a URL gave last is remembered with its ETag; the next build asks whether it is still that, and believes the
    server's "not modified", or the same strong ETag. A date and a length that are the same prove nothing: a file is
    replaced within a second, or with its date kept. So, as in BuildKit, what has no ETag is fetched again.
    """

    def __init__(
        self,
        store: Store,
        exchange: Callable[[], HttpExchange],
        secret: Callable[[str], bytes | None],
        cancel: threading.Event,
    ) -> None:
        """`exchange` is called when the network is needed; `secret` gives the value of a secret of the build."""
        self._store = store
        self._exchange = exchange
        self._secret = secret
        self._cancel = cancel

    def known(self, source: UrlSource) -> Downloaded | None:
        """What is in the store for a source whose content is pinned; None when the network has to be asked."""
        if not source.checksum:
            return None
        facts = self._store.database.facts
        found = facts.pinned(source.name, source.checksum)
        known = self._recall(found)
        if found is not None and known is not None:
            facts.put_pinned(source.name, found)
        return known

    def get(self, source: UrlSource, told: Told) -> Downloaded:
        """The file, as it is now. KezuriError when it does not come, or is not the one it has to be."""
        known = self.known(source)
        if known is not None:
            return known
        told.begin()
        url = sha256(source.url.encode("utf-8", "surrogateescape")).hexdigest()
        facts = self._store.database.facts
        record = facts.download(url)
        last = self._recall(record) if not source.checksum else None
        headers = {"Accept": "*/*", "Accept-Encoding": "gzip"}
        if last is not None and record is not None:
            facts.put_download(url, record)
            if record.etag:
                headers["If-None-Match"] = record.etag
        wanted = Wanted(source.url, headers, self._authorization(source), bool(source.checksum))

        def take(answer: Answer) -> Downloaded:
            if last is not None and record is not None and _same(answer, record):
                told.unchanged()
                return last
            if answer.status != 200 and (answer.status == 304 or answer.status == 206):
                raise KezuriError.of(
                    f"{wanted.shown} cannot be downloaded: its host answers {answer.status} to what was not asked"
                )
            return self._receive(answer, source, wanted, url, told)

        return self._exchange().get(wanted, take)

    def path(self, digest: str) -> str:
        """Where the content is."""
        return self._store.blobs.path(digest)

    def _receive(self, answer: Answer, source: UrlSource, wanted: Wanted, url: str, told: Told) -> Downloaded:
        hashed = sha256()
        with self._store.blobs.writer(hashed=True) as writer:
            self._pour(answer, wanted, writer, hashed.update, told)
            digest = f"sha256:{hashed.hexdigest()}"
            if source.checksum and digest != source.checksum:
                raise KezuriError.of(
                    f"{wanted.shown} has the checksum {digest}, and {source.checksum} was expected",
                    hint="either the file was changed, or --checksum is for another one",
                )
            size = writer.offset
            writer.commit_known(digest)
        modified = answer.headers.get("last-modified").strip()
        if modified and not _seconds(modified):
            modified = ""
        record = Download(digest, answer.headers.get("etag"), modified)
        self._store.database.facts.put_download(url, record)
        self._store.database.facts.put_pinned(source.name, record)
        return Downloaded(digest, size, modified)

    def _pour(
        self, answer: Answer, wanted: Wanted, writer: BlobWriter, update: Callable[[bytes], object], told: Told
    ) -> None:
        """The body into the writer, decoded if it was encoded on the way."""
        zipped = answer.headers.get("content-encoding").strip().lower() in ("gzip", "x-gzip")
        plain = zlib.decompressobj(31) if zipped else None
        total = answer.headers.length() or 0
        stall = Stall(_monotonic())
        count = 0
        while piece := answer.read(_CHUNK):
            if self._cancel.is_set():
                raise Stopped
            count += len(piece)
            told.progress(count, total)
            if plain is None:
                update(piece)
                writer.write(piece)
            else:
                for data in _unzipped(plain, piece, wanted):
                    update(data)
                    writer.write(data)
            stall.check(len(piece), wanted.host)
        if plain is not None and count and not plain.eof:
            raise TransportError("cut", wanted.host, "the encoded content ended early")

    def _authorization(self, source: UrlSource) -> str:
        from kezuri.registry.origin import Origin

        try:
            host = Origin.of(source.url).host
        except ValueError:
            return ""
        for name, prefix in ((f"HTTP_AUTH_TOKEN_{host}", "Bearer "), (f"HTTP_AUTH_HEADER_{host}", "")):
            value = self._secret(name)
            if value is not None:
                return prefix + header_text(value, name)
        if source.credentials:
            from base64 import b64encode

            text = source.credentials if ":" in source.credentials else source.credentials + ":"
            return "Basic " + b64encode(text.encode("utf-8", "surrogateescape")).decode()
        return ""

    def _recall(self, record: Download | None) -> Downloaded | None:
        """The recorded content, if the store still has it; its blob is as good as new then."""
        if record is None:
            return None
        try:
            path = self._store.blobs.path(record.digest)
            # Collection goes by the time of a file and spares what was used since the oldest running build began.
            os.utime(path)
            size = os.stat(path).st_size
        except (OSError, KezuriError):
            return None
        return Downloaded(record.digest, size, record.modified)


def header_text(value: bytes, name: str) -> str:
    """A secret's value for a header, without the line end that files have; KezuriError, without the value, when it
    cannot stand in one."""
    text = value.decode("latin-1").strip(" \t\r\n")
    if not text or any(c < " " or c == "\x7f" for c in text):
        raise KezuriError.of(
            f"the secret {name} is {'empty' if not text else 'no line of text'}", hint="it becomes part of a header"
        )
    return text


def shown(source: UrlSource) -> str:
    """The URL without what may be secret in it."""
    return redact(source.url)


def _same(answer: Answer, record: Download) -> bool:
    """Whether the answer says that the content is the recorded one."""
    etag, known = answer.headers.get("etag").strip(), record.etag.strip()
    if answer.status == 304:
        return bool(known) and (not etag or _weak(etag) == _weak(known))
    if answer.status != 200:
        return False
    # Servers exist that give an ETag and pay no heed to it when they are asked with it. A weak one says that the
    # content is as good as before, not that it is the same: whether that will do, the server says with 304.
    return bool(etag) and not etag.startswith("W/") and etag == known


def _weak(etag: str) -> str:
    return etag.strip().removeprefix("W/")


def _unzipped(plain: "zlib._Decompress", piece: bytes, wanted: Wanted) -> Iterator[bytes]:
    try:
        while piece:
            if data := plain.decompress(piece, _CHUNK):
                yield data
            piece = plain.unconsumed_tail
    except zlib.error:
        raise KezuriError.of(
            f"{wanted.shown} cannot be downloaded: its content is not encoded as the server says (gzip)"
        ) from None


def _seconds(date: str) -> int:
    """Seconds since the epoch of an HTTP date, 0 for what is none."""
    if not date:
        return 0
    from email.utils import parsedate_to_datetime

    try:
        return max(0, int(parsedate_to_datetime(date).timestamp()))
    except (ValueError, TypeError, OverflowError):
        return 0


def _monotonic() -> Callable[[], float]:
    from time import monotonic

    return monotonic
