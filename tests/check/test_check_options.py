"""Which rules are asked, and what is known without a registry."""

import pytest
from tests.check.check_dockerfiles import examine

from kezuri.check.linter import CheckOptions, Report, read_options
from kezuri.diagnostics import KezuriError
from kezuri.diagnostics.render import render
from kezuri.dockerfile.parser import parse

TWO = "from alpine as Base\nCMD x\n"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", CheckOptions()),
        ("skip=all", CheckOptions(skip_all=True)),
        ("skip=A, B", CheckOptions(skip=frozenset({"A", "B"}))),
        ("error=T;skip=A", CheckOptions(skip=frozenset({"A"}), error=True)),
        ("experimental=A;error=0", CheckOptions(experimental=frozenset({"A"}))),
        (" experimental = all ", CheckOptions(experimental_all=True)),
    ],
)
def test_options(text: str, options: CheckOptions) -> None:
    assert CheckOptions.parse(text) == options


@pytest.mark.parametrize("text", ["skip", "what=A", "error=maybe", "skip=A;skip", "a;b;c;d"])
def test_wrong_options_are_errors(text: str) -> None:
    with pytest.raises(KezuriError, match="check option"):
        CheckOptions.parse(text)


def test_wrong_options_are_shown_where_they_stand() -> None:
    dockerfile = parse("# check=skipp=A\nFROM a\n", "Dockerfile")
    with pytest.raises(KezuriError) as raised:
        read_options(dockerfile, None)
    assert "--> Dockerfile:1:1" in render(raised.value.diagnostics[0])
    with pytest.raises(KezuriError, match="BUILDKIT_DOCKERFILE_CHECK"):
        read_options(dockerfile, "skipp=A")


def test_argument_takes_the_place_of_the_directive() -> None:
    dockerfile = parse("# check=skip=A;error=true\nFROM a\n", "Dockerfile")
    assert read_options(dockerfile, None) == CheckOptions(skip=frozenset({"A"}), error=True)
    assert read_options(dockerfile, "") == CheckOptions()


def test_verdict_names_the_rules() -> None:
    seen = examine("# check=error=true\n" + TWO)
    verdict = Report(seen.findings, seen.error).verdict()
    assert str(verdict) == (
        "lint violation found for rules: ConsistentInstructionCasing, JSONArgsRecommended, StageNameCasing"
    )
    assert Report((), True).verdict() is None
    assert Report(seen.findings, False).verdict() is None


def test_comment_holds_for_its_instruction() -> None:
    text = "FROM alpine\n# check=skip=UndefinedVar\nWORKDIR /$a\nWORKDIR /$b\n"
    assert [f.message for f in examine(text).findings] == ["Usage of undefined variable '$b'"]
    assert examine(text.replace("skip=UndefinedVar", "skip=nonsense;;")).names == ["UndefinedVar"] * 2


def test_file_wide_rules_are_left_out_at_the_top_only() -> None:
    text = "FROM alpine\n# check=skip=all\nrun x\n"
    assert examine(text).names == ["ConsistentInstructionCasing"]
    assert examine("# check=skip=all\n" + text).names == []


def test_same_thing_is_said_once() -> None:
    assert examine("FROM alpine\nCOPY $a $a /$a\n").names == ["UndefinedVar"]


def test_variable_is_marked_where_it_stands() -> None:
    (found,) = examine("FROM alpine\nARG a=1\nENV c=1 \\\n    b=${aa:-$PATH}\n").diagnostics()
    assert found.message == "Usage of undefined variable '$aa' (did you mean $a?)"
    assert found.line == 3
    assert "--> Dockerfile:4:7" in render(found)


def test_images_that_do_not_answer_are_left_out_and_named() -> None:
    text = "FROM gone AS one\nCOPY $x /\nCMD y\nFROM one\nCOPY $y /\nFROM alpine\nCOPY $z /\n"
    seen = examine(text, absent=["gone"])
    assert not seen.errors
    assert seen.names == ["JSONArgsRecommended", "UndefinedVar"]
    assert seen.findings[-1].message == "Usage of undefined variable '$z'"
    assert [source.text for source in seen.subject.survey.absent] == ["gone"]


def test_errors_do_not_hide_findings() -> None:
    seen = examine("FROM alpine as a\nCOPY --from=nine.9/UPPER a b\nSTOPSIGNAL nonsense\nWORKDIR x\n")
    assert seen.errors
    assert {"FromAsCasing", "WorkdirRelativePath"} <= set(seen.names)


def test_unknown_target_is_an_error_beside_the_findings() -> None:
    seen = examine(TWO, target="nowhere")
    assert [d.message for d in seen.errors] == ["target stage 'nowhere' could not be found"]
    assert "StageNameCasing" in seen.names
