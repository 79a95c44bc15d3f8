"""Every rule of the catalogue keeps what it says about itself: its examples, its fixes, its page, its names."""

import re

from tests.check.check_dockerfiles import seen_in
from tests.suites.suites_folded import folded

from kezuri.check.catalogue import by_name, dockerfile_rules, document_rules, every_rule
from kezuri.check.document import DocumentRule
from kezuri.check.rule import Example, Rule, RulePage, apply
from kezuri.check.rules import RULES
from kezuri.check.told import Sheet, Told
from kezuri.cli.language import catalogue

PAGES = every_rule()
TEXTS = [rule for rule in PAGES if isinstance(rule, Rule | DocumentRule)]
each = folded(PAGES, lambda rule: rule.name)
text = folded(TEXTS, lambda rule: rule.name)
"""Rules about images have images as examples, and tests of their own."""
ALIAS = re.compile(r"DL\d{4}|DS-\d{4}|(?:CIS-DI|DKL-DI|DKL-LI)-\d{4}|SC\d{4}|[A-Z][A-Za-z]+")
JAPANESE = re.compile(r"[ぁ-ヿ一-鿿]")


def found(rule: RulePage, example: Example) -> list[Told]:
    sheet: Sheet = seen_in(example, rule)
    assert sheet.defects == ()
    return list(sheet.told)


@text
def test_bad_example_is_reported_by_the_rule(rule: RulePage) -> None:
    told = found(rule, rule.bad)
    assert told
    for one in told:
        assert one.hint or rule.name == "Unbuildable", "every finding says what to do"
        assert "\n" not in one.message and not one.message.endswith(".")
        assert one.span is None or 0 <= one.span.start <= one.span.end <= len(one.source.text)
        assert set(one.aliases) <= set(rule.aliases)


@text
def test_good_example_is_not_reported_by_the_rule(rule: RulePage) -> None:
    assert [one.message for one in found(rule, rule.good)] == []


@text
def test_a_fix_of_the_bad_example_leaves_nothing_of_the_rule(rule: RulePage) -> None:
    bad, changed = rule.bad, rule.bad.text
    for _ in range(5):
        fixes = [
            one.fix for one in found(rule, Example(changed, bad.ignore, bad.base, bad.files, bad.name, bad.policy))
        ]
        edits = [fix for fix in fixes if fix is not None and all(edit.source is None for edit in fix.edits)]
        assert all(fix.kind in ("A", "V", "D") for fix in edits)
        if any(fix.files for fix in edits) or not any(fix.edits for fix in edits):
            return
        before, changed = changed, apply(changed, edits)
        assert changed != before
    raise AssertionError("the fixes never end")


@each
def test_a_rule_has_a_page(rule: RulePage) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z0-9]+", rule.name)
    assert rule.summary and "\n" not in rule.summary
    assert not rule.summary.endswith(".") or rule in RULES
    assert rule.why.rstrip().endswith((".", "```", ")"))
    assert rule.severity in ("error", "warning", "info", "style", "ignore")
    assert rule.fix_class in ("", "A", "V", "D")
    assert type(rule).__doc__
    assert rule.bad.text and rule.good.text


@each
def test_a_rule_has_a_page_in_japanese(rule: RulePage) -> None:
    summary, why = rule.japanese
    if rule in RULES and not summary:
        # BuildKit's rules, which every build loads, have theirs in the catalogue of sentences.
        summary, why = catalogue("ja")[rule.summary].rstrip("。"), catalogue("ja")[rule.why]
    assert JAPANESE.search(summary) and JAPANESE.search(why)
    assert not summary.endswith("。")


@each
def test_aliases_are_names_of_other_tools(rule: RulePage) -> None:
    assert all(ALIAS.fullmatch(alias) for alias in rule.aliases)
    assert len({alias.lower() for alias in rule.aliases}) == len(rule.aliases)


def test_names_are_unique() -> None:
    """What another tool finds under one name may be several things here, so that an alias may lead to several rules;
    a name of ours is one rule's."""
    own = {rule.name.lower(): rule.name for rule in PAGES}
    assert len(own) == len(PAGES)
    for rule in PAGES:
        assert not [alias for alias in rule.aliases if own.get(alias.lower(), rule.name) != rule.name]
    assert set(by_name()) == {name.lower() for rule in PAGES for name in (rule.name, *rule.aliases)}


def test_files_are_called_by_what_their_rules_are_about() -> None:
    assert all(isinstance(rule, Rule) for rule in dockerfile_rules())
    assert all(isinstance(rule, DocumentRule) for rule in document_rules())
    others = set(PAGES) - set(dockerfile_rules()) - set(document_rules())
    assert not any(isinstance(rule, Rule | DocumentRule) for rule in others)
