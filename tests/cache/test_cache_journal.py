"""The journal on the disk: what is written is read, and it is bounded."""

import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.build.build_workshop import Workshop

from kezuri.app.prune import prune
from kezuri.app.request import Settings
from kezuri.cache.file_lists import FileLists
from kezuri.cache.journal import (
    IN_ALL,
    PER_PROJECT,
    Asked,
    Heading,
    Journal,
    JournalBuild,
    JournalStage,
    JournalStep,
    Source,
)
from kezuri.cache.question import project_of, repeats
from kezuri.progress.events import StepName
from kezuri.store.database import FRESH, Database
from kezuri.store.store import Store

TEXT = st.text(max_size=5) | st.sampled_from(["\udc80", "\0", '"'])
NAME = st.builds(StepName, TEXT, st.integers(1, 9), st.integers(1, 9), TEXT, TEXT, TEXT)
STEP = st.builds(
    JournalStep,
    *(st.integers(1, 9), st.integers(0, 3), st.integers(0, 3), NAME, st.sampled_from(["RUN", "COPY"])),
    *(st.integers(1, 99), st.booleans(), TEXT, st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)),
    *(st.sampled_from(["ran", "cached"]), st.floats(0, 9), TEXT, TEXT, st.sampled_from(["", "absent"])),
    *(st.booleans(), TEXT, st.booleans()),
    st.lists(st.builds(Source, TEXT, TEXT, TEXT, st.integers(-1, 3), TEXT), max_size=2).map(tuple),
    st.lists(TEXT, max_size=2).map(tuple),
    *(TEXT, st.floats(-1, 9)),
)
STAGE = st.builds(
    JournalStage,
    *(st.integers(0, 3), TEXT, TEXT, TEXT, TEXT, TEXT, st.integers(-1, 3), TEXT, TEXT),
    st.lists(STEP, max_size=3).map(tuple),
    *(st.floats(-1, 9), st.floats(0, 9)),
)


def asked(context: str = "/c", target: str = "") -> Asked:
    return Asked(context, "Dockerfile", target, ("linux/amd64",), "/d")


def build(context: str = "/c", began: float = 1.0, stages: tuple[JournalStage, ...] = ()) -> JournalBuild:
    return JournalBuild(Heading(0, asked(context), began, 0.0), 2.5, "", stages)


@pytest.mark.slow
@given(st.lists(STAGE, max_size=2).map(tuple))
def test_what_is_written_is_read(stages: tuple[JournalStage, ...]) -> None:
    database = Database(":memory:")
    journal = Journal(database)
    number = journal.add(build(stages=stages), "f")
    (heading,) = journal.headings()
    assert heading == Heading(number, asked(), 1.0, 0.0)
    assert journal.read(heading) == JournalBuild(heading, 2.5, "", stages)
    database.close()


@pytest.mark.parametrize(
    "name",
    [
        StepName("RUN x", 3, 6),
        StepName("RUN x", 3, 6, "build"),
        StepName("RUN x", 3, 6, "stage-1", "linux/arm/v7"),
        StepName("RUN x", 3, 6, "build", "linux/amd64", "linux/arm/v7"),
        StepName("RUN x", 3, 6, "build", "windows/amd64", "linux/arm64"),
    ],
)
def test_a_build_of_version_1_is_read(name: StepName) -> None:
    """Such a build holds the text that progress showed in place of a step's name."""
    stage = _stage(name)
    database = Database(":memory:")
    journal = Journal(database)
    journal.add(build(stages=(stage,)), "f")
    (step,) = stage.steps
    before = [*step[:3], name.place, step.kind, name.title, *step[5:-1]]
    text = json.dumps([1, 2.5, "", [[*stage[:9], [before]]]])
    database.run("UPDATE build SET data = ?", zlib.compress(text.encode()))
    (heading,) = journal.headings()
    read = journal.read(heading)
    assert read is not None and read.stages == (stage,)
    # What this version wrote before it knew when steps began.
    text = json.dumps([2, 2.5, "", [[*stage[:9], [step[:-1]]]]])
    database.run("UPDATE build SET data = ?", zlib.compress(text.encode()))
    assert journal.read(heading) == read
    text = json.dumps([1, 2.5, "", [[*stage[:9], [before]]]])
    database.run("UPDATE build SET data = ?", zlib.compress(text.replace("[1", "[3", 1).encode()))
    assert journal.read(heading) is None, "a later version may say anything"
    database.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zlib",
        *(zlib.compress(t) for t in (b"{", b"[]", b"1", b"[2, 1]", b'[2, 1.0, "", [[1]]]', b"[1, 1, 1, [1]]")),
    ],
)
def test_a_damaged_build_is_not_remembered(data: bytes) -> None:
    database = Database(":memory:")
    journal = Journal(database)
    journal.add(build(), "f")
    database.run("UPDATE build SET data = ?", data)
    (heading,) = journal.headings()
    assert journal.read(heading) is None and journal.digests() == set()
    database.close()


def _stage(name: StepName) -> JournalStage:
    step = JournalStep(1, 0, 0, name, "RUN", 1, False, "k", (), "ran", 0.0, "", "", "", True, "", False, (), ())
    return JournalStage(0, "", "", "", "scratch", "", -1, "", "", (step,))


def test_the_digests_of_files_are_those_that_steps_name() -> None:
    components = (("kind", "COPY"), ("files", "f1"), ("files of stage a", "f2"), ("chown", "f3"))
    step = JournalStep(
        1, 0, 0, StepName("", 1, 2), "COPY", 1, False, "k", components, "ran", 0.0, "", "", "", True, "", False, (), ()
    )
    stage = JournalStage(0, "", "", "", "scratch", "", -1, "", "", (step, step._replace(components=(("files", "f4"),))))
    database = Database(":memory:")
    journal = Journal(database)
    assert journal.digests() == set()
    journal.add(build(stages=(stage,)), "f")
    assert journal.digests() == {"f1", "f2", "f4"}
    database.close()


def test_what_files_a_kept_build_speaks_of_survives_a_prune(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.write(f="content")
    shop.build("FROM scratch\nCOPY f /f\n")
    with Store(str(shop.root)) as store:
        known = FileLists(store.database).sizes()
        # As a list that no build speaks of any more.
        FileLists(store.database).keep("stale", "x")
        store.database.rows("UPDATE listing SET kept = 1")
    prune(Settings(str(shop.root)), all=True)
    with Store(str(shop.root)) as store:
        assert known and FileLists(store.database).sizes() == known


def test_it_is_bounded() -> None:
    journal = Journal(Database(":memory:"))
    for i in range(PER_PROJECT + 5):
        journal.add(build("/often", float(i)), "f")
    assert [h.number for h in journal.headings()] == list(range(PER_PROJECT + 5, 5, -1))
    for i in range(IN_ALL):
        journal.add(build(f"/{i}", 100.0 + i), "f")
    assert len(journal.headings()) == IN_ALL
    assert "/often" not in {h.asked.context for h in journal.headings()}


def test_a_repetition_is_of_the_last_build_of_the_project_only() -> None:
    database = Database(":memory:")
    journal = Journal(database)
    project = asked().project
    assert not repeats(database, project, "f", 5.0)
    journal.add(build(began=1.0), "f")
    journal.add(build(began=2.0), "g")
    journal.add(build("/other", began=3.0), "f")
    assert not repeats(database, project, "f", 5.0)
    assert repeats(database, project, "g", 6.0)
    assert [(h.number, h.last) for h in journal.headings()] == [(2, 6.0), (3, 3.0), (1, 1.0)]


def test_a_repetition_just_noted_is_not_noted_again_unless_another_build_came_in_between() -> None:
    database = Database(":memory:")
    journal = Journal(database)
    project, other = asked().project, asked("/other").project
    journal.add(build(began=1.0), "f")
    journal.add(build("/other", began=2.0), "f")

    def last() -> list[tuple[int, float]]:
        return [(h.number, h.last) for h in journal.headings()]

    assert repeats(database, project, "f", 10.0) and last() == [(1, 10.0), (2, 2.0)]
    assert repeats(database, project, "f", 11.0) and last() == [(1, 10.0), (2, 2.0)]
    assert repeats(database, other, "f", 12.0) and last() == [(2, 12.0), (1, 10.0)]
    assert repeats(database, project, "f", 13.0) and last() == [(1, 13.0), (2, 12.0)]
    assert repeats(database, project, "f", 13.0 + 2 * FRESH) and last()[0] == (1, 13.0 + 2 * FRESH)
    assert not repeats(database, project, "g", 14.0)


def test_projects() -> None:
    assert asked().project == project_of(("/c", "Dockerfile", "", (), "elsewhere"))
    assert len({asked().project, asked(target="t").project, asked("/x").project}) == 3


def test_forgetting_keeps_the_last_of_the_projects_that_it_is_told() -> None:
    journal = Journal(Database(":memory:"))
    for context in ("/a", "/b", "/a", "/b"):
        journal.add(build(context), "f")
    journal.forget(0.5)
    assert len(journal.headings()) == 4
    journal.forget(10.0, [asked("/b").project])
    assert [h.number for h in journal.headings()] == [4]
