"""The brief's Dockerfiles: each broken one is found by the rule that names its defect, right ones are left alone."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.check.check_dockerfiles import resolver

from kezuri.check.sheets import Terms, check_dockerfile
from kezuri.check.told import Told
from kezuri.dockerfile.ignore import Ignore, find_ignore

EXAMPLES = Path(__file__).parents[2] / "examples"
FOUND = {
    "000-production-install-before-build": ("ProductionInstallBeforeBuild", "error"),
    "000-single-stage": ("BuildToolsShipped", "warning"),
    "000-unused-bases": ("UnusedStage", "warning"),
    "001-curl-in-a-healthcheck": ("DevelopmentDependenciesShipped", "warning"),
    "001-development-dependencies-shipped": ("DevelopmentDependenciesShipped", "warning"),
    "001-fixed-architecture": ("FixedArchitecture", "info"),
    "001-glibc-modules-on-musl": ("ModulesOfOtherLibc", "warning"),
    "001-link-with-development-dependencies": ("DevelopmentDependenciesShipped", "warning"),
    "001-root": ("MissingUser", "warning"),
    "001-secret-from-stdin": ("SecretCopiedInStep", "info"),
    "001-single-stage": ("BuildToolsShipped", "warning"),
    "001-source-before-dependencies": ("SourceBeforeDependencies", "warning"),
    "001-unpinned-external-image": ("UnpinnedExternalImage", "info"),
    "001-unused-bases": ("UnusedStage", "warning"),
    "001-upgrade-in-the-image": ("UpgradeInImage", "info"),
    "001-uv-installs-a-package-without-its-source": ("ProjectWithoutSource", "error"),
    "001-zoneinfo-that-is-not-there": ("ZoneinfoMissing", "warning"),
    "002-commands-that-are-not-instructions": ("Unbuildable", "error"),
    "002-comment-after-from": ("Unbuildable", "error"),
    "002-dynamic-binary-on-distroless-static": ("DynamicGoBinary", "warning"),
    "002-no-from": ("InstructionBeforeFrom", "error"),
    "002-production-install-before-build": ("ProductionInstallBeforeBuild", "error"),
    "003-glibc-modules-on-musl": ("ModulesOfOtherLibc", ""),
    "004-glibc-wget-on-musl": ("ProgramOfOtherLibc", "warning"),
    "004-legacy-env": ("LegacyKeyValueFormat", "warning"),
    "004-poetry-export": ("PoetryExportWithoutPlugin", "error"),
}
"""Each broken Dockerfile: the rule that names its defect, and the level (empty: whichever)."""
MORE = {
    "000-single-stage": {"MissingUser", "PackageManagerAsProcess", "LockFileIgnored", "UnmaintainedBase", "FullBase"},
    "001-link-with-development-dependencies": {"MissingUser"},
    "001-root": {"UnusedStage"},
    "001-glibc-modules-on-musl": {"DevelopmentDependenciesShipped"},
    "002-dynamic-binary-on-distroless-static": {"RelativeCopySource", "BuilderDirectoryCopied"},
    "002-production-install-before-build": {"DeprecatedInstallFlag"},
    "003-glibc-modules-on-musl": {"DevelopmentDependenciesShipped"},
    "004-glibc-wget-on-musl": {"UnpinnedExternalImage"},
}
"""What else their cases say of them."""
ARGUED = {
    "copy-link/Dockerfile": {"DevelopmentDependenciesShipped"},
    "express/Dockerfile.001": {"DevelopmentDependenciesShipped", "MissingUser"},
    "external-copy/Dockerfile": {"ProgramOfOtherLibc"},
    "external-copy/Dockerfile.app": {"ProgramOfOtherLibc"},
    "go-distroless/Dockerfile.002": {"RelativeCopyDestination", "UntaggedBaseImage"},
    "go-scratch/Dockerfile": {"ZoneinfoMissing"},
    "nextjs-standalone/Dockerfile.004": {"LegacyKeyValueFormat"},
    "targets/Dockerfile": {"DevelopmentDependenciesShipped", "MissingUser"},
}
"""Right examples that have a defect all the same: the rules' pages say so, and most have a twin in
examples/broken."""


class Directory:
    """Surroundings that are a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, directory: str = "") -> Iterable[str]:
        try:
            return sorted(e.name + "/" * e.is_dir() for e in (self._root / directory).iterdir())
        except OSError:
            return ()

    def read(self, path: str) -> str | None:
        try:
            return (self._root / path).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None

    def exists(self, path: str) -> bool:
        return (self._root / path).exists()


def told(dockerfile: Path, context: Path) -> tuple[Told, ...]:
    """What all rules say of a Dockerfile with its context, official images being what they are called."""
    found = find_ignore(str(dockerfile), str(context))
    ignore = Ignore.parse(Path(found).read_text(encoding="utf-8"), ".dockerignore") if found is not None else None
    text = dockerfile.read_text(encoding="utf-8")
    sheet = check_dockerfile(text, dockerfile.name, Terms(resolver(), surroundings=Directory(context), ignore=ignore))
    assert sheet.defects == ()
    return sheet.told


def broken() -> Iterator[tuple[str, Path, Path]]:
    """Every broken Dockerfile: its directory's name, the file, its context."""
    for case in sorted(EXAMPLES.glob("broken/*/case.json")):
        document = json.loads(case.read_text(encoding="utf-8"))
        if "file" not in document:
            yield case.parent.name, case.parent / "Dockerfile", case.parent / document.get("context", ".")


def right() -> Iterator[tuple[str, Path, Path]]:
    """Every right Dockerfile: its name, the file, its context."""
    seen = set()
    for example in sorted(EXAMPLES.glob("*/example.json")):
        for build in json.loads(example.read_text(encoding="utf-8"))["builds"]:
            file = example.parent / build.get("dockerfile", "Dockerfile")
            if file not in seen:
                seen.add(file)
                yield f"{example.parent.name}/{file.name}", file, example.parent / build.get("context", ".")
    yield "hello/Dockerfile", EXAMPLES / "hello/Dockerfile", EXAMPLES / "hello"


def names(found: Iterable[Told]) -> set[str]:
    return {one.rule.name for one in found}


@pytest.mark.parametrize(("name", "file", "context"), list(broken()), ids=[case[0] for case in broken()])
def test_broken_dockerfile_is_found_by_the_rule_that_names_its_defect(name: str, file: Path, context: Path) -> None:
    rule, level = FOUND[name]
    found = told(file, context)
    levels = {one.level for one in found if one.rule.name == rule}
    assert levels, f"{rule} is not among {sorted(names(found))}"
    assert not level or level in levels
    assert names(found) >= MORE.get(name, set())


def test_every_broken_dockerfile_has_a_rule() -> None:
    assert {case[0] for case in broken()} == set(FOUND)


@pytest.mark.parametrize(("name", "file", "context"), list(right()), ids=[case[0] for case in right()])
def test_right_example_has_nothing_above_info(name: str, file: Path, context: Path) -> None:
    heavy = {one.rule.name for one in told(file, context) if one.level in ("warning", "error")}
    assert heavy == ARGUED.get(name, set())


def test_every_right_dockerfile_is_looked_at() -> None:
    files = {f.relative_to(EXAMPLES).as_posix() for f in EXAMPLES.glob("*/Dockerfile*") if "dockerignore" not in f.name}
    assert {case[0] for case in right()} == files


@pytest.mark.parametrize(
    "name", ["001-fixed-architecture", "001-glibc-modules-on-musl", "001-source-before-dependencies"]
)
def test_repaired_form_is_not_found(name: str) -> None:
    case = EXAMPLES / "broken" / name
    document = json.loads((case / "case.json").read_text(encoding="utf-8"))
    assert FOUND[name][0] not in names(told(case / document["fixed"], case / document["context"]))
