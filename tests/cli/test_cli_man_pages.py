"""Manual pages: what is in the repository is what the tables say, and roff takes it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from kezuri.cli.man_pages import pages, write

MAN = Path(__file__).parents[2] / "docs/man"


def test_the_pages_are_those_of_the_tables() -> None:
    there = {path.name: path.read_text() for path in MAN.glob("*.1")}
    assert there == pages(), "python -m kezuri.cli.man_pages docs/man"


def test_a_page_of_a_command_that_is_gone_is_removed(tmp_path: Path) -> None:
    (tmp_path / "kezuri-gone.1").write_text("")
    (tmp_path / "other.1").write_text("")
    write(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {*pages(), "other.1"}


def test_no_line_is_a_request_by_accident() -> None:
    for name, page in pages().items():
        for line in page.splitlines():
            if line.startswith((".", "'")):
                assert line.split()[0] in (".TH", ".SH", ".TP", ".PP", ".B"), f"{name}: {line}"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_roff_takes_the_pages() -> None:
    for path in sorted(MAN.glob("*.1")):
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", path], capture_output=True, text=True)
        assert done.returncode == 0
        assert done.stderr == "", path.name
