"""`db import`: what was brought along, all of it or nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.app_advisories import Place, a_place, kev, osv

from kezuri.advisories.database import Database
from kezuri.app.advisories import import_data
from kezuri.diagnostics import KezuriError


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with a_place(tmp_path) as made:
        yield made


def test_import_is_all_or_nothing(place: Place, tmp_path: Path) -> None:
    (tmp_path / "good.zip").write_bytes(osv("PYSEC-1"))
    (tmp_path / "bad.json").write_bytes(kev("CVE-1-1")[:-20])
    paths = [str(tmp_path / "good.zip"), str(tmp_path / "bad.json")]
    with pytest.raises(KezuriError, match=r"bad\.json"):
        import_data(place.settings, paths, place.heard)
    assert not place.path.exists()
    done = import_data(place.settings, paths[:1], place.heard)
    assert [change.data.entries for change in done.changes] == [1]


def test_one_advisory_does_not_take_the_place_of_all(place: Place, tmp_path: Path) -> None:
    place.server.file("/osv/PyPI", osv(*(f"GHSA-{number}" for number in range(200))))
    place.update("osv/PyPI")
    (tmp_path / "one.zip").write_bytes(osv("GHSA-x"))
    with pytest.raises(KezuriError, match="has 1 entries, and the database 200: that is not believed"):
        import_data(place.settings, [str(tmp_path / "one.zip")], place.heard)
    assert place.entries() == {"osv/PyPI": 200}


def test_a_pipe_is_not_waited_for(place: Place, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KezuriError, match="pipe is no file"):
        import_data(place.settings, [str(tmp_path / "pipe")], place.heard)


def test_a_date_to_come_is_not_that_of_the_data(place: Place, tmp_path: Path) -> None:
    """One advisory that says it is of 2099 makes the others neither new nor of an age that nobody knows."""
    for number, modified in enumerate(("2019-01-01T00:00:00Z", "2099-01-01T00:00:00Z")):
        (tmp_path / f"{number}.zip").write_bytes(osv(f"GHSA-{number}", modified=modified))
    done = import_data(place.settings, [str(tmp_path / "0.zip"), str(tmp_path / "1.zip")], place.heard)
    assert [change.data.date for change in done.changes] == ["2019-01-01T00:00:00Z"]


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


@pytest.mark.slow
def test_thirty_thousand_advisories(place: Place, tmp_path: Path) -> None:
    """Imported with less than 300 MB, and opened without reading what is in the database."""
    archive = tmp_path / "all.zip"
    archive.write_bytes(osv(*(f"GHSA-{number}" for number in range(30_000)), ecosystem="npm"))
    argv = [sys.executable, "-m", "kezuri", "--db", str(place.path), "db", "import", "-q", str(archive)]
    child = subprocess.Popen(argv, env={**os.environ, "KEZURI_ROOT": str(tmp_path / "root")})
    _, code, used = os.wait4(child.pid, 0)
    child.returncode = code
    assert code == 0 and used.ru_maxrss < 300 << 10
    assert place.entries() == {"osv/npm": 30_000}
    names = [f"of-GHSA-{number}" for number in range(0, 30_000, 30)]
    before = bytes_read()
    with Database.open(str(place.path)) as database:
        assert bytes_read() - before < 64 << 10
        assert len({name for name, _ in database.about("npm", "", names)}) == 1000


def bytes_read() -> int:
    """By this thread, as the kernel counts them: from whatever file, cached or not."""
    return int(Path("/proc/thread-self/io").read_text().split()[1])
