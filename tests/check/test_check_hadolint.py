"""What kezuri finds under hadolint's names is what hadolint 2.15.1 finds, but for what is listed here with a reason.

The facts are recorded by `record_hadolint.py` over Dockerfiles of our own. `differs` of a case says what is missing
(`-LINE CODE`) or more (`+LINE CODE`) than hadolint has.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from tests.check.check_dockerfiles import CASES, examine
from tests.suites.suites_folded import folded

from kezuri.check.catalogue import every_rule
from kezuri.check.policy import Policy
from kezuri.check.rule import Finding, Rule

FILES = sorted(CASES.glob("hadolint-*.json"))
RULES = [rule for rule in every_rule() if isinstance(rule, Rule)]
DELIBERATE = {
    "DL1001": "a pragma that silences DL1001 itself is left to what silences findings",
    "DL3001": "a here-document that begins with #!/usr/bin/env python is no shell's",
    "DL3002": "blanks behind USER root change nothing",
    "DL3004": "sudo alone, without a command",
    "DL3006": "the tag is in a variable whose value is known",
    "DL3010": "--file=ARCHIVE is the archive, too",
    "DL3020": "ADD is for git repositories, and for archives compressed with zstd",
    "DL3022": "names of stages are compared without regard to case; quotes around one are none of it",
    "DL3044": "in single quotes, and behind a backslash, a dollar sign is none",
    "DL3045": "a quoted part of a word is a part of it; a base image that is known to have a WORKDIR is meant",
    "DL3047": "wget that only tells its version, or nothing, writes no log",
    "DL3054": "an expression of SPDX identifiers is valid, and so is LicenseRef-",
    "DL3055": "abbreviated hashes have from 7 digits on",
    "DL3056": "no leading zeros, and no empty part behind - or +, in a semantic version",
    "DL3057": "a stage is another one's base only by its name, not by an image that both name",
    "DL4005": "a link that leads to /bin/sh does not replace it",
    "DL4006": "shells by the last part of their paths; SHELL is inherited from a stage; set -o pipefail in the script; "
    "quoted pipes in exec form are none; a shell that is no POSIX shell",
}
"""Why a code may differ."""


class Recorded(NamedTuple):
    """A recorded case with the terms of its file; `rules` are those that have a name of hadolint's in it."""

    name: str
    case: dict[str, Any]
    policy: Policy | None
    codes: frozenset[str]
    rules: tuple[Rule, ...]

    def found(self, rules: Iterable[Rule]) -> set[str]:
        """What these rules say of the case, in hadolint's names."""
        seen = examine(self.case["dockerfile"], rules=rules, beyond=True, policy=self.policy)
        return {name for finding in seen.findings for name in _names(finding) if name.split()[1] in self.codes}


def given() -> list[Recorded]:
    """The recorded cases, with the terms of their files."""
    found = []
    for file in FILES:
        facts = json.loads(file.read_text(encoding="utf-8"))
        policy = (
            Policy(**{key: _frozen(value) for key, value in facts["policy"].items()}) if "policy" in facts else None
        )
        codes = frozenset(facts["codes"])
        rules = tuple(rule for rule in RULES if codes.intersection(rule.aliases))
        for number, case in enumerate(facts["cases"]):
            name = f"{file.stem.removeprefix('hadolint-')}-{number}"
            found.append(Recorded(name, case, policy, codes, rules))
    return found


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


each = folded(given(), lambda recorded: recorded.name)


@each
def test_hadolint_finds_the_same(recorded: Recorded) -> None:
    found, theirs = recorded.found(recorded.rules), set(recorded.case["hadolint"])
    differs = {f"-{name}" for name in theirs - found} | {f"+{name}" for name in found - theirs}
    assert differs == set(recorded.case.get("differs", ()))
    assert all(name.split()[1] in DELIBERATE for name in differs)


@pytest.mark.slow
@each
def test_no_other_rule_says_more_of_the_recorded_cases(recorded: Recorded) -> None:
    assert recorded.found(RULES) == recorded.found(recorded.rules)


def _names(finding: Finding) -> list[str]:
    if finding.node is not None:
        line = finding.node.place.line
    else:
        assert finding.place is not None
        line = finding.place.line
    aliases = finding.rule.aliases if finding.aliases is None else finding.aliases
    return [f"{line} {alias}" for alias in aliases]


def test_facts_are_there_and_every_reason_is_needed() -> None:
    cases = [case for file in FILES for case in json.loads(file.read_text(encoding="utf-8"))["cases"]]
    assert len(cases) > 1400
    assert {name.split()[1] for case in cases for name in case.get("differs", ())} == set(DELIBERATE)
