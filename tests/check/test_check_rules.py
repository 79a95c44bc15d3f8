"""Every rule keeps what it says about itself: its examples, its fix, its page."""

import re
from pathlib import Path

import pytest
from tests.check.check_dockerfiles import Seen, examine

from kezuri.check.catalogue import every_rule
from kezuri.check.linter import CheckOptions
from kezuri.check.rule import Example, Rule, apply
from kezuri.check.rules import RULES
from kezuri.cli import checks_page

ROOT = Path(__file__).parents[2]
each = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
FIXED = (
    "ConsistentInstructionCasing",
    "ExposeProtoCasing",
    "FromAsCasing",
    "LegacyKeyValueFormat",
    "MaintainerDeprecated",
    "NoEmptyContinuation",
    "StageNameCasing",
)


def tried(rule: Rule, example: Example) -> Seen:
    options = CheckOptions(experimental=frozenset({rule.name}) if rule.experimental else frozenset())
    return examine(example.text, ignore=example.ignore, base=example.base, options=options)


@each
def test_bad_example_is_reported_by_this_rule_alone(rule: Rule) -> None:
    seen = tried(rule, rule.bad)
    assert not seen.errors or rule.name == "InvalidDefaultArgInFrom"
    assert set(seen.names) == {rule.name}
    for found in seen.diagnostics():
        assert found.hint, "every finding says what to do"
        assert found.url == rule.url


@each
def test_good_example_is_not_reported(rule: Rule) -> None:
    seen = tried(rule, rule.good)
    assert not seen.errors
    assert not seen.names


@each
def test_fix_of_the_bad_example_leaves_nothing_to_report(rule: Rule) -> None:
    fixes = [finding.fix for finding in tried(rule, rule.bad).findings]
    assert all(fixes) == (rule.name in FIXED)
    if all(fixes):
        text = apply(rule.bad.text, [fix for fix in fixes if fix is not None])
        assert text != rule.bad.text
        assert not tried(rule, Example(text, rule.bad.ignore, rule.bad.base)).names


@each
def test_rule_has_a_name_a_page_and_sentences(rule: Rule) -> None:
    assert type(rule).__name__ == rule.name
    if rule.url:
        words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", rule.name)
        assert rule.url == f"https://docs.docker.com/go/dockerfile/rule/{'-'.join(words).lower()}/"
    assert rule.why.endswith(".")


def test_names_are_unique_and_in_order() -> None:
    names = [rule.name for rule in RULES]
    assert names == sorted(set(names))
    assert len(names) == 22


@pytest.mark.parametrize(("name", "japanese"), [("checks.md", False), ("checks.ja.md", True)])
def test_page_is_made_from_the_rules(name: str, japanese: bool) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert page == checks_page.page(japanese) + "\n", f"python -m kezuri.cli.checks_page [ja] > docs/{name}"


def test_page_has_every_rule_and_every_name() -> None:
    page = checks_page.page()
    for rule in every_rule():
        assert f"\n### {rule.name}\n" in page and f"\n| [{rule.name}](#{rule.name.lower()}) | {rule.severity} |" in page
        for alias in rule.shown_aliases:
            assert re.search(rf"^\| {alias} \| .*\[{rule.name}\]", page, re.MULTILINE)


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ("FROM a as b\nfrom b As c\n", "FROM a AS b\nFROM b AS c\n"),
        ("FROM a AS Web\nFROM Web\nFROM web\n", "FROM a AS web\nFROM web\nFROM web\n"),
        ("FROM a\nENV A b c\nLABEL x y\n", 'FROM a\nENV A="b c"\nLABEL x=y\n'),
        ('FROM a\nENV A b "c d"\n', 'FROM a\nENV A b "c d"\n'),
        ("FROM a\nENV A \\\n  b\n", "FROM a\nENV A \\\n  b\n"),
        (
            'FROM a\nMAINTAINER "me" <$x>\n',
            'FROM a\nLABEL org.opencontainers.image.authors="\\"me\\" <\\$x>"\n',
        ),
        ("FROM a\nRUN x \\\n\n  \n  # c\n\n y\n", "FROM a\nRUN x \\\n  # c\n y\n"),
        ("FROM a\nEXPOSE 1/TCP 2/tcp 3-4/Udp\n", "FROM a\nEXPOSE 1/tcp 2/tcp 3-4/udp\n"),
        ("FROM a\nRun x <<E\nRun y\n\nE\n", "FROM a\nRUN x <<E\nRun y\n\nE\n"),
    ],
)
def test_fixes(bad: str, good: str) -> None:
    text = bad
    for _ in range(3):
        text = apply(text, [finding.fix for finding in examine(text).findings if finding.fix is not None])
    assert text == good


def test_paths_are_quoted_as_buildkit_quotes_them() -> None:
    seen = examine("FROM alpine\nWORKDIR a\\\\b\n")
    (said,) = (finding.message for finding in seen.findings)
    assert said.startswith('Relative workdir "a\\\\b" can have')
