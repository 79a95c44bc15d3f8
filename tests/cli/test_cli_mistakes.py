"""Mistakes that people make, and what they are answered: what is named, the line, the remedy.

The transcripts lie in tests/cli/mistakes. After a change of words, this test with KEZURI_RECORD=1 writes down the
answers of today: read the difference before it is committed.
"""

import os
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar
from tests.cli.cli_transcripts import Transcript, play, read

MISTAKES = Path(__file__).parent / "mistakes"
ALL = [transcript for file in sorted(MISTAKES.glob("*.txt")) for transcript in read(file)]
QUICK = [transcript for transcript in ALL if not transcript.file.stem.startswith("steps")]
STEPS = [transcript for transcript in ALL if transcript.file.stem.startswith("steps")]


def compare(transcript: Transcript, directory: Path, root: Path, **environ: str) -> None:
    told = play(transcript, directory, root, **environ)
    if os.environ.get("KEZURI_RECORD"):
        everything = transcript.file.read_text()
        transcript.file.write_text(everything.replace(transcript.text(), told.text()))
    else:
        assert told.text() == transcript.text()


@pytest.mark.parametrize("transcript", QUICK, ids=lambda transcript: transcript.name)
def test_answer(transcript: Transcript, tmp_path: Path) -> None:
    compare(transcript, tmp_path / "here", tmp_path / "root")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busybox_layout(tmp_path_factory.mktemp("box"), busybox_tar())


@pytest.fixture(scope="module")
def shared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all that run steps, so that the base is unpacked once."""
    return tmp_path_factory.mktemp("store") / "root"


class TestSteps:
    pytestmark = RUNS_STEPS

    @pytest.mark.parametrize("transcript", STEPS, ids=lambda transcript: transcript.name)
    def test_answer(self, transcript: Transcript, tmp_path: Path, box: Path, shared_root: Path) -> None:
        compare(transcript, tmp_path / "here", shared_root, KEZURI_TEST_BOX=str(box))


def test_there_are_many_of_different_titles() -> None:
    names = [transcript.name for transcript in ALL]
    assert len(names) == len(set(names)) >= 120
    assert all(transcript.typed for transcript in ALL)
