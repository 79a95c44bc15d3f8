"""Dockerfiles examined with images that exist only here."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kezuri.check.document import DocumentRule, document_of
from kezuri.check.document_sheets import check_document
from kezuri.check.linter import CheckOptions, lint, read_options
from kezuri.check.policy import Policy
from kezuri.check.rule import Example, Finding, Rule, RulePage
from kezuri.check.rules import RULES
from kezuri.check.selection import Selection
from kezuri.check.sheets import Terms, check_dockerfile
from kezuri.check.shell_checker import Remark, ShellChecker
from kezuri.check.subject import Subject
from kezuri.check.told import Sheet
from kezuri.diagnostics import Diagnostic, KezuriError, SourceText
from kezuri.dockerfile.ignore import Ignore
from kezuri.dockerfile.parser import parse
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.contexts import ImageResolver
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.plan.planner import Planner, PlanRequest

CASES = Path(__file__).parent / "cases"
AMD64 = Platform("linux", "amd64")
LAYER = Descriptor("application/vnd.oci.image.layer.v1.tar+gzip", "sha256:" + "2" * 64, 1)
BASES: Mapping[str, Any] = json.loads((CASES / "bases.json").read_text(encoding="utf-8"))
"""Configs of images by full reference; every other name is an image of linux/amd64 with a PATH."""


class Table:
    """Surroundings that are a table of files."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def names(self, directory: str = "") -> Iterable[str]:
        start = f"{directory}/" if directory else ""
        rest = [path.removeprefix(start) for path in self._files if path.startswith(start)]
        return sorted({name if not below else f"{name}/" for name, below, _ in (p.partition("/") for p in rest)})

    def read(self, path: str) -> str | None:
        return self._files.get(path)

    def exists(self, path: str) -> bool:
        return path in self._files or any(p.startswith(f"{path}/") for p in self._files)


class Seen(NamedTuple):
    """A Dockerfile that was examined: what its rules say and what was wrong with it."""

    subject: Subject
    findings: tuple[Finding, ...]
    errors: tuple[Diagnostic, ...]
    error: bool

    @property
    def names(self) -> list[str]:
        """The rules of the findings, in order."""
        return [finding.rule.name for finding in self.findings]

    def diagnostics(self) -> list[Diagnostic]:
        """The findings as diagnostics."""
        return [finding.diagnostic(self.subject.dockerfile.source) for finding in self.findings]


def resolver(base: str = "", absent: Iterable[str] = ()) -> ImageResolver:
    """Finds the images of `BASES`, and others that have a PATH only. `base` is the platform of all images; those of
    `absent` cannot be asked for."""

    def resolve(source: ImageSource, wanted: Platform) -> BaseImage:
        name = str(Reference.parse(source.text))
        if source.text in absent:
            raise KezuriError.of(f"{name}: no registry answers", exit_code=125)
        if base:
            config = ImageConfig(Platform.parse(base), diff_ids=("sha256:" + "0" * 64,))
        else:
            raw = BASES.get(name) or {
                **BASES["docker.io/library/shelly:latest"],
                "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
            }
            config = ImageConfig.parse(json.dumps(raw).encode(), name)
        return BaseImage(name, "sha256:" + "1" * 64, config, (LAYER,), source)

    return resolve


def examine(
    text: str,
    *,
    args: Mapping[str, str] | None = None,
    target: str = "",
    platform: Platform | None = None,
    everything: bool = True,
    ignore: str = "",
    base: str = "",
    absent: Iterable[str] = (),
    options: CheckOptions | None = None,
    rules: Iterable[Rule] = RULES,
    files: Mapping[str, str] | None = None,
    policy: Policy | None = None,
    beyond: bool = False,
    shell_checker: ShellChecker | None = None,
) -> Seen:
    """What the rules say of a Dockerfile that is built on linux/amd64. `base` is the platform of all images; those of
    `absent` cannot be asked for. `files` are those of the build context, by path."""

    dockerfile = parse(text, "Dockerfile")
    request = PlanRequest(target=target, arguments=args or {}, platform=platform, build_platform=AMD64)
    planner = Planner(dockerfile, request, resolver(base, absent))
    survey = planner.look(everything and not target)
    rule_file = Ignore.parse(ignore, ".dockerignore") if ignore else None
    subject = Subject(
        dockerfile,
        survey,
        planner.platform,
        rule_file,
        platform is not None,
        None if files is None else Table(files),
        policy,
        shell_checker,
    )
    report = lint(subject, options or read_options(dockerfile, None), rules, beyond)
    errors = tuple(d for error in survey.errors for d in error.diagnostics)
    return Seen(subject, report.findings, errors, report.error)


class Unquoted:
    """Says what ShellCheck would of one word of the example of its rule."""

    def check(self, scripts: Sequence[str]) -> tuple[tuple[Remark, ...], ...]:
        return tuple(
            tuple(
                Remark(2086, "info", "Quote it", number, line.index(" $FILES") + 2, number, len(line) + 1)
                for number, line in enumerate(script.split("\n"), 1)
                if " $FILES" in line
            )
            for script in scripts
        )


def seen_in(example: Example, rule: RulePage) -> Sheet:
    """What `kezuri check --rule` says of a rule's example, with nothing but the example around it."""

    files = {**(example.files or {}), example.name: example.text}
    selection = Selection(only=frozenset({rule.name.lower()}))
    if isinstance(rule, DocumentRule):
        document = document_of(SourceText(example.name, example.text), example.name, Table(files))
        assert document is not None, "no document that there are rules for"
        return check_document(document, selection)
    if example.ignore:
        files[".dockerignore"] = example.ignore
    terms = Terms(
        resolver(example.base),
        surroundings=Table(files),
        ignore=Ignore.parse(example.ignore, ".dockerignore") if example.ignore else None,
        policy=example.policy,
        selection=selection,
        shell_checker=Unquoted(),
    )
    return check_dockerfile(example.text, example.name, terms)
