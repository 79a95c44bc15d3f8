"""Data sets are recognised by what they hold: alone, in archives, side by side in one directory."""

import gzip
import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from kezuri.advisories.reading import FORMATS, Reading
from kezuri.advisories.recognise import reading, recognised
from kezuri.advisories.values import Entry, Signal
from kezuri.diagnostics import KezuriError

DATA = Path(__file__).parent.parent / "data" / "advisories"
KEV = {"title": "x", "count": 1, "vulnerabilities": [{"cveID": "CVE-2021-44228", "dateAdded": "2021-12-10"}]}
TRACKER = {"zlib": {"CVE-2024-1000": {"releases": {"bookworm": {"status": "open", "urgency": "high"}}}}}
EPSS = "#model_version:v1,score_date:2026-11-20T00:00:00+0000\ncve,epss,percentile\nCVE-2021-44228,0.9,0.9\n"


def told(sets: tuple[Reading, ...]) -> dict[str, tuple[str, int, str]]:
    """Format, number of entries and licence of each set by its name."""
    return {each.name: (each.format, sum(1 for _ in each), each.licence) for each in sets}


def test_a_directory_with_all_of_them(tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path / "data")
    (tmp_path / "kev.json").write_text(json.dumps(KEV))
    (tmp_path / "tracker").write_text(json.dumps(TRACKER, indent=1))
    (tmp_path / "scores.csv.gz").write_bytes(gzip.compress(EPSS.encode()))
    (tmp_path / "notes.txt").write_text("CVE-2021-44228")
    with zipfile.ZipFile(tmp_path / "crates.zip", "w") as archive:
        for number, id in enumerate(("GHSA-aaaa-bbbb-cccc", "RUSTSEC-2024-0001")):
            packages = [{"package": {"ecosystem": "crates.io", "name": "a"}, "versions": ["1.0.0"]}]
            packages += [{"package": {"ecosystem": "npm", "name": "a"}, "versions": ["1.0.0"]}] * number
            archive.writestr(
                f"{id}.json", json.dumps({"id": id, "modified": "2024-01-01T00:00:00Z", "affected": packages})
            )
    assert told(recognised(str(tmp_path))) == {
        "alpine/v3.11/main": ("secdb", 92, ""),
        "osv/Go": ("osv", 2, "CC-BY-4.0"),
        "node": ("node", 3, "MIT"),
        "node/npm": ("node", 2, "MIT"),
        "pypa": ("osv", 2, "CC-BY-4.0"),
        "rustsec": ("rustsec", 3, "CC0-1.0"),
        "osv/crates.io": ("osv", 2, "CC0-1.0"),
        "kev": ("kev", 1, "CC0-1.0"),
        "debian": ("debian", 1, ""),
        "epss": ("epss", 1, ""),
    }


@pytest.mark.parametrize("name", ["alpine", "go", "node", "pypa", "rustsec"])
def test_an_archive_holds_what_its_directory_holds(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.add(DATA / name, "some-main/" + name)
    assert told(recognised(str(tmp_path / "x.tar.gz"))) == told(recognised(str(DATA / name)))


def test_files_are_recognised_whatever_they_are_called(tmp_path: Path) -> None:
    for source, wanted in (
        (DATA / "go" / "GO-2024-3228.json", "osv/Go"),
        (DATA / "node" / "core" / "1.json", "node"),
        (DATA / "rustsec" / "atty" / "RUSTSEC-2021-0145.md", "rustsec"),
    ):
        assert [each.name for each in recognised(str(source))] == [wanted]
    (tmp_path / "x").write_text(EPSS)
    assert [each.format for each in recognised(str(tmp_path / "x"))] == ["epss"]


def test_bitnamis_database_is_about_runtimes(tmp_path: Path) -> None:
    given = {"package": {"ecosystem": "Bitnami", "name": "python"}, "versions": ["3.9.1"]}
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("BIT-python-2024-9287.json", json.dumps({"id": "BIT-python-2024-9287", "affected": [given]}))
    (found,) = recognised(str(tmp_path / "all.zip"))
    assert len(list(found)) == 1
    assert (found.name, found.licence, found.ecosystems) == ("bitnami", "Apache-2.0", {("runtime", "")})


def test_entries_and_signals_come_out(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(EPSS)
    assert all(isinstance(each, Signal) for each in reading("epss", str(tmp_path / "x")))
    assert all(
        isinstance(each, Entry) and each.advisory.data == "mine" for each in reading("osv", str(DATA / "go"), "mine")
    )


def test_nothing_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.json").write_text("{}")
    (tmp_path / "a" / "y.json").write_text('{"version": 1, "packages": []}')
    (tmp_path / "loop").symlink_to(tmp_path)
    for path in (tmp_path, tmp_path / "a" / "x.json", DATA / "README.md"):
        with pytest.raises(KezuriError, match="holds no advisory data"):
            recognised(str(path))
    with pytest.raises(KezuriError, match="there is no"):
        recognised(str(tmp_path / "absent"))


def test_the_same_data_twice_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(KEV))
    (tmp_path / "b.json").write_text(json.dumps(KEV))
    with pytest.raises(KezuriError, match=r"a\.json and .*b\.json are both data of kev"):
        recognised(str(tmp_path))


def test_one_file_in_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("kev.json", json.dumps(KEV))
    with pytest.raises(KezuriError, match="an archive with one file"):
        recognised(str(tmp_path / "x.zip"))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 600, b"[" * 200, b'{"a": ', b"\xff\xfe", b"PK\x03\x04", b"\x1f\x8b\x08", b"-\n-"]
)
def test_any_format_of_anything_ends(tmp_path: Path, format: Any, content: bytes) -> None:
    """Nothing of it is an entry, and something is said: an error, or what could not be read."""
    for name in ("x.json", "RUSTSEC-1.md"):
        path = tmp_path / name
        path.write_bytes(content)
        try:
            opened = reading(format, str(path))
            assert not list(opened)
        except KezuriError as error:
            assert name in str(error)
