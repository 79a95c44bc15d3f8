"""`db update` against servers of this machine: what is new comes, what is not stays, and what is no answer is not
believed."""

import gzip
import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.app.app_advisories import DAY, Place, a_place, kev, osv, secdb
from tests.source.source_remote_servers import Handler

from kezuri.advisories.database import Database
from kezuri.advisories.origins import ORIGINS, origins
from kezuri.app.advisories import remove
from kezuri.app.advisory_update import update
from kezuri.diagnostics import KezuriError


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with a_place(tmp_path) as made:
        yield made


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


def test_a_damaged_database_is_made_anew(place: Place) -> None:
    place.serve()
    place.update("osv/PyPI")
    data = place.path.read_bytes()
    place.path.write_bytes(data[: len(data) // 2])
    updated = place.update("osv/PyPI")
    assert [change.before for change in updated.changes] == [-1]
    assert any("is damaged" in text and "it is made anew" in text for text in place.warned)
    assert place.entries() == {"osv/PyPI": 2}


def test_a_set_of_which_most_cannot_be_read_is_not_believed(place: Place) -> None:
    """The format has changed, say: an ecosystem would count as known, of which next to nothing is."""
    kept = osv("PYSEC-1", "PYSEC-2")
    place.server.file("/osv/PyPI", kept)
    place.server.file("/kev", kev("CVE-1-1"))
    place.update("osv/PyPI", "kev")
    out = io.BytesIO(osv("PYSEC-1", "PYSEC-2"))
    with zipfile.ZipFile(out, "a") as archive:
        for number in range(3):
            archive.writestr(f"PYSEC-2-{number}.json", '{"id": "PYSEC-9", "affects": []}')
    place.server.file("/osv/PyPI", out.getvalue())
    place.server.file("/kev", kev("CVE-1-1", "CVE-1-2"))
    updated = place.update()
    said = updated.failed["osv/PyPI"].diagnostics[0]
    assert "3 parts could not be read, and 2 could" in said.message and said.output.startswith("PYSEC-9: ")
    assert place.entries() == {"osv/PyPI": 2, "kev": 2}


@pytest.mark.parametrize("where", ["a page of advisories", "an advisory's number"])
def test_damage_that_only_shows_when_it_is_read_is_no_dead_end(place: Place, where: str) -> None:
    """What was to be kept cannot be: it is fetched again, also where another set was asked for."""
    place.server.file("/osv/PyPI", osv(*(f"PYSEC-{n}" for n in range(300))), ETag='"p1"')
    place.server.file("/kev", kev("CVE-1-1"), ETag='"k1"')
    place.update("osv/PyPI", "kev")
    if where == "a page of advisories":
        data = bytearray(place.path.read_bytes())
        page = data.index(b"of-pysec-200") // 8192 * 8192
        data[page : page + 8192] = b"\xff" * 8192
        place.path.write_bytes(data)
    else:
        with closing(sqlite3.connect(place.path)) as connection:
            connection.execute("UPDATE advisory SET data = 999 WHERE id = 'PYSEC-7'")
            connection.commit()
    updated = place.update("kev")
    assert not updated.failed and place.entries() == {"osv/PyPI": 300, "kev": 1}
    assert any("is damaged" in text and "it is made anew" in text for text in place.warned)


def test_a_mirror_that_packs_everything(place: Place) -> None:
    def packing(handler: Handler) -> None:
        body, packs = osv("PYSEC-1"), "gzip" in handler.headers.get("Accept-Encoding", "")
        handler.send(200, gzip.compress(body) if packs else body, {"Content-Encoding": "gzip"} if packs else {})

    place.server.replies["/osv/PyPI"] = packing
    place.update("osv/PyPI")
    assert place.entries() == {"osv/PyPI": 1}


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
