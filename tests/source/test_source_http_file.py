"""Files at URLs fetched into files: unchanged ones are not sent again, broken ones are gone on with, others are not
believed."""

import threading
from base64 import b64encode
from collections.abc import Iterator
from hashlib import md5, sha256
from pathlib import Path

import pytest
from tests.source.source_remote_fetching import Impatient
from tests.source.source_remote_servers import Handler, WebServer, web_server

from kezuri.diagnostics import KezuriError
from kezuri.progress.calling_off import CalledOff
from kezuri.registry.config import RegistryConfig
from kezuri.registry.transport import SocketTransport
from kezuri.source.http_exchange import HttpExchange, Refusal
from kezuri.source.http_file import NOTHING, HttpFile, Known

BODY = bytes(range(256)) * 4096


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as serving:
        yield serving


class Fetcher:
    def __init__(self, server: WebServer, path: Path) -> None:
        self.cancel = threading.Event()
        self.transport = SocketTransport(RegistryConfig())
        self.exchange = HttpExchange(self.transport, self.cancel, Impatient())
        self.file = HttpFile(self.exchange, f"{server.url}/file", str(path), self.cancel)
        self.told: list[tuple[int, int]] = []

    def __call__(self, known: Known = NOTHING) -> tuple[bytes, str, Known] | None:
        got = self.file.fetch(known, lambda now, whole: self.told.append((now, whole)))
        if got is None:
            return None
        assert got.size == len(Path(got.path).read_bytes())
        return Path(got.path).read_bytes(), got.digest, got.known


@pytest.fixture
def fetch(server: WebServer, tmp_path: Path) -> Iterator[Fetcher]:
    fetcher = Fetcher(server, tmp_path / "file")
    yield fetcher
    fetcher.transport.close()


def broken(body: bytes, times: int, ranged: bool = True) -> "Breaking":
    return Breaking(body, times, ranged)


class Breaking:
    """Sends half of what is asked for and hangs up, so many times; then all of it."""

    def __init__(self, body: bytes, times: int, ranged: bool) -> None:
        self.body, self.times, self.ranged = body, times, ranged

    def __call__(self, handler: Handler) -> None:
        etag, start, status, more = '"one"', 0, 200, {}
        asked = handler.headers.get("Range", "")
        if self.ranged and asked and handler.headers.get("If-Range") == etag:
            start, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            more = {"Content-Range": f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"}
        rest = self.body[start:]
        sent = rest
        if self.times:
            self.times -= 1
            sent = rest[: len(rest) // 2]
        handler.send(status, sent, {"ETag": etag, **more}, len(rest))
        if sent != rest:
            handler.close_connection = True


def test_a_file_comes_whole(server: WebServer, fetch: Fetcher) -> None:
    server.file("/file", BODY, ETag='"one"', Last_Modified="Sat, 01 Feb 2020 10:20:30 GMT")
    known = Known('"one"', "Sat, 01 Feb 2020 10:20:30 GMT")
    assert fetch() == (BODY, sha256(BODY).hexdigest(), known)
    assert fetch.told[-1] == (len(BODY), len(BODY))
    assert fetch(known) is not None and server.asked[-1][1]["if-none-match"] == '"one"'
    fetch.file.forget()
    assert fetch(known) is None


def test_what_has_no_etag_is_asked_for_by_its_date(server: WebServer, fetch: Fetcher) -> None:
    date = "Sat, 01 Feb 2020 10:20:30 GMT"
    server.replies["/file"] = lambda handler: handler.answer(
        304 if handler.headers.get("If-Modified-Since") == date else 500
    )
    assert fetch(Known("", date)) is None


def test_a_server_that_pays_no_heed_to_the_etag(server: WebServer, fetch: Fetcher) -> None:
    server.replies["/file"] = lambda handler: handler.send(200, BODY, {"ETag": '"one"'})
    assert fetch(Known('"one"')) is None
    server.replies["/file"] = lambda handler: handler.send(200, BODY, {"ETag": 'W/"one"'})
    assert fetch(Known('W/"one"')) is not None


def test_what_came_whole_is_used_again(server: WebServer, fetch: Fetcher, tmp_path: Path) -> None:
    """As when the process is killed after it fetched, and before the database was written."""
    server.file("/file", BODY, ETag='"one"')
    assert fetch() is not None
    again = Fetcher(server, tmp_path / "file")
    assert again() == (BODY, sha256(BODY).hexdigest(), Known('"one"')) and again.told == []
    (tmp_path / "file").write_bytes(BODY[:-1] + b"x")
    assert again() == (BODY, sha256(BODY).hexdigest(), Known('"one"')) and again.told


def test_a_transfer_that_breaks_is_gone_on_with(server: WebServer, fetch: Fetcher) -> None:
    server.replies["/file"] = broken(BODY, 3)
    assert fetch() == (BODY, sha256(BODY).hexdigest(), Known('"one"'))
    ranges = [headers.get("range", "") for _, headers in server.asked]
    half = len(BODY) // 2
    assert ranges == ["", f"bytes={half}-", f"bytes={half + half // 2}-", f"bytes={half + half // 2 + half // 4}-"]


def test_the_next_process_goes_on(server: WebServer, fetch: Fetcher, tmp_path: Path) -> None:
    server.replies["/file"] = broken(BODY, 99)
    with pytest.raises(KezuriError, match="cannot be downloaded"):
        fetch()
    server.asked.clear()
    server.replies["/file"] = broken(BODY, 0)
    assert Fetcher(server, tmp_path / "file")() == (BODY, sha256(BODY).hexdigest(), Known('"one"'))
    assert server.asked[0][1]["if-range"] == '"one"'


def test_a_server_without_ranges_begins_anew(server: WebServer, fetch: Fetcher) -> None:
    server.replies["/file"] = broken(BODY, 2, ranged=False)
    assert fetch() == (BODY, sha256(BODY).hexdigest(), Known('"one"'))


def test_another_file_meanwhile(server: WebServer, fetch: Fetcher, tmp_path: Path) -> None:
    server.replies["/file"] = broken(BODY, 99)
    with pytest.raises(KezuriError):
        fetch()
    server.file("/file", b"short", ETag='"two"')
    assert fetch() == (b"short", sha256(b"short").hexdigest(), Known('"two"'))


@pytest.mark.parametrize("place", ["bytes 0-9/10", "", "lines 1-2/3", f"bytes {len(BODY)}-{len(BODY)}/*"])
def test_a_range_that_was_not_asked_for(server: WebServer, fetch: Fetcher, place: str) -> None:
    server.replies["/file"] = broken(BODY, 99)
    with pytest.raises(KezuriError):
        fetch()
    server.replies["/file"] = lambda handler: handler.send(206, b"x" * 10, {"Content-Range": place})
    with pytest.raises(KezuriError, match="answers 206 to what was not asked"):
        fetch()
    server.file("/file", BODY)
    assert fetch() is not None


def test_the_rest_of_another_file(server: WebServer, fetch: Fetcher) -> None:
    server.replies["/file"] = broken(BODY, 99)
    with pytest.raises(KezuriError):
        fetch()
    half = fetch.file._begun()[0]
    place = {"Content-Range": f"bytes {half}-{len(BODY) - 1}/{len(BODY)}", "ETag": '"two"'}
    server.replies["/file"] = lambda handler: handler.send(206, bytes(len(BODY) - half), place)
    with pytest.raises(KezuriError, match="answers 206 to what was not asked"):
        fetch()
    server.file("/file", BODY)
    assert fetch() is not None


def test_less_than_the_rest_is_not_all_of_it(server: WebServer, fetch: Fetcher) -> None:
    server.replies["/file"] = broken(BODY, 99)
    with pytest.raises(KezuriError):
        fetch()

    def part(handler: Handler) -> None:
        """Less than what is left."""
        start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        end = min(len(BODY), start + len(BODY) // 64)
        place = f"bytes {start}-{end - 1}/{len(BODY)}"
        handler.send(206, BODY[start:end], {"ETag": '"one"', "Content-Range": place})

    server.replies["/file"] = part
    assert fetch() == (BODY, sha256(BODY).hexdigest(), Known('"one"'))


@pytest.mark.parametrize("etag", ['"\xe9"', '"a\x01b"', f'"{"x" * 2000}"'])
def test_an_etag_that_cannot_be_asked_with(server: WebServer, fetch: Fetcher, etag: str) -> None:
    server.file("/file", BODY, ETag=etag)
    assert fetch() == (BODY, sha256(BODY).hexdigest(), NOTHING)
    fetch.file.forget()
    assert fetch(Known(etag)) is not None


def test_damage_on_the_way(server: WebServer, fetch: Fetcher, tmp_path: Path) -> None:
    said = b64encode(md5(BODY, usedforsecurity=False).digest()).decode()
    server.file("/file", BODY, X_Goog_Hash=f"crc32c=AAAAAA==,md5={said}")
    assert fetch() is not None
    fetch.file.forget()
    server.file("/file", BODY[:-1] + b"x", X_Goog_Hash=f"crc32c=AAAAAA==,md5={said}")
    with pytest.raises(KezuriError, match="damaged on its way"):
        fetch()
    assert list(tmp_path.iterdir()) == []


def test_refusals_say_their_status(fetch: Fetcher) -> None:
    with pytest.raises(Refusal, match="404") as raised:
        fetch()
    assert raised.value.status == 404


def test_304_to_what_was_not_asked(server: WebServer, fetch: Fetcher) -> None:
    server.replies["/file"] = lambda handler: handler.answer(304)
    with pytest.raises(KezuriError, match="304"):
        fetch()


def test_called_off(server: WebServer, fetch: Fetcher) -> None:
    server.file("/file", BODY, ETag='"one"')
    fetch.cancel.set()
    with pytest.raises(CalledOff):
        fetch()


def test_a_full_disk(server: WebServer, tmp_path: Path) -> None:
    server.file("/file", BODY)
    (tmp_path / "blocked.part").symlink_to("/dev/full")
    fetcher = Fetcher(server, tmp_path / "blocked")
    with pytest.raises(OSError, match="No space left"):
        fetcher()
