"""Files at URLs, from a real server with every behaviour that servers have."""

import gzip
import json
import os
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from time import time

import pytest
from tests.source.source_remote_fetching import Fetching, fetching
from tests.source.source_remote_servers import MODIFIED, MTIME, Handler, WebServer, web_server

from kezuri.diagnostics import KezuriError
from kezuri.linux.ownership import Privilege
from kezuri.plan.inputs import UrlSource
from kezuri.plan.remote import url_source
from kezuri.progress.calling_off import CalledOff
from kezuri.store.store import Store
from kezuri.upkeep.collector import Collector, Limits


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


def digest(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()


def content(remotes: Fetching, source: UrlSource) -> bytes:
    return Path(remotes.content(source)).read_bytes()


def failure(remotes: Fetching, source: UrlSource) -> KezuriError:
    with pytest.raises(KezuriError) as error:
        remotes.download(source)
    return error.value


def blobs(root: Path) -> list[str]:
    return os.listdir(root / "blobs" / "sha256")


class TestFiles:
    def test_what_a_file_becomes(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/a/f.txt", b"hello\n", Last_Modified=MODIFIED, Content_Disposition='attachment; filename="other"')
        with fetching(tmp_path) as remotes:
            root = remotes.root(url_source(f"{web.url}/a/f.txt?x=1"), (), False)
            entry = root.top.entry
            assert (root.name, root.directory, root.packed) == ("f.txt", False, True)
            assert (entry.mode, entry.uid, entry.gid, entry.size, entry.mtime) == (0o600, 0, 0, 6, MTIME * 10**9)
            assert isinstance(root.top.content, str) and Path(root.top.content).read_bytes() == b"hello\n"
            assert remotes.root(url_source(f"{web.url}/a/f.txt?x=1"), (), True).packed is False
        assert remotes.listening.ends == ["done"] and remotes.listening.steps[0].last == (6, 6)

    @pytest.mark.parametrize("modified", ["", "yesterday"])
    def test_without_a_date_the_time_is_the_epoch(self, tmp_path: Path, web: WebServer, modified: str) -> None:
        if modified:
            web.file("/f", b"1", Last_Modified=modified)
        else:
            web.file("/f", b"1")
        with fetching(tmp_path) as remotes:
            assert remotes.download(url_source(f"{web.url}/f")).mtime == 0

    def test_the_key_is_name_content_and_date_and_not_the_place(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/a/f", b"1", Last_Modified=MODIFIED)
        web.file("/b/f", b"1", Last_Modified=MODIFIED)
        web.file("/b/g", b"1")
        with fetching(tmp_path) as remotes:
            one = remotes.identity(url_source(f"{web.url}/a/f?sig=secret"))
            assert one == ("source f", f"{digest(b'1')}, {MODIFIED}")
            assert remotes.identity(url_source(f"{web.url}/b/f")) == one
            assert remotes.identity(url_source(f"{web.url}/b/g")) == ("source g", digest(b"1"))

    def test_what_is_encoded_on_the_way_is_decoded(self, tmp_path: Path, web: WebServer) -> None:
        data = b"0123456789" * 100_000
        web.file("/f", gzip.compress(data), Content_Encoding="gzip")
        web.file("/broken", gzip.compress(data)[:-40], Content_Encoding="gzip")
        web.file("/lie", b"plain", Content_Encoding="gzip")
        with fetching(tmp_path) as remotes:
            assert content(remotes, url_source(f"{web.url}/f")) == data
            assert "ended early" in str(failure(remotes, url_source(f"{web.url}/broken")))
            assert "not encoded as the server says" in str(failure(remotes, url_source(f"{web.url}/lie")))

    def test_many_who_ask_are_one_request(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/f", b"x" * 100_000)
        with fetching(tmp_path) as remotes:
            source = url_source(f"{web.url}/f")
            threads = [threading.Thread(target=remotes.download, args=(source,)) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert web.paths == ["/f"]


class TestAhead:
    def test_sources_are_found_out_about_at_once(self, tmp_path: Path, web: WebServer) -> None:
        """Each answer waits until all have been asked for."""
        met = threading.Barrier(3, timeout=20)

        def reply(handler: Handler) -> None:
            met.wait()
            handler.answer(200, b"x")

        sources = [url_source(f"{web.url}/{name}") for name in "abc"]
        pinned = url_source(f"{web.url}/pinned")._replace(checksum=digest(b"x"))
        for name in "abc":
            web.replies[f"/{name}"] = reply
        with fetching(tmp_path) as remotes:
            remotes.prefetch([*sources, pinned, *sources])
            assert [remotes.download(source).size for source in sources] == [1, 1, 1]
        assert sorted(web.paths) == ["/a", "/b", "/c"]

    def test_what_went_wrong_is_told_when_it_is_wanted_and_not_tried_again(
        self, tmp_path: Path, web: WebServer
    ) -> None:
        with fetching(tmp_path) as remotes:
            source = url_source(f"{web.url}/gone")
            remotes.prefetch([source])
            assert [str(failure(remotes, source)) for _ in range(2)] == [str(failure(remotes, source))] * 2
        assert web.paths == ["/gone"] and len(remotes.listening.steps) == 1


class TestAgain:
    def fetch(self, root: Path, source: UrlSource) -> tuple[bytes, list[str]]:
        with fetching(root) as remotes:
            data = content(remotes, source)
            return data, remotes.listening.ends

    def test_an_etag_is_asked_with(self, tmp_path: Path, web: WebServer) -> None:
        source = url_source(f"{web.url}/f")
        web.file("/f", b"one", ETag='"1"', Last_Modified=MODIFIED)
        assert self.fetch(tmp_path, source) == (b"one", ["done"])
        assert self.fetch(tmp_path, source) == (b"one", ["cached"])
        assert web.asked[1][1]["if-none-match"] == '"1"'
        with fetching(tmp_path) as remotes:
            assert remotes.download(source).modified == MODIFIED
        web.file("/f", b"two", ETag='"2"')
        assert self.fetch(tmp_path, source) == (b"two", ["done"])

    @pytest.mark.parametrize(("etag", "end"), [('"1"', "cached"), ('W/"1"', "done")], ids=["strong", "weak"])
    def test_servers_that_give_etags_and_do_not_heed_them(
        self, tmp_path: Path, web: WebServer, etag: str, end: str
    ) -> None:
        source = url_source(f"{web.url}/f")
        sent: list[int] = []

        def reply(handler: Handler) -> None:
            sent.append(len(sent))
            handler.answer(200, b"x" * 4_000_000, ETag=etag)

        web.replies["/f"] = reply
        assert self.fetch(tmp_path, source)[1] == ["done"]
        assert self.fetch(tmp_path, source)[1] == [end] and len(sent) == 2

    def test_a_weak_etag_is_asked_with(self, tmp_path: Path, web: WebServer) -> None:
        source = url_source(f"{web.url}/f")
        web.file("/f", b"one", ETag='W/"1"')
        assert self.fetch(tmp_path, source)[1] == ["done"]
        assert self.fetch(tmp_path, source) == (b"one", ["cached"])
        assert web.asked[1][1]["if-none-match"] == 'W/"1"'

    def test_a_date_and_a_length_prove_nothing(self, tmp_path: Path, web: WebServer) -> None:
        source = url_source(f"{web.url}/f")
        web.file("/f", b"one", Last_Modified=MODIFIED)
        assert self.fetch(tmp_path, source) == (b"one", ["done"])
        web.file("/f", b"two", Last_Modified=MODIFIED)
        assert self.fetch(tmp_path, source) == (b"two", ["done"])
        assert "if-modified-since" not in web.asked[1][1]

    def test_an_etag_that_is_gone_proves_nothing(self, tmp_path: Path, web: WebServer) -> None:
        source = url_source(f"{web.url}/f")
        web.file("/f", b"one", ETag='"1"', Last_Modified=MODIFIED)
        self.fetch(tmp_path, source)
        web.file("/f", b"two", Last_Modified=MODIFIED)
        assert self.fetch(tmp_path, source) == (b"two", ["done"])

    def test_nothing_at_all_is_fetched_again(self, tmp_path: Path, web: WebServer) -> None:
        source = url_source(f"{web.url}/f")
        web.file("/f", b"one")
        assert self.fetch(tmp_path, source) == self.fetch(tmp_path, source) == (b"one", ["done"])

    def test_content_that_was_collected_is_fetched_again(self, tmp_path: Path, web: WebServer) -> None:
        source = url_source(f"{web.url}/f")
        web.file("/f", b"one", ETag='"1"')
        self.fetch(tmp_path, source)
        os.unlink(tmp_path / "blobs" / "sha256" / digest(b"one")[7:])
        assert self.fetch(tmp_path, source) == (b"one", ["done"])
        assert "if-none-match" not in web.asked[1][1]

    def test_304_without_a_question(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/f", b"", status=304)
        with fetching(tmp_path) as remotes:
            assert "answers 304" in str(failure(remotes, url_source(f"{web.url}/f")))


class TestChecksums:
    def test_a_pinned_file_that_is_known_needs_no_network(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/f", b"one", Last_Modified=MODIFIED)
        pinned = url_source(f"{web.url}/f")._replace(checksum=digest(b"one"))
        with fetching(tmp_path) as remotes:
            assert remotes.identity(pinned) == ("source f", digest(b"one")) and web.asked == []
            assert content(remotes, pinned) == b"one" and web.paths == ["/f"]
        # Also from another place, as with BuildKit: name and content are what counts.
        elsewhere = UrlSource("http://127.0.0.1:1/nowhere", "f", digest(b"one"))
        with fetching(tmp_path) as remotes:
            assert content(remotes, elsewhere) == b"one" and remotes.listening.steps == []
            assert remotes.download(elsewhere).mtime == MTIME * 10**9

    def test_another_content_is_refused_with_both_named(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/f", b"evil")
        with fetching(tmp_path) as remotes:
            said = str(failure(remotes, url_source(f"{web.url}/f")._replace(checksum=digest(b"good"))))
        assert digest(b"evil") in said and digest(b"good") in said
        assert blobs(tmp_path) == [] and os.listdir(tmp_path / "tmp") == []
        with Store(str(tmp_path)) as store:
            assert store.database.facts.downloaded() == set()


class TestRedirects:
    def test_they_are_followed_and_the_name_stays(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/there/g", b"x")
        web.redirect("/f", "/r2")
        web.redirect("/r2", f"http://localhost:{web.server_port}/there/g#part")
        with fetching(tmp_path) as remotes:
            source = url_source(f"{web.url}/f")
            assert content(remotes, source) == b"x" and remotes.root(source, (), False).name == "f"

    @pytest.mark.parametrize("target", ["/f", "ftp://x/y", "http://user@h/x", "http:///", "http://[::1", "//[x]/f"])
    def test_those_that_lead_nowhere(self, tmp_path: Path, web: WebServer, target: str) -> None:
        web.redirect("/f", target)
        with fetching(tmp_path) as remotes:
            assert f"127.0.0.1:{web.server_port}" in str(failure(remotes, url_source(f"{web.url}/f")))
        assert len(web.asked) <= 11


class TestSecrets:
    SECRET = "Tok3n-of-mine"

    @pytest.mark.parametrize(
        ("name", "value", "header"),
        [
            ("HTTP_AUTH_TOKEN_127.0.0.1", SECRET + "\n", f"Bearer {SECRET}"),
            ("HTTP_AUTH_HEADER_127.0.0.1", f"Basic {SECRET}", f"Basic {SECRET}"),
            ("HTTP_AUTH_TOKEN_localhost", SECRET, None),
        ],
    )
    def test_the_host_gets_its_own(
        self, tmp_path: Path, web: WebServer, name: str, value: str, header: str | None
    ) -> None:
        web.file("/f", b"x", ETag='"1"')
        with fetching(tmp_path, {name: value}) as remotes:
            source = url_source(f"{web.url}/f")
            assert self.SECRET not in json.dumps(remotes.identity(source))
            remotes.content(source)
        assert web.asked[0][1].get("authorization") == header
        for base, _, files in os.walk(tmp_path):
            for file in files:
                assert self.SECRET.encode() not in (Path(base) / file).read_bytes()

    def test_a_token_comes_before_a_header(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/f", b"x")
        both = {"HTTP_AUTH_TOKEN_127.0.0.1": "t", "HTTP_AUTH_HEADER_127.0.0.1": "h"}
        with fetching(tmp_path, both) as remotes:
            remotes.content(url_source(f"{web.url}/f"))
        assert web.asked[0][1]["authorization"] == "Bearer t"

    def test_name_and_password_of_an_address(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/f", b"x")
        with fetching(tmp_path) as remotes:
            remotes.content(url_source(f"http://me:{self.SECRET}@127.0.0.1:{web.server_port}/f"))
        assert web.asked[0][1]["authorization"].startswith("Basic ")
        assert self.SECRET not in remotes.listening.steps[0].name

    def test_nobody_else_gets_it(self, tmp_path: Path, web: WebServer) -> None:
        with web_server() as other:
            web.redirect("/f", f"{web.url}/same")
            web.redirect("/same", f"http://localhost:{web.server_port}/name")
            web.redirect("/name", f"{other.url}/port")
            other.redirect("/port", f"{web.url}/back")
            web.file("/back", b"x")
            with fetching(tmp_path, {"HTTP_AUTH_TOKEN_127.0.0.1": "t"}) as remotes:
                remotes.content(url_source(f"{web.url}/f"))
            sent = [path for path, headers in (*web.asked, *other.asked) if "authorization" in headers]
            assert sent == ["/f", "/same"] and web.paths[-1] == "/back"

    @pytest.mark.parametrize("value", ["", "a\nb", "a\x00b"])
    def test_values_that_are_no_header(self, tmp_path: Path, web: WebServer, value: str) -> None:
        web.file("/f", b"x")
        with fetching(tmp_path, {"HTTP_AUTH_TOKEN_127.0.0.1": value}) as remotes:
            error = failure(remotes, url_source(f"{web.url}/f"))
        assert "HTTP_AUTH_TOKEN_127.0.0.1" in str(error) and "a\nb" not in str(error) and web.asked == []


class TestTrouble:
    @pytest.mark.parametrize(
        ("status", "said", "hint", "times"),
        [
            (404, "404 not found", "spelled right", 1),
            (403, "403 forbidden", "HTTP_AUTH_TOKEN_127.0.0.1", 1),
            (503, "503", "try again later", 5),
            (429, "429", "limits how often", 5),
        ],
    )
    def test_answers_that_are_no_file(
        self, tmp_path: Path, web: WebServer, status: int, said: str, hint: str, times: int
    ) -> None:
        web.file("/f", b"", status=status)
        with fetching(tmp_path) as remotes:
            error = failure(remotes, url_source(f"{web.url}/f?signature=abc"))
        assert said in str(error) and hint in (error.diagnostics[0].hint or "") and "abc" not in str(error)
        assert len(web.asked) == times and remotes.listening.ends[0].startswith("failed: ")

    def test_who_answers_after_a_redirect_is_named(self, tmp_path: Path, web: WebServer) -> None:
        web.redirect("/f", f"http://localhost:{web.server_port}/private")
        web.file("/private", b"", status=401)
        with fetching(tmp_path, {"HTTP_AUTH_TOKEN_127.0.0.1": "opensesame"}) as remotes:
            error = failure(remotes, url_source(f"{web.url}/f"))
        assert f"it is at http://localhost:{web.server_port} now, which answers 401" in str(error)
        assert "a secret for 127.0.0.1 does not go along" in (error.diagnostics[0].hint or "")

    def test_a_secret_that_does_not_open_it(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/f", b"", status=401)
        with fetching(tmp_path, {"HTTP_AUTH_TOKEN_127.0.0.1": "opensesame"}) as remotes:
            error = failure(remotes, url_source(f"{web.url}/f"))
        assert "does not open it" in (error.diagnostics[0].hint or "") and "opensesame" not in str(error)

    def test_what_passes_is_waited_for(self, tmp_path: Path, web: WebServer) -> None:
        statuses = iter((500, 503))

        def reply(handler: Handler) -> None:
            status = next(statuses, 200)
            if status == 503:
                handler.answer(status, Retry_After="7")
            else:
                handler.answer(status, b"x" if status == 200 else b"")

        web.replies["/f"] = reply
        with fetching(tmp_path) as remotes:
            assert content(remotes, url_source(f"{web.url}/f")) == b"x" and remotes.clock.waits == [1.0, 7.0]

    def test_a_connection_that_breaks_is_begun_anew(self, tmp_path: Path, web: WebServer) -> None:
        data = b"0123456789" * 50_000
        cut = iter((100_000, 0))

        def reply(handler: Handler) -> None:
            handler.close_connection = True
            handler.answer(200, data[: next(cut, len(data))], length=len(data))

        web.replies["/f"] = reply
        with fetching(tmp_path) as remotes:
            assert content(remotes, url_source(f"{web.url}/f")) == data
        assert len(web.asked) == 3 and os.listdir(tmp_path / "tmp") == []

    def test_a_length_that_is_always_a_lie(self, tmp_path: Path, web: WebServer) -> None:
        def reply(handler: Handler) -> None:
            handler.close_connection = True
            handler.answer(200, b"short", length=100)

        web.replies["/f"] = reply
        with fetching(tmp_path) as remotes:
            assert "the connection broke" in str(failure(remotes, url_source(f"{web.url}/f")))
        assert blobs(tmp_path) == [] and os.listdir(tmp_path / "tmp") == []

    @pytest.mark.parametrize(
        ("url", "said", "hint"),
        [
            ("http://127.0.0.1:1/f", "127.0.0.1:1", "server running"),
            ("http://no-such-host.invalid/f", "does not resolve", "spelled right"),
        ],
    )
    def test_hosts_that_do_not_answer(self, tmp_path: Path, url: str, said: str, hint: str) -> None:
        with fetching(tmp_path) as remotes:
            error = failure(remotes, url_source(url))
        assert said in str(error) and (hint in (error.diagnostics[0].hint or "") or "name server" in str(error))

    def test_plain_http_where_tls_was_asked_for(self, tmp_path: Path, web: WebServer) -> None:
        with fetching(tmp_path) as remotes:
            error = failure(remotes, url_source(f"https://127.0.0.1:{web.server_port}/f"))
        assert "no TLS" in str(error)

    def test_a_proxy_that_is_not_there(self, tmp_path: Path) -> None:
        with fetching(tmp_path, http_proxy="http://me:pass@127.0.0.1:1") as remotes:
            error = failure(remotes, url_source("http://example.invalid/f"))
        assert "proxy http://127.0.0.1:1" in str(error) and "pass" not in str(error)

    def test_calling_it_off(self, tmp_path: Path, web: WebServer) -> None:
        held = threading.Event()

        def reply(handler: Handler) -> None:
            handler.close_connection = True
            handler.answer(200, b"x" * 300_000, length=10**9)
            remotes.cancel.set()
            handler.wfile.write(b"y" * 300_000)
            held.wait(20)

        web.replies["/f"] = reply
        with fetching(tmp_path) as remotes:
            with pytest.raises(CalledOff):
                remotes.identity(url_source(f"{web.url}/f"))
            held.set()
        assert os.listdir(tmp_path / "tmp") == []


class TestCollection:
    def collect(self, root: Path, **how: object) -> list[str]:
        with Store(str(root)) as store:
            return [gone.kind for gone in Collector(store, Privilege()).collect(Limits(**how))]  # type: ignore[arg-type]

    def test_downloads_stay_until_they_are_old_or_all_has_to_go(self, tmp_path: Path, web: WebServer) -> None:
        web.file("/f", b"one", ETag='"1"')
        source = url_source(f"{web.url}/f")
        for how in ({"before": time() + 60}, {"everything": True}):
            with fetching(tmp_path) as remotes:
                remotes.content(source)
            assert self.collect(tmp_path) == [] and blobs(tmp_path) == [digest(b"one")[7:]]
            assert self.collect(tmp_path, before=time() - 3600) == []
            assert self.collect(tmp_path, **how) == ["blob"] and blobs(tmp_path) == []
        with fetching(tmp_path) as remotes:
            assert content(remotes, source) == b"one"
