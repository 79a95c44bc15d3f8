"""`kezuri db` from the command line: its words, its tables and its exit codes."""

import io
import json
from pathlib import Path

import pytest
from tests.source.source_remote_servers import web_server

from kezuri.cli.console import Console
from kezuri.cli.main import call

KEV = {
    "title": "CISA Catalog of Known Exploited Vulnerabilities",
    "catalogVersion": "2020.01.01",
    "dateReleased": "2020-01-01T15:00:00.000Z",
    "count": 2,
    "vulnerabilities": [
        {"cveID": cve, "dateAdded": "2020-01-01", "knownRansomwareCampaignUse": "Unknown"}
        for cve in ("CVE-2020-1", "CVE-2020-2")
    ],
}


class Desk:
    """A directory with a database, and the command that is asked about it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.kev = place / "kev.json"
        self.kev.write_text(json.dumps(KEV))

    def __call__(self, *argv: str, code: int = 0, **environ: str) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        environ = {"HOME": "/nowhere", "KEZURI_DB": str(self.place / "advisories.db"), **environ}
        got = call(("db", *argv), Console(out, err, environ))
        assert got == code, (got, out.getvalue(), err.getvalue())
        return out.getvalue(), err.getvalue()


@pytest.fixture
def db(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_imported_shown_and_removed(db: Desk) -> None:
    out, err = db("import", str(db.kev))
    assert out == "kev: 2 entries (2020-01-01)\n" and "#2 read kev\n#2 DONE" in err
    out, err = db("status")
    first, head, row = out.splitlines()
    assert first.startswith(f"{db.place}/advisories.db (") and head.split() == [
        "DATA", "SET", "ENTRIES", "DATE", "CURRENT", "ORIGIN",
    ]  # fmt: skip
    assert row.split() == ["kev", "2", "2020-01-01", "2020-01-01", str(db.kev)]
    assert "warning: the advisories of kev are old: of 2020-01-01" in err and "kezuri db update" in err
    assert json.loads(db("status", "--verify", "--format", "json")[0])["Licence"] == "CC0-1.0"
    assert db("status", "--format", "{{.Name}} {{.Entries}}", KEZURI_DB_AGE="100000d") == ("kev 2\n", "")
    assert db("rm", "kev") == ("Deleted: kev\n", "")
    assert db("rm", "kev", code=2)[1].startswith("error: there is no data set kev\n")


def test_a_number_that_changed_is_told_with_the_one_before(db: Desk) -> None:
    db("import", str(db.kev), "--quiet")
    db.kev.write_text(json.dumps({**KEV, "count": 1, "vulnerabilities": KEV["vulnerabilities"][:1]}))  # type: ignore[index]
    assert db("import", str(db.kev))[0] == "kev: 1 entries, 2 before (2020-01-01)\n"
    assert db("import", str(db.kev), "-q") == ("", "")


def test_what_could_not_be_read_is_said_even_if_nothing_else_is(db: Desk) -> None:
    odd = {"cveID": "no\x1b[31mCVE", "dateAdded": "2020-01-01", "knownRansomwareCampaignUse": "Unknown"}
    db.kev.write_text(json.dumps({**KEV, "vulnerabilities": [KEV["vulnerabilities"][0], odd]}))  # type: ignore[index]
    out, err = db("import", str(db.kev), "-q")
    assert out == "" and "warning: kev: 1 part could not be read" in err and "\x1b" not in err


def test_there_is_none_or_it_is_something_else(db: Desk) -> None:
    assert "`kezuri db update` fetches one" in db("status", code=2)[1]
    assert "holds no advisory data" in db("import", __file__, code=1)[1]
    (db.place / "advisories.db").write_text("my notes, which nobody may write over\n" * 9)
    for argv in (("import", str(db.kev)), ("update", "kev"), ("update", "--afresh", "kev"), ("status",), ("rm", "kev")):
        assert "is no database of advisories" in db(*argv, code=2)[1]
    assert (db.place / "advisories.db").read_text().startswith("my notes")
    assert "that is no file" in db("import", str(db.kev), code=2, KEZURI_DB="/dev/null")[1]


def test_updated(db: Desk) -> None:
    with web_server() as server:
        server.file("/kev.json", json.dumps(KEV).encode(), ETag='"1"')
        origin = ("--db-origin", f"kev={server.url}/kev.json")
        assert "kev: 2 entries (2020-01-01)\n" in db("update", *origin, "kev")[0]
        assert "kev: nothing newer\n" in db("update", *origin, "kev")[0]
        assert db("update", "-q", *origin, "kev") == ("", "")
        out, err = db("update", *origin, "--db-origin", f"epss={server.url}/none", "kev", "epss", code=1)
        assert "kev: nothing newer" in out and f"{server.url}/none cannot be downloaded" in err
        assert db("status")[1] == "", "its server said just now that it has nothing newer"
    assert "did you mean kev?" in db("update", "kve", code=2)[1]


def test_doctor_looks_at_it(db: Desk) -> None:
    """Nothing where there is none: builds do without."""
    from kezuri.app.doctor import _advisories
    from kezuri.app.request import Settings

    settings = Settings(root="/nowhere", db=str(db.place / "advisories.db"), db_age=10**12)
    assert _advisories(settings) == ()
    db("import", str(db.kev), "-q")
    assert [(check.state, check.detail) for check in _advisories(settings)] == [("ok", f"{settings.db}: 1 data sets")]
    assert [check.state for check in _advisories(settings._replace(db_age=1))] == ["warning"]
    (db.place / "advisories.db").write_bytes(b"")
    assert "is damaged" in _advisories(settings)[0].detail


def test_origins(db: Desk) -> None:
    out, _ = db("origins", "--db-origin", "kev=https://mirror.example/kev.json")
    rows = {line.split("   ")[0].strip(): line for line in out.splitlines()[1:]}
    assert "https://mirror.example/kev.json" in rows["kev"] and "yes" in rows["kev"]
    assert "https://osv-vulnerabilities.storage.googleapis.com/Rocky%20Linux/all.zip" in rows["osv/Rocky Linux"]
    assert "yes" not in rows["osv/Ubuntu"]
    assert "NAME=https://HOST/FILE" in db("origins", "--db-origin", "kev", code=2)[1]
