"""The rules about workflows, Compose files and ignore files: their examples, their fixes, the brief's own documents."""

import json
import os
from pathlib import Path

import pytest
from tests.check.check_documents import RULES, findings, fixed, said, subject
from tests.suites.suites_folded import folded

from kezuri.check.document import DocumentRule, document_of, kind_by_name
from kezuri.check.rule import Example
from kezuri.diagnostics import SourceText

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
each = folded(RULES, lambda rule: rule.name)


def lines_of(rule: DocumentRule, example: Example) -> list[tuple[str, int]]:
    return said(example.text, example.name, example.files, rule.name)


@each
def test_the_bad_example_is_found_and_the_good_one_is_not(rule: DocumentRule) -> None:
    assert lines_of(rule, rule.bad)
    assert not lines_of(rule, rule.good)


@each
def test_a_rule_says_what_it_is(rule: DocumentRule) -> None:
    assert rule.summary and not rule.summary.endswith(".")
    assert rule.why.endswith(".")
    assert rule.japanese[0] and rule.japanese[1].endswith("。")
    for finding in findings(subject(rule.bad.text, rule.bad.name, rule.bad.files), rule.name):
        assert finding.message.isprintable() and not finding.message.endswith(".")
        assert finding.place is not None and finding.hint and finding.hint.isprintable()


@each
def test_a_fix_leaves_nothing_of_the_rule_and_changes_only_what_it_says(rule: DocumentRule) -> None:
    document = subject(rule.bad.text, rule.bad.name, rule.bad.files)
    fixes = [finding for finding in findings(document, rule.name) if finding.fix is not None]
    assert bool(fixes) == bool(rule.fix_class)
    for finding in fixes:
        assert finding.fix is not None and finding.fix.kind in ("A", rule.fix_class)
        text = fixed(document, finding)
        assert text != rule.bad.text
        assert len(said(text, rule.bad.name, rule.bad.files, rule.name)) < len(findings(document, rule.name))
        for ending, name in (("\r\n", "line endings"), ("\n", "the end of the file")):
            other = rule.bad.text.replace("\n", ending) if ending == "\r\n" else rule.bad.text.rstrip("\n")
            again = subject(other, rule.bad.name, rule.bad.files)
            for found in findings(again, rule.name):
                if found.fix is not None:
                    changed = fixed(again, found)
                    assert ("\n" in changed.replace("\r\n", "")) == (ending == "\n" and "\n" in changed), name


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".github/workflows/ci.yml", "workflow"),
        ("a/.github/workflows/ci.yaml", "workflow"),
        (".gitlab-ci.yml", "gitlab"),
        ("compose.yaml", "compose"),
        ("docker-compose.prod.yml", "compose"),
        ("compose.override.yml", "compose"),
        ("composer.yml", None),
        (".dockerignore", "ignore"),
        ("web.Dockerfile.dockerignore", "ignore"),
        ("config.yml", None),
        (".gitignore", None),
    ],
)
def test_documents_are_known_by_their_paths(path: str, kind: str | None) -> None:
    assert kind_by_name(path) == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("on: push\njobs:\n  a:\n    steps: []\n", "workflow"),
        ("runs:\n  using: composite\n  steps:\n    - run: x\n", "workflow"),
        ("- run: x\n- uses: a/b@v1\n", "workflow"),
        ("services:\n  a:\n    image: x\n", "compose"),
        ("services:\n  App\\Kernel:\n    autowire: true\n", None),
        ("services:\n  a: {image: x}\nparameters: {}\n", None),
        ("- name: play\n  hosts: all\n", None),
        ("jobs: [a]\n", None),
        ("a: 'run: x\n", None),
        ("", None),
    ],
)
def test_documents_are_known_by_their_content(text: str, kind: str | None) -> None:
    found = document_of(SourceText("x.yml", text), "x.yml")
    assert (found.kind if found is not None else None) == kind


BROKEN = {
    "000-compose": {"ObsoleteComposeVersion"},
    "001-compose-development": {"ObsoleteComposeVersion", "StaleAnonymousVolume"},
    "001-curl-in-a-healthcheck": {"ServiceHealthcheckProgramMissing"},
    "001-dockerignore": {"CommentBehindPattern"},
    "000-workflow": {"UnpinnedImageWithDockerSocket", "ScanNeverFails"},
    "001-workflow": {"ScannedTagDiffers", "ActionFollowsBranch", "ScanAfterPush"},
}
"""Which rules name the defects that the case says."""


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_the_broken_documents_of_the_brief_are_found(name: str) -> None:
    directory = EXAMPLES / "broken" / name
    case = json.loads((directory / "case.json").read_text(encoding="utf-8"))
    files = {
        os.path.relpath(path, directory): path.read_text(encoding="utf-8")
        for path in directory.rglob("*")
        if path.is_file()
    }
    path = case.get("file") or next(name for name in files if name.startswith("docker-compose"))
    names = {name for name, _ in said(files[path], path, files)}
    assert names >= BROKEN[name]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/.dockerignore")), ids=lambda path: path.parent.name)
def test_the_ignore_files_of_the_right_examples_have_no_finding_above_info(path: Path) -> None:
    directory = path.parent
    files = {
        os.path.relpath(file, directory): file.read_text(encoding="utf-8", errors="replace")
        for file in directory.rglob("*")
        if file.is_file()
    }
    document = subject(files[".dockerignore"], ".dockerignore", files)
    assert not [found.message for found in findings(document) if (found.level or found.rule.severity) != "info"]


def test_a_version_below_one_is_not_taken_for_one_that_ended() -> None:
    text = (
        "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: docker/build-push-action@v7\n"
        "      - uses: anchore/sbom-action@v0.16.0\n      - uses: actions/upload-artifact@v3\n"
    )
    (found,) = findings(subject(text, ".github/workflows/a.yml"), "OutdatedAction")
    assert "upload-artifact@v3 fails: GitHub stopped" in found.message
