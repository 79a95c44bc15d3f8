"""The programs that check Dockerfiles: how each is asked, what it answers, and how it mends."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from benchmarks.processes import Failed


class Said(NamedTuple):
    """A finding: the rule's name, and whether it is at least a warning."""

    rule: str
    warning: bool


class Checker(NamedTuple):
    """A checker. `check` are the words before the files, and `codes` how it ends then; `ask` those for an answer that
    `read` understands. `mend` are its ways of mending a file in place, by name: the words before the file."""

    name: str
    check: tuple[str, ...]
    codes: tuple[int, ...]
    ask: tuple[str, ...]
    read: Callable[[Any], list[Said]]
    mend: dict[str, tuple[str, ...]]
    version_words: tuple[str, ...]
    environ: dict[str, str]

    def version(self) -> str:
        """What it calls itself."""
        done = subprocess.run(self.version_words, capture_output=True, text=True, check=False)
        words = (done.stdout or done.stderr).split("\n", 1)[0].split()
        return next((word for word in words if word[:1].isdigit()), " ".join(words))

    def findings(self, path: str) -> list[Said]:
        """What it says of a file. Raises Failed when its answer cannot be read."""
        done = subprocess.run(
            [*self.ask, path], capture_output=True, env={**os.environ, **self.environ}, check=False, text=True
        )
        if not done.stdout and done.returncode and done.stderr:
            return [Said("it cannot be read", True)]  # which is a finding, too
        try:
            return self.read(json.loads(done.stdout))
        except (ValueError, KeyError, TypeError) as error:
            raise Failed(f"{self.name} on {path}: {error!r}: {done.stdout[:500]}{done.stderr[:500]}") from None


def checkers(kezuri: Sequence[str], given: dict[str, str], root: str) -> tuple[list[Checker], list[str]]:
    """kezuri and those of the others that are here, and the reasons why some are not. `given` are paths by name; `root`
    is the store of kezuri."""
    found = [_kezuri(tuple(kezuri), root)]
    absent = []
    for name, make in (("hadolint", _hadolint), ("tally", _tally), ("dockerfile-doctor", _doctor)):
        path = given.get(name) or shutil.which(name)
        if path and os.access(path, os.X_OK):
            found.append(make(os.path.abspath(path)))
        else:
            absent.append(f"{name} is not here")
    return found, absent


def _kezuri(argv: tuple[str, ...], root: str) -> Checker:
    def read(document: Any) -> list[Said]:
        entries = document if isinstance(document, list) else document["findings"]
        return [Said(entry["rule"], entry["level"] in ("error", "warning")) for entry in entries]

    return Checker(
        "kezuri",
        (*argv, "check", "--no-fail"),
        (0,),
        (*argv, "check", "--no-fail", "--format", "json"),
        read,
        {"--fix": (*argv, "check", "--fix")},
        (*argv, "--version"),
        {"KEZURI_ROOT": root},
    )


def _hadolint(path: str) -> Checker:
    def read(document: Any) -> list[Said]:
        return [Said(entry["code"], entry["level"] in ("error", "warning")) for entry in document]

    return Checker(
        "hadolint", (path, "--no-fail"), (0,), (path, "--no-fail", "-f", "json"), read, {}, (path, "--version"), {}
    )


def _tally(path: str) -> Checker:
    def read(document: Any) -> list[Said]:
        found = [violation for file in document["files"] for violation in file["violations"]]
        return [Said(entry["rule"], entry["severity"] in ("error", "warning")) for entry in found]

    # Its slow checks ask registries, which nobody else does.
    lint = (path, "lint", "--no-config", "--slow-checks", "off", "--fail-level", "none")
    mend = {"--fix": (*lint, "--fix"), "--fix-unsafe": (*lint, "--fix", "--fix-unsafe")}
    return Checker("tally", lint, (0,), (*lint, "--format", "json"), read, mend, (path, "version"), {})


def _doctor(path: str) -> Checker:
    def read(document: Any) -> list[Said]:
        found = [issue for file in document["files"] for issue in file["issues"]]
        return [Said(entry["ruleId"], entry["severity"] in ("error", "warning")) for entry in found]

    mend = {"--fix": (path, "--fix"), "--unsafe-fixes": (path, "--fix", "--unsafe-fixes")}
    return Checker(
        "dockerfile-doctor", (path,), (0, 1), (path, "--format", "json"), read, mend, (path, "--version"), {}
    )
