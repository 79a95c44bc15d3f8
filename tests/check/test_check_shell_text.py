"""The shell text of an instruction: which there is, and where each of its words stands in the file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.check.check_dockerfiles import examine

READ = {
    "a line": ("RUN a x && b\n", ["a", "b"]),
    "a here-document": ("RUN <<E\na x\nb\nE\n", ["a", "b"]),
    "of a shell by #!": ("RUN <<E\n#!/bin/bash -e\na\nE\n", ["a"]),
    "of a shell by env": ("RUN <<E\n#!/usr/bin/env -S bash -e\na\nE\n", ["a"]),
    "of another program": ("RUN <<E\n#!/usr/bin/env python3\na\nE\n", []),
    "of a program without a name": ("RUN <<E\n#!\na\nE\n", []),
    "for a shell": ("RUN <<E bash -ex\na\nE\n", ["a"]),
    "of a shell": ("RUN bash -ex <<E\na\nE\n", ["bash", "a"]),
    "of a shell that has its script": ("RUN bash -c x <<E\na\nE\n", ["bash"]),
    "of something else": ("RUN cat <<E > f && b\na $(c)\nE\n", ["cat", "b"]),
    "for something else": ("RUN <<E python3\na\nE\n", ["python3"]),
    "two": ("RUN cat <<A > f && cat <<B > g\na\nA\nb\nB\n", ["cat", "cat"]),
    "the exec form": ('RUN ["a", "b c"]\n', ["a"]),
    "the exec form of a shell": ('RUN ["/bin/sh", "-c", "a && b"]\n', ["a", "b"]),
    "behind ONBUILD": ("ONBUILD RUN a && \\\n  b\n", ["a", "b"]),
    "before FROM": ("", ["z"]),
    "a python module": ("RUN python3 -u -m pip install x\n", ["pip"]),
    "words before the program": ("RUN A=1 exec sudo -u x env B=2 time a\n", ["a"]),
    "a question about a program": ("RUN command -v a\n", ["command"]),
}


@pytest.mark.parametrize("name", READ)
def test_shell_text_programs(name: str) -> None:
    text, programs = READ[name]
    whole = f"FROM x\n{text}" if text else "RUN z\nFROM x\n"
    assert [call.program for run in examine(whole, rules=()).subject.runs for call in run.calls] == programs


WORDS = st.sampled_from(["apt-get", "install", "'a b'", '"$X"', "é", "日本", "-y", "k=l", "a\\ b"])
GLUE = st.sampled_from([" ", "  ", "\t", " \\\n   ", " \\\n# why\n", " \\\n\n  ", " \\\r\n ", " && ", "; \\\n  "])


pieces = st.lists(st.tuples(WORDS, GLUE), min_size=1, max_size=8)
starts = st.sampled_from(["RUN ", "ONBUILD RUN ", "RUN <<E\n"])


@settings(max_examples=40, deadline=None)
@given(pieces, starts)
def test_shell_text_law_words_stand_where_they_are_said_to(pieces: list[tuple[str, str]], start: str) -> None:
    words_stand_where_they_are_said_to(pieces, start)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(pieces, starts)
def test_shell_text_law_many_more_words_stand_there(pieces: list[tuple[str, str]], start: str) -> None:
    words_stand_where_they_are_said_to(pieces, start)


def words_stand_where_they_are_said_to(pieces: list[tuple[str, str]], start: str) -> None:
    body = "run " + "".join(word + glue for word, glue in pieces) + "end"
    if start.endswith("\n"):
        body = body.replace("\\\n# why\n", "").replace("\\\n\n", "") + "\nE"
    text = f"FROM x\n# é\n{start}{body}\nRUN z\n"
    runs = examine(text, rules=()).subject.runs
    assert len(runs) == 2
    for run in runs:
        assert run.calls
        for call in run.calls:
            assert call.text is not None
            for word in (call.head, *call.words):
                span = call.text.span(word.span)
                assert text[span.start : span.end] == word.text


def test_shell_text_stages_that_count() -> None:
    text = "FROM a AS one\nRUN a\nFROM one AS two\nRUN b\nFROM x AS three\nRUN c\nFROM two\nRUN d\nONBUILD RUN e\n"
    runs = examine(text, rules=()).subject.runs
    assert [(run.kept, run.shipped, run.trigger) for run in runs] == [
        (True, True, False),
        (True, True, False),
        (False, False, False),
        (True, True, False),
        (True, True, True),
    ]


def test_shell_text_environment() -> None:
    text = 'FROM a AS b\nENV A=1 B="2"\nARG C=3\nRUN x\nFROM b\nRUN y\nENV A 4\nRUN z\n'
    runs = examine(text, rules=()).subject.runs
    assert [[run.environment.get(name, "-") for name in "ABC"] for run in runs] == [
        ["1", "2", "3"],
        ["1", "2", "-"],
        ["4", "2", "-"],
    ]
