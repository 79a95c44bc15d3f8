"""A file at a URL, fetched into a file of ours: only when it changed, gone on with where it broke off, and verified."""

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from hashlib import md5, sha256
from time import monotonic
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.registry.retry import Stall, Stopped
from kezuri.registry.wire import Answer, TransportError
from kezuri.source.http_exchange import HttpExchange, Wanted

_CHUNK = 256 << 10
_MOST = 8 << 30
"""Bytes that no file of ours has: a server that sends without end is stopped there."""


class Known(NamedTuple):
    """What a server said of the file that it gave last: its ETag and Last-Modified, empty where it says none."""

    etag: str = ""
    modified: str = ""


NOTHING = Known()
_LONGEST_HEADER = 1024
"""Characters of an ETag that is believed; a request with longer ones may be refused for good."""


class Fetched(NamedTuple):
    """A file that was fetched: where it is, what the server said of it, and its SHA-256 in hexadecimal."""

    path: str
    known: Known
    digest: str
    size: int


class HttpFile:
    """Fetches the file at `url` into `path`. What came of it before the connection, or this process, broke off is kept
    beside it, and gone on with as long as the server says that it is still the same file (RFC 9110 §13.1.5). One that
    came whole, and that nobody has taken away, is not fetched again while it is what the server has."""

    def __init__(
        self,
        exchange: HttpExchange,
        url: str,
        path: str,
        cancel: threading.Event,
        authorization: str = "",
        encoding: str = "gzip",
    ) -> None:
        """`authorization` is what the URL's own host gets as Authorization (empty: nothing); `encoding` how the file
        may be packed on its way, and then stays so (`identity`: as it is)."""
        self._exchange = exchange
        self._encoding = encoding
        self.path = path
        """Where the file is when it came."""
        self._part = f"{path}.part"
        self._note = f"{path}.json"
        self._cancel = cancel
        # The exchange sends what the headers are at that time: after a break they ask for the rest.
        self._headers: dict[str, str] = {}
        self._wanted = Wanted(url, self._headers, authorization)
        self._told: Callable[[int, int], None] = lambda current, total: None

    def fetch(self, known: Known, told: Callable[[int, int], None]) -> Fetched | None:
        """The file, or None when it is still the `known` one. `told` hears how many bytes are there of how many (0: not
        known). KezuriError when it does not come, or is not what its server says of it; OSError when the disk does
        not take it."""
        self._told = told
        known = Known(*map(_sendable, known))
        whole = self._whole()
        if whole is not None:
            known = whole.known
        self._ask(known)
        fetched = self._exchange.get(self._wanted, lambda answer: self._take(answer, known))
        return fetched or whole

    def forget(self) -> None:
        """Remove what is kept of it."""
        for path in (self.path, self._part, self._note):
            with suppress(OSError):
                os.unlink(path)

    def _ask(self, known: Known) -> None:
        """The headers for the next request: for the rest of what is here, or for what is newer than the known one."""
        self._headers.clear()
        self._headers |= {"Accept": "*/*", "Accept-Encoding": self._encoding}
        start, validator = self._begun()
        if start:
            # A range is one of the same bytes: as they were sent, packed or not.
            self._headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        elif known.etag:
            self._headers["If-None-Match"] = known.etag
        elif known.modified:
            self._headers["If-Modified-Since"] = known.modified

    def _whole(self) -> Fetched | None:
        """The file, if it was fetched from here before and is as it came."""
        try:
            with open(self._note, encoding="utf-8") as file:
                note = json.load(file)
            if note["url"] != self._wanted.url or not note["digest"]:
                return None
            digest, size = _hashed(self.path)
            known = Known(str(note["etag"]), str(note["modified"]))
            return Fetched(self.path, known, digest, size) if digest == note["digest"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _begun(self) -> tuple[int, str]:
        """How many bytes are here of a file, and what says that it is still the same; 0 where it begins anew."""
        try:
            with open(self._note, encoding="utf-8") as file:
                note = json.load(file)
            size, validator = os.path.getsize(self._part), str(note["validator"])
            if note["url"] == self._wanted.url and validator and 0 < size < int(note["size"] or _MOST):
                return size, validator
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        return 0, ""

    def _take(self, answer: Answer, known: Known) -> Fetched | None:
        said = Known(_sendable(answer.headers.get("etag")), _sendable(answer.headers.get("last-modified")))
        if answer.status == 304:
            if not (known.etag or known.modified) or "Range" in self._headers:
                raise KezuriError.of(f"{self._wanted.shown} cannot be fetched: 304 answers what was not asked")
            return None
        if answer.status == 200 and known.etag and said.etag == known.etag and not known.etag.startswith("W/"):
            return None
        start = self._start(answer)
        total = answer.headers.length()
        if not start:
            self._write_note(said, total)
        try:
            with open(self._part, "r+b" if start else "wb") as file:
                if start:
                    file.truncate(start)
                    file.seek(start)
                whole = _complete(answer) if start else 0
                self._pour(answer, file.write, start, whole or (start + total if total is not None else 0))
                file.flush()
                os.fsync(file.fileno())
        except (TransportError, Stopped):
            self._ask(known)
            raise
        digest, size = self._verified(answer, whole=not start)
        os.replace(self._part, self.path)
        self._write_note(said, None, digest)
        return Fetched(self.path, said, digest, size)

    def _start(self, answer: Answer) -> int:
        """Where the body of the answer begins in the file: it is the rest that was asked for, or all of it."""
        if answer.status == 200:
            return 0
        unit, _, place = answer.headers.get("content-range").strip().partition(" ")
        first = place.partition("-")[0]
        here, validator = self._begun()
        # A server that pays no heed to If-Range gives the rest of another file.
        other = answer.headers.get("etag").strip() not in ("", validator)
        if answer.status != 206 or unit != "bytes" or not here or first != str(here) or other:
            with suppress(OSError):
                os.unlink(self._note)
            raise KezuriError.of(
                f"{self._wanted.shown} cannot be fetched: its server answers {answer.status} to what was not asked",
                hint="try again: it is asked for the whole file then",
            )
        return here

    def _write_note(self, said: Known, total: int | None, digest: str = "") -> None:
        strong = said.etag if said.etag and not said.etag.startswith("W/") else ""
        note = {"url": self._wanted.url, "validator": strong, "size": total or 0, "digest": digest, **said._asdict()}
        with open(self._note, "w", encoding="utf-8") as file:
            json.dump(note, file)

    def _pour(self, answer: Answer, write: Callable[[bytes], object], start: int, total: int) -> None:
        stall = Stall(monotonic)
        while piece := answer.read(_CHUNK):
            if self._cancel.is_set():
                raise Stopped
            write(piece)
            start += len(piece)
            if start > _MOST:
                self.forget()
                raise KezuriError.of(f"{self._wanted.shown} has more than {_MOST} bytes, and no end")
            self._told(start, total)
            stall.check(len(piece), self._wanted.host)
        if total and start != total:
            raise TransportError("cut", self._wanted.host, "the connection ended early")

    def _verified(self, answer: Answer, whole: bool) -> tuple[str, int]:
        """The SHA-256 of the whole file and its size; KezuriError when its server says that it is another one."""
        said = _told_md5(answer) if not answer.headers.get("content-encoding") else b""
        if said and _md5(self._part) != said:
            self.forget()
            raise KezuriError.of(
                f"{self._wanted.shown} was damaged on its way: it is not what its server says",
                hint="try again" if whole else "try again: it is fetched from its beginning then",
            )
        return _hashed(self._part)


def _complete(answer: Answer) -> int:
    """The size of the whole file that an answer with a part of it tells, 0 where it tells none: a server may send less
    than the rest that it is asked for (RFC 9110 §15.3.7)."""
    size = answer.headers.get("content-range").strip().rpartition("/")[2]
    return int(size) if size.isascii() and size.isdigit() and len(size) < 20 else 0


def _sendable(value: str) -> str:
    """A header's value, empty where no request can have it: what we cannot ask with is not known."""
    value = value.strip()
    return value if value.isascii() and value.isprintable() and len(value) <= _LONGEST_HEADER else ""


def _hashed(path: str) -> tuple[str, int]:
    """The SHA-256 of a file in hexadecimal, and its size in bytes."""
    hashed, size = sha256(), 0
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            hashed.update(piece)
            size += len(piece)
    return hashed.hexdigest(), size


def _md5(path: str) -> bytes:
    hashed = md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            hashed.update(piece)
    return hashed.digest()


def _told_md5(answer: Answer) -> bytes:
    """The MD5 of the whole file, as storage of Google's and others tell it; empty where nobody does."""
    from base64 import b64decode

    for value in (*answer.headers.all("x-goog-hash"), *(f"md5={text}" for text in answer.headers.all("content-md5"))):
        for part in value.split(","):
            name, _, text = part.strip().partition("=")
            if name == "md5":
                try:
                    found = b64decode(text, validate=True)
                except ValueError:
                    continue
                return found if len(found) == 16 else b""
    return b""
