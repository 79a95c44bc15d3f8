"""Tasks and outcomes survive a round trip through JSON: every kind of work, of mount and of files, with odd text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.forms.packing import Packing
from kezuri.keys.options import RunSettings
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import GitSource, UrlSource
from kezuri.plan.operation import AgentMount, SecretMount, TmpfsMount
from kezuri.step import encoding
from kezuri.step.task import (
    Bind,
    Cache,
    Copy,
    Failure,
    Fetched,
    MakeDirectory,
    Outcome,
    Picked,
    Run,
    Stacked,
    Task,
)

# As decoded from files: bytes that are no UTF-8 are lone surrogates.
TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("\udc80\udcff\0\n"), max_size=6)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple)
FLAG, NUMBER = st.booleans(), st.integers(0, 1 << 40)
MAYBE = st.none() | NUMBER
PICKED = st.builds(Picked, TEXT, TEXT, TEXTS, FLAG, TEXTS, FLAG, FLAG)
STACKED = st.builds(Stacked, TEXT, TEXTS, TEXTS, FLAG, TEXTS, FLAG, FLAG)
REMOTE = st.builds(UrlSource, TEXT, TEXT, TEXT) | st.builds(GitSource, TEXT, TEXT, TEXT, TEXT, FLAG, FLAG, TEXT, FLAG)
FETCHED = st.builds(Fetched, st.tuples(TEXT, TEXT), REMOTE, TEXTS, FLAG, NUMBER)
CACHE = st.builds(
    Cache, TEXT, TEXT, TEXT, TEXT, TEXT, st.none() | PICKED | STACKED, MAYBE, MAYBE, MAYBE, FLAG
)  # fmt: skip
MOUNT = (
    st.builds(Bind, TEXT, PICKED | STACKED, FLAG)
    | CACHE
    | st.builds(TmpfsMount, TEXT, NUMBER)
    | st.builds(SecretMount, TEXT, TEXT, TEXT, FLAG, NUMBER, NUMBER, NUMBER)
    | st.builds(AgentMount, TEXT, TEXT, FLAG, NUMBER, NUMBER, NUMBER)
)
LIMITS = st.lists(st.tuples(TEXT, NUMBER, NUMBER), max_size=2).map(tuple)
SETTINGS = st.builds(RunSettings, PAIRS, LIMITS, NUMBER, TEXT, FLAG)
PLATFORM = st.builds(Platform, TEXT, TEXT, TEXT, TEXT)
RUN = st.builds(
    Run,
    *(TEXTS, PAIRS, PAIRS, TEXT, TEXT, st.lists(MOUNT, max_size=5).map(tuple), TEXT, FLAG, TEXT),
    *(st.binary(max_size=5), PLATFORM, SETTINGS, FLAG),
)
FILES = st.lists(PICKED | STACKED | FETCHED, max_size=3).map(tuple)
HEREDOCS = st.lists(st.tuples(TEXT, st.binary(max_size=5)), max_size=2).map(tuple)
COPY = st.builds(Copy, TEXT, FILES, HEREDOCS, TEXT, TEXT, TEXT, FLAG, FLAG)
DIRECTORY = st.builds(MakeDirectory, TEXT, TEXT, TEXT)
PACKING = st.builds(Packing, st.sampled_from(("gzip", "zstd", "none")), MAYBE, MAYBE)
FAILURE = st.builds(Failure, NUMBER, NUMBER, FLAG, TEXT, FLAG, FLAG, FLAG, FLAG, TEXT, TEXT)
SECONDS = st.floats(0, 1e6)


@given(st.builds(Task, RUN | COPY | DIRECTORY, TEXTS, FLAG, PACKING))
def test_a_task_comes_back_as_it_was(task: Task) -> None:
    text = encoding.encode(task)
    back = encoding.task(text)
    # Named tuples are equal to tuples: the types are compared by what they print.
    assert (back, repr(back)) == (task, repr(task)) and text.isascii()


@given(st.builds(Outcome, TEXT, SECONDS, FLAG, st.none() | FAILURE))
def test_an_outcome_comes_back_as_it_was(outcome: Outcome) -> None:
    back = encoding.outcome(encoding.encode(outcome))
    assert (back, repr(back)) == (outcome, repr(outcome))


@pytest.mark.parametrize("text", ["", "[]", "1", '{"type":"Nothing"}', '{"type":"Outcome"}', '{"type":"Task","x":1}'])
def test_other_text_is_no_task(text: str) -> None:
    with pytest.raises(ValueError):
        encoding.task(text)


def test_one_is_not_taken_for_the_other() -> None:
    with pytest.raises(ValueError, match="not a task"):
        encoding.task(encoding.encode(Outcome("run-1", 1.0)))


def test_what_may_be_believed() -> None:
    assert Outcome("run-1", 1.0).believable
    assert not Outcome("run-1", 1.0, gave_up=True).believable
    assert not Outcome("", 1.0, failure=Failure(1)).believable
