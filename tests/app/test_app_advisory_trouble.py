"""`db update` where something breaks off, is full, is killed or waits: the old database stays, the next goes on."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.app_advisories import Place, a_place, osv

from kezuri.app.advisory_update import update
from kezuri.diagnostics import KezuriError


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with a_place(tmp_path) as made:
        yield made


def test_nobody_answers(place: Place) -> None:
    """A machine without a network: no database is made, what is there stays, and a host is not waited for twice."""
    dead = tuple((name, "http://127.0.0.1:1/x") for name, _ in place.settings.db_origins)
    settings = place.settings._replace(db_origins=dead)
    with pytest.raises(KezuriError, match="no advisories could be fetched") as raised:
        update(settings, (), place.heard)
    assert "kezuri db import" in raised.value.diagnostics[0].hint and len(raised.value.diagnostics) == 2
    assert not place.path.exists()
    place.serve()
    place.update("kev")
    before = place.path.read_bytes()
    with pytest.raises(KezuriError):
        update(settings, (), place.heard)
    assert place.path.read_bytes() == before


@pytest.mark.slow
def test_a_host_that_cannot_be_reached_is_asked_once(place: Place) -> None:
    """One that takes connections and hangs up, as a wrong proxy does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        asked = 0

        def hang_up() -> None:
            nonlocal asked
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                asked += 1
                connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        dead = tuple((name, f"{url}/{number}") for number, (name, _) in enumerate(place.settings.db_origins))
        with pytest.raises(KezuriError, match="no advisories could be fetched"):
            update(place.settings._replace(db_origins=dead), (), place.heard)
        # Twice at most: that a connection breaks once may be chance.
        assert asked <= 2
        listening.shutdown(socket.SHUT_RDWR)


def test_two_at_once_wait_for_each_other(place: Place) -> None:
    place.serve()
    began, go = threading.Event(), threading.Event()
    reply = place.server.replies["/kev"]

    def slow(handler: object) -> None:
        began.set()
        go.wait(20)
        reply(handler)  # type: ignore[arg-type]

    place.server.replies["/kev"] = slow
    one = threading.Thread(target=place.update, args=("kev",))
    one.start()
    assert began.wait(20)
    two = threading.Thread(target=place.update, args=("osv/PyPI",))
    two.start()
    end = time.monotonic() + 20
    while not place.warned and time.monotonic() < end:
        time.sleep(0.005)
    assert "another kezuri writes" in place.warned[0] and "/osv/PyPI" not in place.server.paths
    go.set()
    one.join(20)
    two.join(20)
    assert place.entries() == {"osv/PyPI": 2, "kev": 1}


def test_nothing_is_fetched_into_a_directory_of_somebody_else(place: Place, tmp_path: Path) -> None:
    place.serve()
    place.path.parent.mkdir()
    (tmp_path / "theirs").mkdir()
    (place.path.parent / "advisories.db.fetched").symlink_to(tmp_path / "theirs")
    with pytest.raises(KezuriError, match="another user's, or a link"):
        place.update("kev")
    assert list((tmp_path / "theirs").iterdir()) == []


def test_a_disk_that_is_full_while_it_is_fetched(place: Place) -> None:
    place.serve()
    place.update("osv/PyPI")
    (place.path.parent / "advisories.db.fetched/kev").mkdir(parents=True)
    (place.path.parent / "advisories.db.fetched/kev/kev.json.part").symlink_to("/dev/full")
    with pytest.raises(KezuriError, match="no space left on the device") as raised:
        place.update("kev")
    assert raised.value.exit_code == 125 and "--db" in raised.value.diagnostics[0].hint
    assert place.entries() == {"osv/PyPI": 2}


def test_a_disk_that_is_full_leaves_the_old_one(place: Place) -> None:
    """As far as an ordinary user's process can be told that: by the limit on the size of its files."""
    import resource

    place.serve()
    place.update("kev")
    before = place.path.read_bytes()
    place.server.file("/osv/PyPI", osv(*(f"PYSEC-{n}" for n in range(1000))))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(KezuriError, match="cannot write") as raised:
            place.update("osv/PyPI")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert raised.value.exit_code == 125 and place.path.read_bytes() == before
    assert not list(place.path.parent.glob("*.db.*.part"))
    assert place.update("osv/PyPI").changes[0].data.entries == 1000


@pytest.mark.slow
def test_a_transfer_that_breaks_is_gone_on_with(place: Place) -> None:
    body, broke = osv(*(f"PYSEC-{n}" for n in range(500))), [2]

    def breaking(handler: object) -> None:
        asked = handler.headers.get("Range", "")  # type: ignore[attr-defined]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        rest = body[start:]
        sent = rest
        if broke[0]:
            broke[0] -= 1
            sent = rest[: len(rest) // 2]
        more = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        handler.send(206 if start else 200, sent, {"ETag": '"one"', **more}, len(rest))  # type: ignore[attr-defined]
        handler.close_connection = sent != rest  # type: ignore[attr-defined]

    place.server.replies["/osv/PyPI"] = breaking
    place.update("osv/PyPI")
    assert place.entries() == {"osv/PyPI": 500}
    assert [bool(headers.get("range")) for _, headers in place.server.asked] == [False, True, True]


@pytest.mark.slow
def test_killed_in_the_middle(place: Place, tmp_path: Path) -> None:
    """While it fetches, and while it writes: the old database is whole, the next update goes on, nothing is left."""
    place.serve()
    place.update("osv/PyPI", "kev")
    before, hang = place.path.read_bytes(), threading.Event()
    body = osv(*(f"PYSEC-{n}" for n in range(20000)))

    def hanging(handler: object) -> None:
        handler.send(200, body[:-10], {"ETag": '"big"'}, len(body))  # type: ignore[attr-defined]
        handler.wfile.flush()  # type: ignore[attr-defined]
        hang.wait(30)

    place.server.replies["/osv/PyPI"] = hanging
    argv = [sys.executable, "-m", "kezuri", "--db", str(place.path), "db", "update", "osv/PyPI", "-q"]
    argv += ["--db-origin", f"osv/PyPI={place.server.url}/osv/PyPI"]
    environ = {**os.environ, "KEZURI_ROOT": str(tmp_path / "root")}

    def killed_when(there: str) -> None:
        child = subprocess.Popen(argv, env=environ)
        try:
            end = time.monotonic() + 30
            while not any(place.path.parent.glob(there)) and time.monotonic() < end:
                time.sleep(0.002)
            assert any(place.path.parent.glob(there)), there
            time.sleep(0.2)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()

    killed_when("advisories.db.fetched/*/*.part")
    hang.set()
    assert place.path.read_bytes() == before
    place.server.asked.clear()

    def resuming(handler: object) -> None:
        start = len(body) - 10
        assert handler.headers.get("Range") == f"bytes={start}-"  # type: ignore[attr-defined]
        more = {"ETag": '"big"', "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        handler.send(206, body[start:], more)  # type: ignore[attr-defined]

    place.server.replies["/osv/PyPI"] = resuming
    killed_when("advisories.db.*.part")
    assert place.path.read_bytes() == before
    # It came whole before: it is only asked whether it is still the same.
    place.server.file("/osv/PyPI", body, ETag='"big"')
    place.server.asked.clear()
    place.update("osv/PyPI")
    assert place.server.asked[0][1].get("if-none-match") == '"big"'
    assert place.entries() == {"osv/PyPI": 20000, "kev": 1}
    assert sorted(file.name for file in place.path.parent.iterdir()) == ["advisories.db", "advisories.db.lock"]


@pytest.mark.slow
def test_an_authority_of_ones_own(place: Place, tmp_path: Path) -> None:
    """A mirror behind TLS whose certificate nobody else vouches for: refused with what to do, then trusted."""
    import ssl

    place.serve()
    certificate, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    place.server.socket = context.wrap_socket(place.server.socket, server_side=True)
    settings = place.settings._replace(db_origins=(("kev", f"https://localhost:{place.server.server_port}/kev"),))
    with pytest.raises(KezuriError) as raised:
        update(settings, ["kev"], place.heard)
    assert "is not trusted" in raised.value.diagnostics[1].message
    assert "ca-certificates" in raised.value.diagnostics[1].hint
    assert (
        update(settings._replace(ca_certificates=str(certificate)), ["kev"], place.heard).changes[0].data.entries == 1
    )
