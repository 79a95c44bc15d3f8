"""Fixes that break: what each checker makes of the examples, built by kezuri before and after."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from glob import glob
from typing import NamedTuple

from benchmarks.checkers import Checker
from benchmarks.machine import say
from benchmarks.processes import Failed, ask

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples")


class Case(NamedTuple):
    """A Dockerfile, its context, the base images that it needs, and its build arguments."""

    name: str
    dockerfile: str
    context: str
    bases: tuple[str, ...]
    arguments: tuple[str, ...]


class Tally(NamedTuple):
    """What became of the cases: how many a way of mending changed, which of these do not build any more, and how often
    it failed itself."""

    changed: int
    broke: tuple[str, ...]
    failed: int


def mended(
    found: Sequence[Checker], kezuri: Sequence[str], scratch: str, words: Sequence[str] | None, proved: bool
) -> str:
    """A table of all ways of mending. Raises Failed where there are no base images."""
    layout = os.environ.get("KEZURI_BASES", "")
    if not layout:
        raise Failed("KEZURI_BASES names no OCI layout with the base images of the examples")
    workshop = _Workshop(kezuri, scratch, layout)
    cases = [case for case in _cases() if not words or any(word in case.name for word in words)]
    sound = [case for case in cases if workshop.builds(case, workshop.text(case))]
    ways = [(checker, name, argv) for checker in found for name, argv in checker.mend.items()]
    if proved:
        ways += [(c, "--fix=proved", (*argv[:-1], "--fix=proved")) for c, n, argv in ways if c.name == "kezuri"]
    rows = [
        f"Of {len(cases)} examples {len(sound)} build here.",
        "",
        "| checker | option | files changed | of these do not build any more | which |",
        "|---|---|---:|---:|---|",
    ]
    for checker, name, argv in ways:
        tally = workshop.mend(checker, argv, sound)
        rows.append(f"| {checker.name} | `{name}` | {tally.changed} | {len(tally.broke)} | {', '.join(tally.broke)} |")
        say(rows[-1] + (f" ({tally.failed} times it failed itself)" if tally.failed else ""))
    return "\n".join(rows)


class _Workshop:
    """Copies of contexts, in which Dockerfiles are mended and built. What was built once is known."""

    def __init__(self, kezuri: Sequence[str], scratch: str, layout: str) -> None:
        self._kezuri = kezuri
        self._scratch = scratch
        self._layout = layout
        self._environ = {**os.environ, "KEZURI_ROOT": f"{scratch}/store"}
        if "SSL_CERT_FILE" in os.environ:
            self._environ.setdefault("KEZURI_CA_CERTIFICATES", os.environ["SSL_CERT_FILE"])
        self._known: dict[tuple[str, str], bool] = {}
        with open(f"{layout}/index.json") as file:
            entries = json.load(file)["manifests"]
        self._names = {e.get("annotations", {}).get("org.opencontainers.image.ref.name") for e in entries}
        self._loaded: set[str] = set()

    def text(self, case: Case) -> str:
        """The Dockerfile as it is."""
        with open(case.dockerfile) as file:
            return file.read()

    def builds(self, case: Case, text: str) -> bool:
        """Whether this text builds, beside what the case has."""
        key = (case.name, text)
        if key not in self._known:
            if not all(map(self._load, case.bases)):
                self._known[key] = False
                return False
            with _Place(self._scratch, case, text) as place:
                done = subprocess.run(
                    [*self._kezuri, "build", "-q", *case.arguments, place],
                    capture_output=True,
                    env=self._environ,
                    text=True,
                    check=False,
                )
            self._known[key] = done.returncode == 0
            say(f"  {case.name}: {'builds' if not done.returncode else 'does not build: ' + _last(done.stderr)}")
        return self._known[key]

    def mend(self, checker: Checker, argv: Sequence[str], cases: Sequence[Case]) -> Tally:
        """Mend every case by itself and build what changed."""
        changed, failed, broke = 0, 0, []
        for case in cases:
            before = self.text(case)
            with _Place(self._scratch, case, before) as place:
                done = subprocess.run(
                    [*argv, f"{place}/Dockerfile"],
                    capture_output=True,
                    cwd=place,
                    env={**self._environ, **checker.environ},
                    check=False,
                )
                failed += done.returncode not in (0, 1)
                with open(f"{place}/Dockerfile") as file:
                    after = file.read()
            if after != before:
                changed += 1
                if not self.builds(case, after):
                    broke.append(case.name)
        return Tally(changed, tuple(broke), failed)

    def _load(self, name: str) -> bool:
        """Whether the base image is in the store, after it was brought there from the layout."""
        full = _full(name)
        if full not in self._names:
            return False
        if full not in self._loaded:
            words = [*self._kezuri, "copy", "-q", f"oci:{self._layout}:{full}", f"store:{full}"]
            ask(words, self._environ)
            self._loaded.add(full)
        return True


class _Place:
    """A copy of a case's context with a text as its Dockerfile, for as long as it is entered."""

    def __init__(self, scratch: str, case: Case, text: str) -> None:
        self._path = f"{scratch}/place"
        self._case = case
        self._text = text

    def __enter__(self) -> str:
        shutil.rmtree(self._path, ignore_errors=True)
        shutil.copytree(self._case.context, self._path, symlinks=True)
        own = f"{self._case.dockerfile}.dockerignore"
        if os.path.exists(own):
            shutil.copy(own, f"{self._path}/Dockerfile.dockerignore")
        with open(f"{self._path}/Dockerfile", "w") as file:
            file.write(self._text)
        return self._path

    def __exit__(self, *raised: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


def _cases() -> list[Case]:
    """The examples that need neither secrets nor several platforms, and the broken ones that build."""
    found: list[Case] = []
    for path in sorted(glob(f"{EXAMPLES}/*/example.json")):
        home = os.path.dirname(path)
        with open(path) as file:
            builds = json.load(file)["builds"]
        for build in builds:
            name = f"{os.path.basename(home)}/{build['dockerfile']}"
            if name not in [case.name for case in found] and not {"secrets", "platforms"} & set(build):
                found.append(_case(name, home, build))
    for path in sorted(glob(f"{EXAMPLES}/broken/*/case.json")):
        with open(path) as file:
            case = json.load(file)
        home = os.path.dirname(path)
        if os.path.exists(os.path.join(home, case.get("dockerfile", "Dockerfile"))):
            found.append(_case(f"broken/{os.path.basename(home)}", home, case))
    return found


def _case(name: str, home: str, said: dict[str, object]) -> Case:
    bases = said.get("bases", ())
    assert isinstance(bases, list | tuple)
    given = said.get("build_args", {})
    assert isinstance(given, dict)
    return Case(
        name,
        os.path.join(home, str(said.get("dockerfile", "Dockerfile"))),
        os.path.normpath(os.path.join(home, str(said.get("context", ".")))),
        tuple(bases),
        tuple(word for key, value in given.items() for word in ("--build-arg", f"{key}={value}")),
    )


def _full(name: str) -> str:
    """A reference written out as the layout's index has it."""
    if "/" not in name:
        name = f"docker.io/library/{name}"
    elif "." not in name.partition("/")[0]:
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _last(text: str) -> str:
    return next((line for line in text.splitlines() if line.startswith("error")), text[-200:]).strip()
