"""What the sets of advisories in ../shared say of a package, read once more: by other code than kezuri's, which looks
at one package at a time and knows nothing of databases."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from tests.integration.integration_entries import advisory_sets

Names = frozenset[str]
Semver = tuple[tuple[int, ...], tuple[Any, ...]]


def advisories(into: Path) -> Path:
    """The sets, unpacked; the test is skipped where they are not."""
    place = advisory_sets()
    into.mkdir()
    for name in ("pypa", "go-osv", "rustsec", "node", "alpine"):
        subprocess.run(["tar", "-xf", place / f"{name}.tar.xz", "-C", into], check=True)
    return into


def told(data: Path, kind: str, name: str, version: str) -> list[Names]:
    """The names of each advisory that affects this version, those that share a CVE as one."""
    readers = {"pypi": _pypi, "golang": _go, "cargo": _cargo, "npm": _npm, "apk": _apk, "node": _node}
    found: list[Names] = []
    for names in readers[kind](data, name, version):
        # One advisory of the Node group may have several CVEs, each of which is a fault of its own.
        same = next((each for each in found if {n for n in names & each if n.startswith("CVE-")}), None)
        if same is None:
            found.append(names)
    return found


def _yaml(path: Path) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(path.read_text())


def _pypi(data: Path, name: str, version: str) -> Iterator[Names]:
    folder = next(
        (each for each in (data / "pypa").iterdir() if re.sub(r"[-_.]+", "-", each.name).lower() == name), None
    )
    for path in sorted(folder.iterdir()) if folder else ():
        document = _yaml(path)
        if document.get("withdrawn"):
            continue
        for affected in document["affected"]:
            held = version in affected.get("versions", ())
            for each in affected.get("ranges", ()):
                if each["type"] == "ECOSYSTEM":
                    held = held or _between([dict(event) for event in each["events"]], version)
            if held:
                yield frozenset((document["id"], *document.get("aliases", ())))


def _between(events: list[dict[str, str]], version: str) -> bool:
    at, held = Version(version), False
    for event in events:
        ((kind, where),) = event.items()
        try:
            reached = where == "0" or at >= Version(where)
        except InvalidVersion:
            return False
        if reached:
            held = kind == "introduced"
    return held


def semver(version: str) -> Semver:
    version = version.strip().lstrip("v").partition("+")[0]
    numbers, _, before = version.partition("-")
    parts = [int(each) for each in numbers.split(".")]
    last: tuple[Any, ...] = (1,)
    if before:
        last = (0, *((0, int(each), "") if each.isdigit() else (1, 0, each) for each in before.split(".")))
    return tuple([*parts, 0, 0][:3]), last


@cache
def go_documents(data: Path) -> dict[str, list[dict[str, Any]]]:
    """The advisories of Go by the names of the modules that they are about."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((data / "go-osv").iterdir()):
        document = json.loads(path.read_text())
        for name in {affected["package"]["name"] for affected in document["affected"]}:
            found.setdefault(name, []).append(document)
    return found


def _go(data: Path, name: str, version: str) -> Iterator[Names]:
    for document in go_documents(data).get(name, ()):
        held = False
        for affected in document["affected"]:
            if affected["package"]["name"] != name or document.get("withdrawn"):
                continue
            imports = affected.get("ecosystem_specific", {}).get("imports", [])
            if imports and all(set(each.get("goos", ["linux"])) <= {"windows", "darwin"} for each in imports):
                continue
            for each in affected["ranges"]:
                within = False
                for event in each["events"]:
                    ((kind, where),) = event.items()
                    if where == "0" or semver(version) >= semver(where):
                        within = kind == "introduced"
                held = held or within
        if held:
            yield frozenset((document["id"], *document.get("aliases", ())))


def _cargo(data: Path, name: str, version: str) -> Iterator[Names]:
    folder = data / "rustsec" / name
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        document = tomllib.loads(path.read_text().split("```toml")[1].split("```")[0])
        head, versions = document["advisory"], document.get("versions", {})
        systems = document.get("affected", {}).get("os", ["linux"])
        sound = [*versions.get("patched", ()), *versions.get("unaffected", ())]
        if (
            "linux" in systems
            and not head.get("withdrawn")
            and not any(_satisfies(version, each, "^") for each in sound)
        ):
            yield frozenset((head["id"], *head.get("aliases", ())))


def _satisfies(version: str, requirement: str, bare: str = "") -> bool:
    """A range of npm, or a requirement of Cargo, without what is not in the sets; `bare` is what no sign means."""
    at = semver(version)
    for choice in requirement.split("||"):
        parts = re.findall(r"(>=|<=|>|<|=|\^|~)?\s*v?(\d[\w.+-]*)", choice.replace("*", ">=0"))
        if all(_compared(at, sign or bare, where) for sign, where in parts):
            return True
    return False


def _compared(at: Semver, sign: str, where: str) -> bool:
    if where.endswith(".x"):
        known = tuple(int(each) for each in where.removesuffix(".x").split(".") if each != "x")
        return at[0][: len(known)] == known
    limit = semver(where)
    if sign in ("^", "~"):
        first = next((place for place, each in enumerate(limit[0]) if each), 2) if sign == "^" else 1
        return at >= limit and at[0][: first + 1] == limit[0][: first + 1]
    order = (at > limit) - (at < limit)
    return {">=": order >= 0, "<=": order <= 0, ">": order > 0, "<": order < 0, "=": order == 0, "": order == 0}[sign]


def _npm(data: Path, name: str, version: str) -> Iterator[Names]:
    for path in sorted((data / "node" / "npm").glob("*.json")):
        document = json.loads(path.read_text())
        if document.get("module_name") != name:
            continue
        patched = document.get("patched_versions")
        if _satisfies(version, document["vulnerable_versions"]) and not (patched and _satisfies(version, patched)):
            for cve in document.get("cves") or [f"NSWG-ECO-{document['id']}"]:
                yield frozenset((cve, f"NSWG-ECO-{document['id']}"))


def _node(data: Path, name: str, version: str) -> Iterator[Names]:
    for path in sorted((data / "node" / "core").glob("*.json")):
        document = json.loads(path.read_text())
        if not isinstance(document.get("vulnerable"), str):
            continue
        patched = document.get("patched") or ""
        if _satisfies(version, document["vulnerable"]) and not (patched and _satisfies(version, patched)):
            for cve in document.get("cve") or [f"core {path.stem}"]:
                yield frozenset((cve,))


def _apk(data: Path, name: str, version: str) -> Iterator[Names]:
    """By the source of the package; versions of one package that differ in their numbers only."""
    for path in sorted((data / "alpine" / "v3.10").iterdir()):
        for package in path.read_text().split("- pkg:")[1:]:
            if re.search(rf"^\s+name: {re.escape(name)}$", package, re.MULTILINE) is None:
                continue
            fixed = ""
            for line in package.splitlines():
                where, fault = re.fullmatch(r"\s+'?([^\s':]+)'?:\s*", line), re.fullmatch(r"\s+- (CVE-\S+).*", line)
                if where:
                    fixed = where[1]
                elif fault and fixed != "0" and _numbers(version) < _numbers(fixed):
                    yield frozenset((fault[1],))


def _numbers(version: str) -> list[int | str]:
    return [int(each) if each.isdigit() else each for each in re.findall(r"\d+|[a-z]+", version)]
