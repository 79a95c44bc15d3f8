"""`db update` against servers of this machine: what is new comes, what is not stays, and what goes wrong changes
nothing."""

import gzip
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.source.source_remote_servers import WebServer, web_server

from kezuri.advisories.database import Database
from kezuri.advisories.origins import ORIGINS, origins
from kezuri.app.advisories import import_data, remove
from kezuri.app.advisory_update import Updated, update
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.progress.events import Event, Warned

DAY = "2026-11-20T00:00:00Z"


def osv(*ids: str, ecosystem: str = "PyPI", modified: str = DAY) -> bytes:
    """An archive as OSV has them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for own in ids:
            affected = {
                "package": {"ecosystem": ecosystem, "name": f"of-{own}"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}],
            }
            advisory = {"schema_version": "1.7.0", "id": own, "modified": modified, "affected": [affected]}
            archive.writestr(f"{own}.json", json.dumps(advisory))
    return out.getvalue()


def kev(*cves: str) -> bytes:
    faults = [
        {
            "cveID": cve, "vendorProject": "x", "product": "y", "vulnerabilityName": "z", "dateAdded": "2024-01-02",
            "shortDescription": "", "requiredAction": "", "dueDate": "2024-02-02",
            "knownRansomwareCampaignUse": "Known", "notes": "",
        }
        for cve in cves
    ]  # fmt: skip
    released = {"title": "CISA Catalog", "catalogVersion": "2026.11.20", "dateReleased": "2026-11-20T15:00:00.000Z"}
    return json.dumps({**released, "count": len(faults), "vulnerabilities": faults}).encode()


class Place:
    """A database, and a server that every origin is asked at."""

    def __init__(self, path: Path, server: WebServer) -> None:
        self.path, self.server = path, server
        asked = tuple((origin.name, f"{server.url}/{origin.name.replace(' ', '_')}") for origin in ORIGINS)
        self.settings = Settings(root=str(path.parent), db=str(path), db_origins=asked)
        self.warned: list[str] = []

    def update(self, *names: str, afresh: bool = False) -> Updated:
        return update(self.settings, names, self.heard, afresh)

    def heard(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.warned.append(event.diagnostic.message)

    def entries(self) -> dict[str, int]:
        with Database.open(str(self.path)) as database:
            database.verify()
            return {data.name: data.entries for data in database.data()}

    def serve(self) -> None:
        self.server.file("/osv/PyPI", osv("PYSEC-1", "PYSEC-2"), ETag='"p1"')
        self.server.file("/kev", kev("CVE-1-1"), ETag='"k1"')


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with web_server() as server:
        yield Place(tmp_path / "cache/advisories.db", server)


def test_what_is_new_comes_and_the_rest_is_not_sent_again(place: Place) -> None:
    place.serve()
    first = place.update("osv/PyPI", "kev")
    assert [(change.data.name, change.data.entries, change.before) for change in first.changes] == [
        ("osv/PyPI", 2, -1),
        ("kev", 1, -1),
    ]
    place.server.file("/osv/PyPI", osv("PYSEC-1", "PYSEC-2", "PYSEC-3"), ETag='"p2"')
    second = place.update("osv/PyPI", "kev")
    assert [(change.data.name, change.before) for change in second.changes] == [("osv/PyPI", 2)]
    assert second.unchanged == ("kev",) and not second.failed
    assert place.entries() == {"osv/PyPI": 3, "kev": 1}
    third = place.update("osv/PyPI", "kev")
    assert third.changes == () and third.unchanged == ("osv/PyPI", "kev")
    # Nothing but the database, and what keeps two from writing it at once, is left.
    assert sorted(file.name for file in place.path.parent.iterdir()) == ["advisories.db", "advisories.db.lock"]
    with Database.open(str(place.path)) as database:
        (found,) = [data for data in database.data() if data.name == "osv/PyPI"]
        assert (found.date, found.address) == (DAY, f"{place.server.url}/osv/PyPI")
        assert found.checked >= found.fetched > DAY
        assert [name for name, _ in database.about("PyPI", "", ["of-pysec-3"])] == ["of-pysec-3"]
        assert database.signals(["CVE-1-1"])["CVE-1-1"].exploited == "2024-01-02"


def test_without_names_what_is_usual_and_what_is_there(place: Place) -> None:
    place.serve()
    place.server.file("/osv/Ubuntu", osv("USN-1", ecosystem="Ubuntu:22.04:LTS"))
    place.update("osv/Ubuntu")
    place.server.asked.clear()
    updated = place.update()
    usual = {f"/{origin.name.replace(' ', '_')}" for origin in ORIGINS if origin.usual}
    assert set(place.server.paths) == usual | {"/osv/Ubuntu"} and not updated.failed
    # Of releases that are yet to come nobody speaks, of others that are gone one word is said.
    assert "alpine/v3.20/main is not at" in " ".join(place.warned)
    assert not any(origin.name in text for origin in ORIGINS if origin.expected for text in place.warned)


def secdb(release: str, **more: str) -> bytes:
    packages = [{"pkg": {"name": "busybox", "secfixes": {"1.36.1-r2": ["CVE-2020-0001"], "0": ["CVE-2020-0002"]}}}]
    return json.dumps({"distroversion": release, "reponame": "main", "packages": packages, **more}).encode()


def test_every_format_comes_through(place: Place) -> None:
    """As the sources send them: packed on the way, packed by themselves, or not."""
    tracker = {
        "openssl": {
            "CVE-2020-0001": {"releases": {"bookworm": {"status": "open", "urgency": "low", "repositories": {}}}}
        }
    }
    core = {"1": {"cve": ["CVE-2020-0001"], "vulnerable": "8.x", "patched": "^8.1.4", "ref": "", "overview": "x"}}
    wolfi = secdb("", reponame="os", urlprefix="https://packages.wolfi.dev")
    scores = b"#model_version:v1,score_date:2026-11-19T00:00:00+0000\ncve,epss,percentile\nCVE-2020-0001,0.5,0.9\n"
    serve = place.server.file
    serve(
        "/debian",
        gzip.compress(json.dumps(tracker).encode()),
        Content_Encoding="gzip",
        Last_Modified="Fri, 20 Nov 2026 00:00:00 GMT",
    )
    serve("/node", json.dumps(core).encode())
    serve("/alpine/v3.20/main", secdb("v3.20"))
    serve("/wolfi", wolfi)
    serve("/epss", gzip.compress(scores))
    serve("/osv/Go", osv("GO-1", ecosystem="Go"))
    serve("/osv/Rocky_Linux", osv("RLSA-1", ecosystem="Rocky Linux:9"))
    updated = place.update("debian", "node", "alpine/v3.20/main", "wolfi", "epss", "osv/Go", "osv/Rocky Linux")
    assert not updated.failed and not any(change.lost for change in updated.changes)
    with Database.open(str(place.path)) as database:
        for pair in (("Debian", "12"), ("Alpine", "v3.20"), ("Wolfi", ""), ("Go", ""), ("Rocky Linux", "9")):
            assert database.covers(*pair), pair
        assert not database.covers("Alpine", "v3.19") and not database.covers("Rocky Linux", "8")
        assert database.signals(["CVE-2020-0001"])["CVE-2020-0001"].chance == 0.5
        dates = {data.name: data.date[:10] for data in database.data()}
        assert (dates["debian"], dates["epss"], dates["osv/Go"]) == ("2026-11-20", "2026-11-19", "2026-11-20")
        assert len([hit for _, hit in database.about("Debian", "12", ["openssl"])]) == 1
        assert len([hit for _, hit in database.about("Alpine", "v3.20", ["busybox"])]) == 2


def test_the_file_of_another_release_is_no_data_of_this_one(place: Place) -> None:
    """Else a scan would find that nothing is known about it."""
    place.server.file("/alpine/v3.20/main", secdb("v3.19"))
    place.server.file("/alpine/v3.20/community", secdb("v3.20", reponame="community"))
    updated = place.update("alpine/v3.20")
    assert "tells of no package of Alpine v3.20" in str(updated.failed["alpine/v3.20/main"])
    assert place.entries() == {"alpine/v3.20/community": 2}


def test_a_name_is_for_all_below_it_and_must_be_one(place: Place) -> None:
    place.server.file("/alpine/v3.20/main", secdb("v3.20"))
    with pytest.raises(KezuriError, match="404"):
        raise place.update("alpine/v3.20").failed["alpine/v3.20/community"]
    assert place.entries() == {"alpine/v3.20/main": 2}
    with pytest.raises(KezuriError, match="there is no data set kve") as raised:
        place.update("kve")
    assert raised.value.diagnostics[0].hint == "did you mean kev?" and raised.value.exit_code == 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing", marks=pytest.mark.slow),
        pytest.param(b"{}", id="empty-json", marks=pytest.mark.slow),
        pytest.param(b"<html>Please log in</html>", id="a-page-of-a-proxy"),
        pytest.param(osv(), id="empty-zip"),
        pytest.param(osv("PYSEC-1")[:-30], id="cut-in-its-directory"),
        pytest.param(osv("PYSEC-1")[:50], id="cut", marks=pytest.mark.slow),
        pytest.param(b"\x1f\x8b\x08\x00x", id="cut-gzip", marks=pytest.mark.slow),
    ],
)
def test_what_is_no_answer_changes_nothing(place: Place, body: bytes) -> None:
    place.serve()
    place.update("osv/PyPI", "kev")
    place.server.file("/osv/PyPI", body)
    place.server.file("/kev", kev("CVE-1-1", "CVE-1-2"))
    updated = place.update()
    assert list(updated.failed) == ["osv/PyPI"] and "osv/PyPI" in str(updated.failed["osv/PyPI"])
    assert place.entries() == {"osv/PyPI": 2, "kev": 2}
    place.serve()
    assert not place.update("osv/PyPI").failed


def test_a_catalogue_of_nothing_is_not_believed(place: Place) -> None:
    place.serve()
    place.update("kev")
    place.server.file("/kev", kev())
    with pytest.raises(KezuriError, match="no advisories could be fetched") as raised:
        place.update("kev")
    assert "kev" in raised.value.diagnostics[1].message
    assert place.entries() == {"kev": 1}


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
        began = time.monotonic()
        with pytest.raises(KezuriError, match="no advisories could be fetched"):
            update(place.settings._replace(db_origins=dead), (), place.heard)
        # Twice at most: that a connection breaks once may be chance.
        assert asked <= 2 and time.monotonic() - began < 15
        listening.shutdown(socket.SHUT_RDWR)


def test_a_set_that_lost_most_of_what_it_had_is_not_believed(place: Place) -> None:
    place.server.file("/osv/PyPI", osv(*(f"PYSEC-{n}" for n in range(200))))
    place.update("osv/PyPI")
    place.server.file("/osv/PyPI", osv(*(f"PYSEC-{n}" for n in range(20))))
    with pytest.raises(KezuriError, match="no advisories could be fetched") as raised:
        place.update("osv/PyPI")
    assert "20 entries, and the database 200" in raised.value.diagnostics[1].message
    assert place.entries() == {"osv/PyPI": 200}
    assert remove(place.settings, ["osv"], place.heard) == ("osv/PyPI",)
    place.update("osv/PyPI")
    assert place.entries() == {"osv/PyPI": 20}


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


def test_a_damaged_database_is_made_anew(place: Place) -> None:
    place.serve()
    place.update("osv/PyPI")
    data = place.path.read_bytes()
    place.path.write_bytes(data[: len(data) // 2])
    updated = place.update("osv/PyPI")
    assert [change.before for change in updated.changes] == [-1]
    assert any("is damaged" in text and "it is made anew" in text for text in place.warned)
    assert place.entries() == {"osv/PyPI": 2}


def test_afresh(place: Place) -> None:
    place.serve()
    place.update("osv/PyPI", "kev")
    assert [change.data.name for change in place.update("osv/PyPI", afresh=True).changes] == ["osv/PyPI"]
    assert place.entries() == {"osv/PyPI": 2}


def test_an_address_that_changed_is_asked_without_what_the_other_said(place: Place) -> None:
    place.serve()
    place.update("kev")
    place.server.file("/mirror", kev("CVE-1-1", "CVE-1-2"), ETag='"k1"')
    settings = place.settings._replace(db_origins=(("kev", f"{place.server.url}/mirror"),))
    assert update(settings, ["kev"], place.heard).changes[0].data.entries == 2


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


def test_where_a_whole_family_is_asked_elsewhere() -> None:
    found = origins((("osv/*", "https://mirror.example/osv/*.zip"), ("kev", "https://mirror.example/kev.json")))
    assert found["osv/Rocky Linux"].address == "https://mirror.example/osv/Rocky%20Linux.zip"
    assert found["kev"].address == "https://mirror.example/kev.json"
    assert found["epss"].address.startswith("https://epss.")
    assert len({origin.name for origin in ORIGINS}) == len(ORIGINS)
    assert all(origin.address.startswith("https://") for origin in ORIGINS)


def test_a_mirror_that_wants_to_know_who_asks(place: Place) -> None:
    """The password goes to its host, and is nowhere else: not in the database, nor in an error."""
    place.serve()
    url = place.server.url.replace("http://", "http://me:s%2Fcret@")
    settings = place.settings._replace(db_origins=(("kev", f"{url}/kev"), ("epss", f"{url}/none")))
    updated = update(settings, ["kev", "epss"], place.heard)
    assert place.server.asked[0][1]["authorization"] == "Basic bWU6cy9jcmV0"
    with Database.open(str(place.path)) as database:
        assert [data.address for data in database.data()] == [f"{place.server.url}/kev"]
    assert "cret" not in str(updated.failed["epss"]) and b"cret" not in place.path.read_bytes()


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


def test_import_is_all_or_nothing(place: Place, tmp_path: Path) -> None:
    (tmp_path / "good.zip").write_bytes(osv("PYSEC-1"))
    (tmp_path / "bad.json").write_bytes(kev("CVE-1-1")[:-20])
    paths = [str(tmp_path / "good.zip"), str(tmp_path / "bad.json")]
    with pytest.raises(KezuriError, match=r"bad\.json"):
        import_data(place.settings, paths, place.heard)
    assert not place.path.exists()
    done = import_data(place.settings, paths[:1], place.heard)
    assert [change.data.entries for change in done.changes] == [1]


def test_a_database_that_was_brought_along(place: Place, tmp_path: Path) -> None:
    """From a machine with a network to one without: what it has is taken over, with its dates."""
    place.serve()
    place.update("osv/PyPI", "kev")
    (tmp_path / "own.zip").write_bytes(osv("PYSEC-9"))
    (tmp_path / "go.zip").write_bytes(osv("GO-1", ecosystem="Go"))
    other = place.settings._replace(db=str(tmp_path / "other.db"))
    import_data(other, [str(tmp_path / "own.zip"), str(tmp_path / "go.zip")], place.heard)
    import_data(other, [str(place.path)], place.heard)
    with Database.open(other.db) as database:
        database.verify()
        assert {data.name: bool(data.checked) for data in database.data()}["osv/PyPI"]
        assert [found for found, _ in database.about("Go", "", ["of-GO-1"])] == ["of-GO-1"]
        keys = [hit.key for _, hit in database.about("PyPI", "", ["of-pysec-2"])]
        assert [one.id for one in database.advisories(keys).values()] == ["PYSEC-2"]


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
