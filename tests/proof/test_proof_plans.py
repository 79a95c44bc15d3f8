"""Two Dockerfiles planned and compared: each edit gives the differences that it makes, and no others."""

import random

import pytest
from tests.check.check_dockerfiles import examine
from tests.fixes.fixes_careless import careless

from kezuri.proof.difference import Difference, covers, undeclared
from kezuri.proof.plans import paired, survey_differences
from kezuri.proof.vocabulary import VOCABULARY, unknown

START = "FROM alpine AS build\n"


def names(before: str, after: str) -> list[str]:
    """What differs between two files, by name; the history is left out."""
    found = survey_differences(examine(before).subject.survey, examine(after).subject.survey)
    assert all(not unknown([d.name]) for d in found), found
    return sorted(d.name for d in found if d.name != "history")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("RUN a\n", "run a\n"),
        ("RUN a && \\\n\n b\n", "RUN a && \\\n b\n"),
        ("# one\nCOPY ./a /b\n", "# two\n\nCOPY a /b\n"),
        ("ENV A b\n", "ENV A=b\n"),
        ('LABEL a="b"\n', "LABEL a=b\n"),
        ("EXPOSE 80/TCP\n", "EXPOSE 80/tcp\n"),
        ("CMD a\nCMD b\n", "CMD b\n"),
        ("FROM build AS More\nCOPY --from=build /a /b\n", "FROM build AS more\nCOPY --from=BUILD /a /b\n"),
    ],
)
def test_another_way_of_writing_the_same_differs_in_nothing(before: str, after: str) -> None:
    assert names(START + before, START + after) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("RUN apt install x\n", "RUN apt-get install x\n", ["command"]),
        ("RUN a\nRUN b\n", "RUN a\n", ["operation.gone"]),
        ("RUN a\n", "RUN a\nCOPY x /y\n", ["operation.new"]),
        ("RUN aaaa\nCOPY x /y\n", "COPY x /y\nRUN aaaa\n", ["operation.moved"]),
        ("ADD x /y\n", "COPY x /y\n", ["kind", "unpack"]),
        ("COPY x /y\n", "COPY --chown=1:1 x /z\n", ["destination", "owner"]),
        ("COPY x /y\n", "COPY --link x /y\n", ["link"]),
        ("COPY x /y\n", "COPY z /y\n", ["files"]),
        ("COPY --from=image:1 x /y\n", "COPY --from=image:2 x /y\n", []),
        ("RUN a\n", "ENV A=1\nRUN a\n", ["config.Env A", "env A"]),
        ("RUN a\n", "ARG A=1\nRUN a\n", ["arguments", "env A"]),
        ("RUN a\n", "USER 5\nRUN a\n", ["config.User", "user"]),
        ("RUN a\n", 'SHELL ["/bin/ash", "-c"]\nRUN a\n', ["command", "config.Shell"]),
        ("RUN a\n", "RUN --mount=type=cache,target=/c a\n", ["mount /c", "mount /c kept as"]),
        (
            "RUN --mount=type=cache,target=/c,id=one a\n",
            "RUN --mount=type=cache,target=/c,id=two a\n",
            ["mount /c kept as"],
        ),
        ("RUN --mount=target=/m,source=a a\n", "RUN --mount=target=/m,source=b a\n", ["mount /m"]),
        ("CMD a\n", 'CMD ["a"]\n', ["config.Cmd"]),
        ("MAINTAINER me\n", "LABEL org.opencontainers.image.authors=me\n", None),
        ("WORKDIR /a\n", "WORKDIR /b\n", ["config.WorkingDir", "path"]),
        ("COPY x /y\nFROM alpine\n", "COPY x /y\nFROM build\n", ["base"]),
        ("FROM alpine AS one\nRUN one\n", "FROM alpine AS two\nRUN one\n", ["stage.name"]),
        ("RUN a\n", "RUN a\nFROM scratch AS last\nCOPY --from=build /a /b\n", ["stage.new", "target"]),
        ("RUN a\n", "RUN a\nCOPY --from=nobody\n", ["error.new"]),
    ],
)
def test_an_edit_differs_in_what_it_changes(before: str, after: str, expected: list[str] | None) -> None:
    found = names(START + before, START + after)
    if expected is None:
        assert "author" in found and "config.Labels org.opencontainers.image.authors" in found
        return
    if "error.new" in expected:
        assert "error.new" in found
        return
    assert found == [name for name in expected if name != "target"] + (["target"] if "target" in expected else [])


def test_stages_are_told_apart_by_what_they_are_and_not_by_their_number() -> None:
    one = START + "RUN a\nFROM alpine\nCOPY --from=build /a /a\n"
    two = "FROM alpine AS unused\nRUN other\n" + one
    found = survey_differences(examine(one).subject.survey, examine(two).subject.survey)
    assert [(d.name, d.after) for d in found] == [("stage.new", "unused")]


def test_a_name_that_two_stages_have_pairs_none_of_them() -> None:
    one = "FROM alpine AS x\nRUN one\nFROM debian AS x\nRUN two\n"
    assert names(one, one.replace("debian AS x", "debian AS y")) == ["stage.name"]
    assert names(one, one.replace("alpine AS x", "alpine AS y")) == ["stage.name"]


def test_stages_without_a_name_are_paired_in_order() -> None:
    one, two = (
        [f.plan for f in examine(text).subject.survey.stages if f.plan is not None]
        for text in ("FROM a\nRUN one\nFROM a\nRUN two\n", "FROM a\nRUN one\nFROM a\nRUN two\nRUN three\n")
    )
    assert paired(one, two).partners == (0, 1)


@pytest.mark.parametrize(
    ("word", "difference", "answer"),
    [
        ("env", Difference("env PATH", "a", "b"), True),
        ("env PATH", Difference("env PATH", "a", "b"), True),
        ("env PAT", Difference("env PATH", "a", "b"), False),
        ("config", Difference("config.Cmd", "a", "b"), True),
        ("config.Cmd", Difference("config.CmdMore", "a", "b"), False),
        ("file.gone", Difference("file.gone", "", None, "a/b"), True),
        ("file.gone a", Difference("file.gone", "", None, "a/b"), True),
        ("file.gone /a/", Difference("file.gone", "", None, "a"), True),
        ("file.gone a", Difference("file.gone", "", None, "ab"), False),
        ("file.gone a", Difference("file.new", None, "", "a/b"), False),
        ("file a/*", Difference("file.new", None, "", "a/b"), True),
        ("file a/*", Difference("file.new", None, "", "a"), False),
        ("file **/x", Difference("file.new", None, "", "a/b/x"), True),
        ("file **/x", Difference("file.new", None, "", "x/y"), True),
        ("probe.answer 80/tcp", Difference("probe.answer 80/tcp", "", "200"), True),
        ("command x", Difference("command", "a", "b"), False),
    ],
)
def test_a_word_covers_what_it_says(word: str, difference: Difference, answer: bool) -> None:
    assert covers(word, difference) is answer


def test_history_follows_and_noise_says_nothing() -> None:
    found = (
        Difference("history", "a", "b"),
        Difference("command", "a", "b"),
        Difference("file.content", "a", "b", "var/log/x", "a log"),
        Difference("error.new", None, "wrong"),
    )
    assert undeclared(found, ["command"]) == (found[3],)


def test_every_word_is_known_and_others_are_not() -> None:
    assert unknown(VOCABULARY) == ()
    assert unknown(["env PATH", "config.Cmd", "commands", "file.gone var/x", "colour"]) == ("commands", "colour")


_TURNED = {"operation.new": "operation.gone", "stage.new": "stage.gone", "error.new": "error.gone"}
_TURNED |= {there: here for here, there in _TURNED.items()}


@pytest.mark.parametrize("seed", range(40))
def test_a_file_differs_from_itself_in_nothing_and_from_others_alike_in_both_directions(seed: int) -> None:
    one, two = (examine(careless(random.Random(f"{seed} {side}"))).subject.survey for side in "ab")
    assert survey_differences(one, one) == () and survey_differences(two, two) == ()
    there = [(d.name, d.before, d.after) for d in survey_differences(one, two) if _steady(d)]
    back = [(_TURNED.get(d.name, d.name), d.after, d.before) for d in survey_differences(two, one) if _steady(d)]
    assert sorted(there, key=str) == sorted(back, key=str) and there


def _steady(difference: Difference) -> bool:
    """Which operation is which may be another matter from the other side."""
    return difference.name.startswith(("config", "base", "stage", "author"))
