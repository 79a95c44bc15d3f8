"""Remote sources behind TLS with an authority of one's own: trusted when it is named, else refused with a hint."""

import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.source.source_remote_fetching import Fetching
from tests.source.source_remote_servers import Repository, WebServer, web_server

from kezuri.diagnostics import KezuriError
from kezuri.plan.inputs import GitSource
from kezuri.plan.remote import url_source
from kezuri.progress import CallOff
from kezuri.source.remotes import Means
from kezuri.store.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate for localhost that is its own authority, with its key beside it."""
    certificate = tmp_path / "ca.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(tmp_path / "key.pem"), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate


@pytest.fixture
def web(tmp_path: Path, authority: Path) -> Iterator[WebServer]:
    with web_server() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority, tmp_path / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.repositories = tmp_path / "served"
        yield server


def fetching(store: Store, authority: str = "", insecure: tuple[str, ...] = ()) -> Fetching:
    means = Means(lambda name: None, lambda: "", authority, insecure, {"PATH": os.environ["PATH"]})
    return Fetching(store, means, CallOff())


def test_files(tmp_path: Path, web: WebServer, authority: Path) -> None:
    web.file("/f", b"x")
    source = url_source(f"https://localhost:{web.server_port}/f")
    with Store(str(tmp_path / "store")) as store:
        with fetching(store) as remotes, pytest.raises(KezuriError, match="is not trusted") as error:
            remotes.download(source)
        assert "`ca-certificates`" in (error.value.diagnostics[0].hint or "")
        with fetching(store, str(authority)) as remotes:
            assert remotes.download(source).size == 1
        with fetching(store, insecure=("localhost",)) as remotes:
            assert remotes.download(source).size == 1


def test_the_way_may_not_leave_tls_unless_the_content_is_pinned(
    tmp_path: Path, web: WebServer, authority: Path
) -> None:
    from hashlib import sha256

    with web_server() as plain:
        plain.file("/g", b"x")
        web.redirect("/f", f"{plain.url}/g")
        source = url_source(f"https://localhost:{web.server_port}/f")
        with Store(str(tmp_path / "store")) as store, fetching(store, str(authority)) as remotes:
            with pytest.raises(KezuriError, match="it is not https"):
                remotes.download(source)
            assert plain.asked == []
            pinned = source._replace(checksum="sha256:" + sha256(b"x").hexdigest())
            assert remotes.download(pinned).size == 1


def test_git_repositories(tmp_path: Path, web: WebServer, authority: Path) -> None:
    Repository(tmp_path / "made", tmp_path / "served", "repo").commit("one", f="one")
    source = GitSource(f"https://localhost:{web.server_port}/git/repo.git")
    with Store(str(tmp_path / "store")) as store:
        with fetching(store) as remotes, pytest.raises(KezuriError, match="certificate") as error:
            remotes.directory(source)
        assert "`ca-certificates`" in (error.value.diagnostics[0].hint or "")
        with fetching(store, str(authority)) as remotes:
            assert Path(remotes.directory(source), "f").read_text() == "one"
        with fetching(store, insecure=(f"localhost:{web.server_port}",)) as remotes:
            assert Path(remotes.directory(source), "f").read_text() == "one"
            assert remotes.identity(source)[0] == "source git"
