"""The database of advisories: what is put into it comes out of it, and a file that is none is said to be none."""

from pathlib import Path

import pytest

from kezuri.advisories.database import DamagedDatabase, Database, NoDatabase
from kezuri.advisories.values import Advisory, Affected, DataSet, Entry, Signal
from kezuri.advisories.writing import NewDatabase, write
from kezuri.diagnostics import KezuriError
from kezuri.versions.ranges import Event

ADVISORY = Advisory(
    "GHSA-1", "osv/PyPI", ("CVE-1", "PYSEC-1"), "jinja2 lets templates out ✂", "high", ("CVSS:3.1/AV:N",), 9.8,
    "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", "", ("https://a.example", "https://b.example"), "",
)  # fmt: skip
RANGES = (
    (Event("introduced", "0"), Event("fixed", "2.11")),
    (Event("introduced", "3"), Event("last_affected", "3.1"), Event("limit", "4")),
)
AFFECTED = Affected("PyPI", "", "jinja2", RANGES, ("1.0", "dev-é"), "wont-fix", "medium")


def test_what_is_put_in_comes_out(tmp_path: Path) -> None:
    path = str(tmp_path / "made/for/it/advisories.db")
    distribution = Affected("Debian", "12", "openssl", ((Event("introduced", "0"),),))
    deb = Entry(Advisory("CVE-2", "debian"), (distribution, distribution._replace(release="13")))
    write(path, Entry(ADVISORY, (AFFECTED,)), deb, Signal("CVE-1", "2024-01-01", True), Signal("CVE-1", chance=0.25))
    with Database.open(path) as database:
        found = list(database.about("PyPI", "", ["jinja2", "other", "jinja2"]))
        assert [(name, hit.affected) for name, hit in found] == [("jinja2", AFFECTED)]
        assert list(database.advisories([found[0][1].key]).values()) == [ADVISORY]
        assert list(database.about("npm", "", ["jinja2"])) == []
        assert [hit.affected.release for _, hit in database.about("Debian", "12", ["openssl"])] == ["12"]
        assert (
            database.covers("Debian", "13") and not database.covers("Debian", "11") and not database.covers("npm", "")
        )
        assert database.signals(["CVE-1", "CVE-9"]) == {"CVE-1": Signal("CVE-1", "2024-01-01", True, 0.25)}
        assert {data.name: data.entries for data in database.data()} == {
            "osv/PyPI": 1,
            "debian": 1,
            "kev": 1,
            "epss": 1,
        }


def test_more_names_than_one_query_takes(tmp_path: Path) -> None:
    path = str(tmp_path / "advisories.db")
    names = [f"p{number}" for number in range(1201)]
    write(path, *(Entry(Advisory(f"X-{name}", "x"), (Affected("npm", "", name),)) for name in names))
    with Database.open(path) as database:
        found = list(database.about("npm", "", names))
        assert [name for name, _ in found] == sorted(names) or {name for name, _ in found} == set(names)
        assert len(database.advisories([hit.key for _, hit in found])) == len(names)


def test_names_that_no_database_can_hold(tmp_path: Path) -> None:
    """JSON can say halves of characters, and package databases lie."""
    path = str(tmp_path / "advisories.db")
    odd = Entry(
        Advisory("X\ud800", "x", summary="\udfff"), (Affected("npm", "", "a\ud800"), Affected("npm", "", "b\0"))
    )
    write(path, odd, Entry(Advisory("Y", "x"), (Affected("npm", "", "é" * 10000),)))
    with Database.open(path) as database:
        names = ["a\ud800", "b\0", "é" * 10000, "x' OR '1'='1", "%", ""]
        assert [name for name, _ in database.about("npm", "", names)] == ["b\0", "é" * 10000]
        assert database.signals(["\ud800"]) == {}


def test_withdrawn_advisories_are_not_found(tmp_path: Path) -> None:
    path = str(tmp_path / "advisories.db")
    write(path, Entry(ADVISORY._replace(withdrawn="2024-03-01T00:00:00Z"), (AFFECTED,)))
    with Database.open(path) as database:
        assert list(database.about("PyPI", "", ["jinja2"])) == []
        assert database.covers("PyPI", "")


def test_a_set_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = str(tmp_path / "advisories.db")
    write(
        path, Entry(ADVISORY, (AFFECTED,)), Entry(Advisory("RUSTSEC-1", "rustsec"), (Affected("crates.io", "", "x"),))
    )
    with Database.open(path) as before, NewDatabase(path) as new:
        assert new.keep(path, ["osv/PyPI"]) == ("rustsec",)
        new.fill(DataSet("osv/PyPI", "", "", "", 0), [Entry(ADVISORY._replace(id="N"), (AFFECTED,))])
        new.publish()
        # Who had it open goes on with what it was.
        keys = [hit.key for _, hit in before.about("PyPI", "", ["jinja2"])]
        assert [one.id for one in before.advisories(keys).values()] == ["GHSA-1"]
    with Database.open(path) as database:
        keys = [hit.key for _, hit in database.about("PyPI", "", ["jinja2"])]
        assert [one.id for one in database.advisories(keys).values()] == ["N"]
        keys = [hit.key for _, hit in database.about("crates.io", "", ["x"])]
        assert [one.id for one in database.advisories(keys).values()] == ["RUSTSEC-1"]
    assert [file.name for file in tmp_path.iterdir()] == ["advisories.db"]


def test_of_a_set_that_says_what_it_is_about_the_rest_is_left_out(tmp_path: Path) -> None:
    """The archive of npm has advisories that tell of packages of PyPI, too: that is no data of PyPI."""
    path = str(tmp_path / "advisories.db")
    affected = (Affected("npm", "", "a"), AFFECTED, Affected("Alpine", "v3.20", "a"))
    with NewDatabase(path) as new:
        new.fill(DataSet("osv/npm", "", "", "", 0, ecosystems=(("npm", ""),)), [Entry(ADVISORY, affected)])
        new.fill(DataSet("alpine/v3.21", "", "", "", 0, ecosystems=(("Alpine", "v3.21"),)), [])
        new.publish()
    with Database.open(path) as database:
        assert list(database.about("PyPI", "", ["jinja2"])) == [] and not database.covers("PyPI", "")
        assert (
            database.covers("npm", "") and database.covers("Alpine", "v3.21") and not database.covers("Alpine", "v3.20")
        )


def test_the_date_of_a_set_is_not_in_the_future(tmp_path: Path) -> None:
    path = str(tmp_path / "advisories.db")
    dates = ("2024-05-01T00:00:00Z", "2999-01-01T00:00:00Z", "zzz", "")
    entries = [Entry(Advisory(f"X{date}", "x", modified=date), ()) for date in dates]
    with NewDatabase(path) as new:
        new.fill(DataSet("x", "", "", "2026-01-01T00:00:00Z", 0), entries)
        new.publish()
    with Database.open(path) as database:
        assert [data.date for data in database.data()] == ["2024-05-01T00:00:00Z"]


def test_without_publishing_nothing_happens(tmp_path: Path) -> None:
    path = str(tmp_path / "advisories.db")
    write(path, Entry(ADVISORY, (AFFECTED,)))
    before = (tmp_path / "advisories.db").read_bytes()
    with pytest.raises(ZeroDivisionError), NewDatabase(path) as new:
        new.fill(DataSet("x", "", "", "", 0), (Entry(Advisory(str(1 // n), "x"), ()) for n in (1, 1, 0)))
    assert (tmp_path / "advisories.db").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["advisories.db"]


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(NoDatabase, match="there is no database") as raised:
        Database.open(str(tmp_path / "advisories.db"))
    assert raised.value.exit_code == 2 and "kezuri db update" in raised.value.diagnostics[0].hint
    with pytest.raises(NoDatabase):
        Database.open(str(tmp_path / "file/advisories.db"))
    with pytest.raises(KezuriError, match="cannot read"):
        Database.open(str(tmp_path))


def test_what_somebody_else_has_there_is_not_taken_for_one(tmp_path: Path) -> None:
    import os

    text, pipe = tmp_path / "Dockerfile", tmp_path / "pipe"
    text.write_text("FROM scratch\n" * 20)
    os.mkfifo(pipe)
    for path in (text, pipe, Path("/dev/full")):
        with pytest.raises(KezuriError, match=r"is no database|cannot read") as raised:
            Database.open(str(path))
        assert not isinstance(raised.value, DamagedDatabase)


def test_a_path_with_everything_that_an_address_reads_otherwise(tmp_path: Path) -> None:
    path = f"{tmp_path}/a%20b?mode=rw#\udcff/advisories.db"
    write(path, Entry(ADVISORY, (AFFECTED,)))
    with NewDatabase(path) as new:
        new.keep(path)
        new.publish()
    with Database.open(path) as database:
        assert len(list(database.about("PyPI", "", ["jinja2"]))) == 1


@pytest.mark.parametrize(
    "change",
    [
        "DROP INDEX affected_name",
        "DROP TABLE data; CREATE VIEW data AS WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 2 FROM n) SELECT 3",
        "CREATE TRIGGER t AFTER INSERT ON data BEGIN DELETE FROM data; END",
        "CREATE TABLE more (a)",
        "UPDATE affected SET ranges = replace(hex(zeroblob(50000)), '0', '[')",
        "UPDATE affected SET ranges = '[[\"x1\"]]'",
        "UPDATE affected SET versions = '5'",
        "UPDATE affected SET severity = 'hihg'",
        "UPDATE affected SET advisory = 99",
        "UPDATE advisory SET rest = '{}'",
        "UPDATE advisory SET score = 'much'",
        "UPDATE advisory SET score = 9e999",
        "UPDATE advisory SET rest = '[[1], \"\", [], []]'",
        "UPDATE advisory SET rest = '[[], {}, [], []]'",
        "UPDATE affected SET versions = '[1]'",
        "UPDATE data SET entries = 'many'",
    ],
)
def test_one_that_somebody_made_up(tmp_path: Path, change: str) -> None:
    import sqlite3

    path = tmp_path / "advisories.db"
    write(str(path), Entry(ADVISORY, (AFFECTED,)))
    connection = sqlite3.connect(path)
    connection.executescript(change)
    connection.close()
    with pytest.raises(DamagedDatabase), Database.open(str(path)) as database:
        database.data()
        database.advisories([hit.key for _, hit in database.about("PyPI", "", ["jinja2"])])


@pytest.mark.parametrize("length", [0, 99, 100, 4096, -1, -8192])
def test_cut_short(tmp_path: Path, length: int) -> None:
    path = tmp_path / "advisories.db"
    write(str(path), Entry(ADVISORY, (AFFECTED,)))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedDatabase, match="is damaged") as raised:
        Database.open(str(path))
    assert raised.value.exit_code == 2


def test_a_newer_one_and_another_ones(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "advisories.db"
    write(str(path), Entry(ADVISORY, (AFFECTED,)))
    sqlite3.connect(path).execute("PRAGMA user_version=99").connection.close()
    with pytest.raises(KezuriError, match="of a newer kezuri: its schema is 99") as raised:
        Database.open(str(path))
    assert "update kezuri" in raised.value.diagnostics[0].hint and not isinstance(raised.value, DamagedDatabase)
    sqlite3.connect(path).execute("PRAGMA user_version=0").connection.close()
    with pytest.raises(DamagedDatabase, match="of an older kezuri"):
        Database.open(str(path))
    sqlite3.connect(path).execute("PRAGMA application_id=7").connection.close()
    with pytest.raises(KezuriError, match="no database of advisories"):
        Database.open(str(path))


@pytest.mark.slow
def test_bytes_that_changed_give_an_error_or_an_answer(tmp_path: Path) -> None:
    """Never another error, whatever a disk made of the file; and a look at every page finds what was changed."""
    from random import Random

    path = tmp_path / "advisories.db"
    entries = [Entry(ADVISORY._replace(id=f"X-{n}"), (AFFECTED._replace(name=f"p{n}"),)) for n in range(100)]
    write(str(path), *entries, *(Signal(f"CVE-{n}", chance=0.5) for n in range(100)))
    whole, random, names = path.read_bytes(), Random(13), [f"p{n}" for n in range(100)]
    told = 0
    for _ in range(200):
        changed = bytearray(whole)
        for _ in range(random.choice((1, 1, 8))):
            changed[random.randrange(len(whole))] = random.randrange(256)
        path.write_bytes(changed)
        try:
            with Database.open(str(path)) as database:
                database.data()
                keys = [hit.key for _, hit in database.about("PyPI", "", names)]
                database.advisories(keys)
                database.signals(f"CVE-{n}" for n in range(100))
                database.verify()
        except KezuriError:
            told += 1
    assert told > 20


def test_damage_in_the_middle_is_no_silence(tmp_path: Path) -> None:
    """Every page but the first, overwritten, gives an error when it is needed, or the same answers."""
    path = tmp_path / "advisories.db"
    write(str(path), *(Entry(ADVISORY._replace(id=f"X-{n}"), (AFFECTED._replace(name=f"p{n}"),)) for n in range(300)))
    whole = path.read_bytes()
    page, failed = 8192, 0
    names = [f"p{n}" for n in range(300)]
    for start in range(page, len(whole), page):
        path.write_bytes(whole[:start] + b"\xa5" * page + whole[start + page :])
        try:
            with Database.open(str(path)) as database:
                found = list(database.about("PyPI", "", names))
                said = database.advisories([hit.key for _, hit in found])
            assert len(found) == len(said) == 300, start
        except DamagedDatabase:
            failed += 1
    assert failed > 3


def test_a_few_dates_are_not_the_date_of_the_data(tmp_path: Path) -> None:
    """Where most entries do not say when they were changed, the newest of the others says nothing of the whole."""
    path = tmp_path / "advisories.db"
    dated = Entry(ADVISORY._replace(id="X-0", modified="2020-01-01"), (AFFECTED,))
    others = [Entry(ADVISORY._replace(id=f"X-{n}", modified=""), (AFFECTED,)) for n in (1, 2)]
    for entries, date in (([dated, *others], ""), ([dated, others[0]], "2020-01-01")):
        write(str(path), *entries)
        with Database.open(str(path)) as database:
            assert [data.date for data in database.data()] == [date]
