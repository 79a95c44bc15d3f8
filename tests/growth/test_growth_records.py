"""Measurements and the file that they are kept in: lines that come back as they were, whatever stands between them."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.suites.suites_folded import folded

from kezuri.diagnostics import KezuriError
from kezuri.growth import records
from kezuri.growth.values import METRICS, Measurement, PackageSize, StepSize, Unreadable, line_of, read_line

COUNTS = st.integers(0, (1 << 62) - 1)
TEXTS = st.text(max_size=20)
STEPS = st.tuples(TEXTS, COUNTS, COUNTS).map(lambda step: StepSize(*step)) | st.tuples(
    TEXTS, COUNTS, COUNTS, TEXTS, st.integers(1, 9999), st.booleans()
).map(lambda step: StepSize(*step))
MEASUREMENTS = st.builds(
    Measurement,
    st.text(min_size=1, max_size=20),
    st.text(min_size=1, max_size=20),
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    st.dictionaries(st.sampled_from(METRICS), COUNTS, min_size=1),
    st.lists(STEPS, max_size=3).map(tuple),
    st.lists(st.builds(PackageSize, TEXTS, TEXTS, TEXTS, COUNTS), max_size=3).map(tuple),
)


def measured(at: str = "2026-01-02T03:04:05Z", commit: str = "c", wire: int = 7, name: str = "app") -> Measurement:
    return Measurement(name, at, commit, "main", "linux/amd64", "sha256:d", {"wire": wire})


@settings(max_examples=40, deadline=None)
@given(MEASUREMENTS)
def test_a_line_comes_back(one: Measurement) -> None:
    line = line_of(one)
    assert len(line.splitlines()) == 1 and line.isprintable()
    back = read_line(line)
    assert back == one
    assert line_of(back) == line


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300) | MEASUREMENTS.map(lambda one: line_of(one).encode()[:-1]))
def test_any_bytes_are_read_or_passed_over(data: bytes) -> None:
    found = records.parsed(data)
    assert len(found.measurements) + len(found.passed) <= data.count(b"\n") + 1


GOOD = line_of(measured())
HOSTILE = (
    "{",
    "[]",
    "[" * 100_000,
    '{"v":2,"name":"a","at":"b","wire":1}',
    '{"v":1}',
    '{"v":1,"name":"a","at":"b"}',
    '{"v":1,"name":"a","at":"b","wire":-1}',
    '{"v":1,"name":"a","at":"b","wire":true}',
    '{"v":1,"name":"a","at":"b","wire":1e999}',
    '{"v":1,"name":"a","at":"b","wire":99999999999999999999999}',
    '{"v":1,"name":["a"],"at":"b","wire":1}',
    GOOD.replace('"steps":[]', '"steps":[["RUN"]]'),
    GOOD.replace('"steps":[]', '"steps":{"a":1}'),
    GOOD.replace('"owned":[]', '"owned":[["deb","a","1","2"]]'),
)


@folded(HOSTILE)
def test_what_is_no_measurement_says_why(line: str) -> None:
    with pytest.raises(Unreadable):
        read_line(line)


def test_lines_between_are_passed_over_by_number(tmp_path: Path) -> None:
    file = tmp_path / "sizes"
    younger = line_of(measured("2026-02-01T00:00:00Z", "d"))
    file.write_bytes(
        b"<<<<<<< ours\n" + younger.encode() + b"\n=======\n\xff\n" + GOOD.encode() + b"\n>>>>>>> x\n" + GOOD.encode()
    )
    found = records.read(str(file))
    assert [one.commit for one in found.measurements] == ["c", "d"], "the oldest first, each once"
    assert [number for number, _ in found.passed] == [1, 3, 4, 6]


def test_files_that_windows_wrote() -> None:
    found = records.parsed(b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n\r\n")
    assert len(found.measurements) == 1 and not found.passed


def test_lines_are_appended_whole_and_once(tmp_path: Path) -> None:
    file = tmp_path / "sizes"
    assert records.append(str(file), measured())
    assert not records.append(str(file), measured("2027-01-01T00:00:00Z")), "the same image at the same commit"
    file.write_text(file.read_text().rstrip("\n"))
    assert records.append(str(file), measured(wire=8)), "a line that has no end gets one"
    assert [one.figures["wire"] for one in records.read(str(file)).measurements] == [7, 8]
    assert file.read_bytes().endswith(b"\n")


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sizes"
    records.append(str(file), measured())
    before, write = file.read_bytes(), os.write

    def half(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(KezuriError, match=os.strerror(errno.ENOSPC)):
        records.append(str(file), measured(commit="d"))
    assert file.read_bytes() == before


@folded([("missing/sizes", "cannot be written"), ("directory", "cannot be written")])
def test_where_nothing_can_be_written(case: tuple[str, str]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as place:
        os.mkdir(f"{place}/directory")
        with pytest.raises(KezuriError, match=case[1]):
            records.append(f"{place}/{case[0]}", measured())


def test_of_one_image_platform_and_branch() -> None:
    every = [measured(), measured(name="other"), measured()._replace(branch="b", platform="linux/arm64")]
    assert records.chosen(every, "app") == [every[0], every[2]]
    assert records.chosen(every, "app", "linux/amd64") == [every[0]]
    assert records.chosen(every, "app", branch="b") == [every[2]]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_merges_what_two_branches_appended(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=n", "-c", "user.email=e@example", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / ".gitattributes").write_text(f"{records.FILE} {records.MERGE}\n")
    file = str(tmp_path / records.FILE)
    records.append(file, measured())
    git("add", "-A")
    git("commit", "-m", "one")
    for branch in ("left", "right"):
        git("checkout", "-b", branch, "main")
        records.append(file, measured(commit=branch))
        git("commit", "-am", branch)
    git("merge", "left", "-m", "both")
    found = records.read(file)
    assert not found.passed
    assert {one.commit for one in found.measurements} == {"c", "left", "right"}
