"""Findings, outlines and targets are BuildKit's (v0.33.1), recorded over generated Dockerfiles."""

import json
import re
from typing import Any

from tests.check.check_dockerfiles import CASES, examine
from tests.suites.suites_folded import folded

from kezuri.check.outline import outline, targets
from kezuri.check.rule import apply
from kezuri.check.rules.files import CopyIgnoredFile
from kezuri.oci.platform import Platform
from kezuri.plan.stages import split_stages

RECORDED: list[dict[str, Any]] = [
    case for path in sorted(CASES.glob("buildkit-*.json")) for case in json.loads(path.read_text(encoding="utf-8"))
]
IGNORE: list[dict[str, Any]] = json.loads((CASES / "ignore.json").read_text(encoding="utf-8"))
numbered = folded(RECORDED)


def given(case: dict[str, Any]) -> dict[str, Any]:
    platform = Platform.normal("linux", case["platform"]) if case.get("platform") else None
    return {"args": case.get("args"), "target": case.get("target", ""), "platform": platform}


@numbered
def test_check_finds_what_buildkit_finds(case: dict[str, Any]) -> None:
    seen = examine(case["dockerfile"], **given(case))
    assert not seen.errors
    source = seen.subject.dockerfile.source
    found = set()
    for d in seen.diagnostics():
        assert d.about is not None
        last = source.position(max(d.about.start, d.about.end - 1))[0]
        found.add(f"{d.code} {d.line}-{last} {d.message}")
    assert sorted(found) == case["warnings"]


@numbered
def test_build_warns_of_the_stages_that_it_builds(case: dict[str, Any]) -> None:
    seen = examine(case["dockerfile"], **given(case), everything=False)
    found = {f"{d.code} {d.line} {d.message}" for d in seen.diagnostics()}
    all_of_them = {re.sub(r"^(\S+ \d+)-\d+", r"\1", warning) for warning in case["warnings"]}
    assert found == all_of_them - set(case["unreached"])


@numbered
def test_outline_is_buildkits(case: dict[str, Any]) -> None:
    seen = examine(case["dockerfile"], **given(case), everything=False)
    drawn = outline(seen.subject, seen.subject.survey.target, case.get("args") or {})
    line = seen.subject.dockerfile.source.position
    found: dict[str, Any] = {
        "args": sorted([line(a.node.span.start)[0], a.name, a.value, a.description] for a in drawn.arguments),
        "secrets": sorted([line(w.node.span.start)[0], w.id, w.required] for w in drawn.secrets),
        "ssh": sorted([line(w.node.span.start)[0], w.id, w.required] for w in drawn.agents),
    }
    assert {key: value for key, value in found.items() if value} == case["outline"]


@folded([c for c in RECORDED if "targets" in c])
def test_targets_are_buildkits(case: dict[str, Any]) -> None:
    lines = targets(examine(case["dockerfile"]).subject.dockerfile)
    assert [[t.name, t.description, t.base, t.platform] for t in lines] == case["targets"]
    assert [t.default for t in lines] == [False] * (len(lines) - 1) + [True]


@folded(IGNORE)
def test_copies_of_ignored_files_are_what_patternmatcher_says(case: dict[str, Any]) -> None:
    text = "FROM scratch\n" + "".join(f"COPY {path} /dst/\n" for path in case["excluded"])
    seen = examine(text, ignore=case["ignore"], rules=[CopyIgnoredFile()])
    found = {finding.node.number - 1 for finding in seen.findings if finding.node is not None}
    assert found == {i for i, excluded in enumerate(case["excluded"].values()) if excluded}


@numbered
def test_fixes_mend_what_they_say_and_keep_the_meaning(case: dict[str, Any]) -> None:
    before = after = examine(case["dockerfile"], **given(case))
    for _ in range(4):
        # Fixes that touch each other are made one after the other.
        fixes = [finding.fix for finding in after.findings if finding.fix is not None]
        if not fixes:
            break
        after = examine(apply(after.subject.dockerfile.source.text, fixes), **given(case))
    assert not after.errors
    assert not [finding for finding in after.findings if finding.fix is not None]
    assert len(split_stages(before.subject.dockerfile)[1]) == len(split_stages(after.subject.dockerfile)[1])
    for old, new in zip(before.subject.survey.stages, after.subject.survey.stages):
        assert old.plan is not None and new.plan is not None
        author = old.plan.config.author
        labels = {k: v for k, v in new.plan.config.labels.items() if not author or not k.endswith(".authors")}
        kept = {k: v for k, v in old.plan.config.labels.items() if not author or not k.endswith(".authors")}
        assert labels == kept
        shown = [p.config._replace(labels={}, author="", on_build=(), history=()) for p in (old.plan, new.plan)]
        assert shown[0] == shown[1]
        assert len(new.plan.operations) == len(old.plan.operations)
