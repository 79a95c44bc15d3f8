"""What comments silence: each tool's where that tool looks for them, ours anywhere, by any name of a rule."""

from collections.abc import Iterable

import pytest
from tests.check.check_dockerfiles import resolver, seen_in
from tests.suites.suites_folded import folded

from kezuri.check.catalogue import every_rule
from kezuri.check.pragmas import Silence
from kezuri.check.preferences_hadolint import read_hadolint
from kezuri.check.preferences_ignores import read_ignored
from kezuri.check.preferences_toml import read_project
from kezuri.check.rule import Example, Rule
from kezuri.check.selection import Selection
from kezuri.check.sheets import Terms, check_dockerfile
from kezuri.check.told import Sheet, Told
from kezuri.dockerfile.parser import parse

A = "WorkdirRelativePath"
B = "MaintainerDeprecated"
each = folded([rule for rule in every_rule() if isinstance(rule, Rule)], lambda rule: rule.name)


def sheet(text: str, heed: bool = True, also: Iterable[str] = (), today: str = "2026-11-28") -> Sheet:
    names = frozenset(name.lower() for name in (A, B, *also))
    return check_dockerfile(text, "Dockerfile", Terms(resolver(), selection=Selection(names), heed=heed, today=today))


def found(text: str, heed: bool = True) -> list[tuple[int, str]]:
    return [(told.line, told.rule.name) for told in sheet(text, heed).told]


def test_nothing_is_silent_by_itself() -> None:
    assert found("FROM scratch\nWORKDIR a\nMAINTAINER b\n") == [(2, A), (3, B)]


@pytest.mark.parametrize(
    "comment",
    [
        f"# hadolint ignore={A}",
        f"#hadolint ignore={A}",
        f"  # hadolint   ignore = {A} , {B}",
        f"# hadolint ignore={B},{A} # because",
        f"# hadolint ignore=DL,{A},DL9999,SC1,ds002",
        f"# kezuri ignore={A}",
        f"# kezuri ignore={A.lower()}, {B} because of this",
        "# kezuri ignore=all",
        f"# kezuri: ignore={A}",
        f"# check=skip={A}",
        f"# check=skip={B},{A};error=true",
        "# check=skip=all",
        f"#trivy:ignore:{A}",
        f"# trivy:ignore:{B} trivy:ignore:{A}",
        f"# trivy:ignore:{A}:exp:2026-11-28",
    ],
)
def test_a_comment_above_an_instruction_is_for_it_alone(comment: str) -> None:
    assert found(f"FROM scratch\nUSER x\n{comment}\nWORKDIR a\nMAINTAINER b\n") == [(5, B)]
    assert found(f"FROM scratch\nUSER x\n{comment}\nWORKDIR a\nMAINTAINER b\n", heed=False) == [(4, A), (5, B)]


@pytest.mark.parametrize(
    "comment",
    [
        f"# hadolint ignore={A} because",
        f"# Hadolint Ignore={A}",
        f"## hadolint ignore={A}",
        f"# see hadolint ignore={A}",
        "# hadolint ignore=",
        f"# hadolint ignore={A},",
        f"# hadolint ignore={A},nobody",
        f"# hadolint global ignore=DL3999x,{A}",
        f"# hadolint ignore={A}\n",
        f"# hadolint ignore={A}\n# another",
        f"# hadolint stage ignore={A}",
        f"# kezuri {A}",
        "# kezuri ignore",
        f"# check=skip={A.removesuffix('h')}",
        f"# check={A}",
        f"# trivy:ignore:{A}:exp:2026-11-27",
    ],
)
def test_what_a_tool_does_not_take_for_its_comment_silences_nothing(comment: str) -> None:
    assert (4 + comment.count("\n"), A) in found(f"FROM scratch\nUSER x\n{comment}\nWORKDIR a\n")


def test_our_comments_and_buildkits_may_have_others_below_them() -> None:
    assert found(f"FROM scratch\n# kezuri ignore={A}\n\n# another\nWORKDIR a\n") == []
    assert found(f"FROM scratch\n# check=skip={A}\n\n# another\nWORKDIR a\n") == []
    assert found(f"FROM scratch\n# kezuri ignore={B}\n# kezuri ignore={A}\nWORKDIR a\n") == []


def test_our_comments_may_stand_within_an_instruction() -> None:
    assert found(f"FROM scratch\nWORKDIR \\\n# kezuri ignore={A}\n  a\nFROM scratch\nWORKDIR b\n") == [(6, A)]
    text = "FROM scratch\nUSER x\nRUN a && \\\n  # kezuri ignore=all\n  b\nWORKDIR c\n"
    (pragma,) = Silence(parse(text, "Dockerfile"), "").pragmas
    assert (pragma.scope, pragma.first, pragma.last) == ("line", 3, 3)
    heredoc = "FROM scratch\nRUN <<E\n# hadolint global ignore=all\n# kezuri ignore=DL3001\nE\n"
    (pragma,) = Silence(parse(heredoc, "Dockerfile"), "").pragmas
    assert (pragma.written, pragma.first) == (("DL3001",), 2)


@pytest.mark.parametrize("tool", ["hadolint", "kezuri"])
def test_global_comments_hold_for_the_file_wherever_they_stand(tool: str) -> None:
    comment = f"# {tool} global ignore={A}\n"
    for text in (
        f"{comment}FROM scratch\nWORKDIR a\nMAINTAINER b\n",
        f"FROM scratch\nWORKDIR a\nMAINTAINER b\n{comment}",
    ):
        assert [name for _, name in found(text)] == [B]


@pytest.mark.parametrize("tool", ["hadolint", "kezuri"])
def test_stage_comments_hold_for_the_stage_below_them(tool: str) -> None:
    text = f"FROM scratch\nWORKDIR a\n# {tool} stage ignore={A}\nFROM scratch\nWORKDIR b\nFROM scratch\nWORKDIR c\n"
    assert found(text) == [(2, A), (7, A)]
    inside = f"FROM scratch\nWORKDIR a\n# {tool} stage ignore={A}\nUSER 1\nFROM scratch\nWORKDIR c\n"
    assert found(inside) == ([(6, A)] if tool == "kezuri" else [(2, A), (6, A)])


def test_trivys_comments_above_from_hold_for_what_begins_there() -> None:
    assert found(f"#trivy:ignore:{A}\nFROM scratch\nWORKDIR a\nFROM scratch\nWORKDIR b\n") == []
    assert found(f"FROM scratch\nWORKDIR a\n#trivy:ignore:{A}\nFROM scratch\nWORKDIR b\n") == [(2, A)]


def test_the_directive_holds_for_the_file() -> None:
    assert found(f"# check=skip={A}\nFROM scratch\nWORKDIR a\nMAINTAINER b\n") == [(4, B)]
    assert found("# check=skip=all\nFROM scratch\nWORKDIR a\nMAINTAINER b\n") == []
    (one,) = sheet("# check=error=true\nFROM scratch\nWORKDIR a\n").told
    assert one.level == "error"
    wrong = sheet("# check=skp=all\nFROM scratch\nWORKDIR a\n", also=["unbuildable"]).told
    assert [(told.line, told.rule.name) for told in wrong] == [(1, "Unbuildable"), (3, A)]


def test_what_is_silenced_is_counted() -> None:
    assert sheet(f"FROM scratch\n# kezuri ignore={A}\nWORKDIR a\n").silenced == 1


def test_a_name_that_nobody_has_is_reported_at_its_place() -> None:
    text = f"FROM scratch\n# kezuri ignore=DL9999,WorkdirRelativPath\n# hadolint ignore=SC1234,{B}\nUSER a\n"
    (told,) = sheet(text, also=["unknownrulename"]).told
    assert told.rule.name == "UnknownRuleName" and told.level == "info"
    assert told.span is not None and text[told.span.start : told.span.end] == "WorkdirRelativPath"
    assert told.hint == f"write `{A}`"


@pytest.mark.parametrize(
    ("names", "silent"),
    [
        (f"{A},DL9999,SC1234,CVE-2024-1", True),
        (f"{A},WorkdirRelativPath", False),
        (f"nonsense, {A}", False),
        (f"DLabc,{A}", False),
    ],
)
def test_a_list_that_hadolint_cannot_read_counts_for_nothing(names: str, silent: bool) -> None:
    assert found(f"FROM scratch\n# hadolint ignore={names}\nWORKDIR a\n") == ([] if silent else [(3, A)])
    assert found(f"# hadolint global ignore={names}\nFROM scratch\nWORKDIR a\n") == ([] if silent else [(3, A)])
    assert found(f"FROM scratch\n# kezuri ignore={names}\nWORKDIR a\n") == []


def test_many_comments_take_time_in_proportion() -> None:
    text = "FROM scratch\n" + f"# kezuri ignore={A}\n" * 20_000 + "WORKDIR a\n"
    assert found(text) == []


@each
def test_every_name_of_a_finding_silences_it_in_every_comment(rule: Rule) -> None:
    example = rule.bad
    silenced: dict[str, list[Told]] = {}
    for told in seen_in(example, rule).told:
        for name in (rule.name, *(told.aliases or rule.aliases)):
            silenced.setdefault(name, []).append(told)
    for name, gone in silenced.items():
        for comment in (f"# kezuri global ignore={name}", f"# hadolint global ignore={name.lower()}"):
            text = f"{example.text.rstrip()}\n{comment}\n"
            left = seen_in(
                Example(text, example.ignore, example.base, example.files, example.name, example.policy), rule
            )
            found = {(one.line, one.message) for one in left.told}
            assert [told for told in gone if (told.line, told.message) in found] == [], (name, comment)


@each
def test_every_name_of_a_finding_silences_it_in_every_setting(rule: Rule) -> None:
    for told in seen_in(rule.bad, rule).told:
        for name in (rule.name, *(told.aliases or rule.aliases)):
            for said in (
                read_project(f"[check]\nignore = ['{name}']\n", "kezuri.toml", ()),
                read_hadolint(f"ignored: [{name}]\n", ".hadolint.yaml"),
                read_ignored(f"{name}\n", ""),
                read_project(f"[check.levels]\n{name} = 'ignore'\n", "kezuri.toml", ()),
            ):
                assert said.warnings == ()
                assert said.selection.level(rule, told.names, told.level) is None, name
