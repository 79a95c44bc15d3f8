"""Whole sets of real advisories, where they lie beside the project, against independent and simpler readings."""

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.integration_entries import advisory_sets

from kezuri.advisories.recognise import recognised
from kezuri.advisories.values import Entry
from kezuri.versions.ranges import holds

pytestmark = pytest.mark.slow


def members(name: str, end: str) -> Iterator[tuple[str, str]]:
    """The texts of an archive's files, by Python's own reader of tars."""
    with tarfile.open(advisory_sets() / name) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(end):
                file = archive.extractfile(member)
                assert file is not None
                yield member.name, file.read().decode()


def entries(name: str) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for reading in recognised(str(advisory_sets() / name)):
        found[reading.name] = [each for each in reading if isinstance(each, Entry)]
    return found


def is_elsewhere(affected: Any) -> bool:
    """Whether Go's data names for each package of a module systems that have the fault, of which none is in an image:
    Linux, or WebAssembly (`js`, `wasip1`), which any image can hold."""
    named = [each.get("goos") for each in affected.get("ecosystem_specific", {}).get("imports", [])]
    return bool(named) and all(named) and not any({"linux", "js", "wasip1"}.intersection(systems) for systems in named)


def flat(documents: list[Any]) -> Counter[tuple[str, str, str, str]]:
    """Every event and version of documents of OSV, with its advisory and its package; not what other systems alone
    have."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    for document in documents:
        for affected in document.get("affected", []):
            if is_elsewhere(affected):
                continue
            name = affected["package"]["name"]
            if affected["package"]["ecosystem"] == "PyPI":
                name = re.sub(r"[-_.]+", "-", name).lower()
            for each in affected.get("ranges", []):
                if each["type"] != "GIT":
                    for event in each["events"]:
                        ((kind, version),) = event.items()
                        found[document["id"], name, kind, version] += 1
            for version in affected.get("versions", []):
                found[document["id"], name, "version", version] += 1
    return found


def told(given: list[Entry]) -> Counter[tuple[str, str, str, str]]:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for entry in given:
        for affected in entry.affected:
            for events in affected.ranges:
                found.update((entry.advisory.id, affected.name, *event) for event in events)
            found.update((entry.advisory.id, affected.name, "version", version) for version in affected.versions)
    return found


def test_go() -> None:
    documents = [json.loads(text) for _, text in members("go-osv.tar.xz", ".json")]
    found = entries("go-osv.tar.xz")["osv/Go"]
    assert len(found) == len(documents) == 4291
    # A package that stands in an advisory twice with the same ranges is one.
    wanted = flat(documents)
    assert set(told(found)) == set(wanted)


def test_pypa() -> None:
    yaml = pytest.importorskip("yaml")
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    documents = [yaml.load(text, loader) for _, text in members("pypa.tar.xz", ".yaml")]
    found = entries("pypa.tar.xz")["pypa"]
    assert len(found) == len(documents) == 2661
    assert set(told(found)) == set(flat(documents))


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def satisfies(version: str, requirement: str) -> bool:
    """Cargo's rules for whole versions without a pre-release, comparison by comparison."""
    at = number(version)
    for each in requirement.split(","):
        found = re.fullmatch(r"\s*(>=|<=|>|<|=|\^|~)?\s*([0-9.]+)\s*", each)
        assert found is not None, requirement
        sign, parts = found[1] or "^", number(found[2])
        low = (*parts, 0, 0, 0)[:3]
        if sign in ("^", "~"):
            place = (
                next((n for n, part in enumerate(parts) if part), len(parts) - 1)
                if sign == "^"
                else min(1, len(parts) - 1)
            )
            high = (*low[:place], low[place] + 1, *(0,) * (2 - place))
            good = low <= at < high
        elif sign == "=":
            good = at[: len(parts)] == parts
        elif sign == ">":
            good = at[: len(parts)] > parts
        elif sign == "<=":
            good = at[: len(parts)] <= parts
        else:
            good = at >= low if sign == ">=" else at < low
        if not good:
            return False
    return True


def test_rustsec() -> None:
    """By the versions around all that an advisory names, each asked of the TOML itself."""
    import tomllib

    found = {entry.advisory.id: entry for entry in entries("rustsec.tar.xz")["rustsec"]}
    asked = 0
    for _, text in members("rustsec.tar.xz", ".md"):
        head = tomllib.loads(text.split("```toml", 1)[1].split("```", 1)[0])
        entry = found.pop(head["advisory"]["id"])
        (affected,) = entry.affected
        assert affected.name == head["advisory"]["package"]
        assert entry.advisory.aliases == tuple(head["advisory"].get("aliases", ()))
        systems = head.get("affected", {}).get("os", ["linux"])
        assert (affected.status == "not-affected") == ("linux" not in systems)
        good = [*head["versions"].get("patched", ()), *head["versions"].get("unaffected", ())]
        if "-" in "".join(good) or affected.status == "not-affected":
            continue
        named = {tuple((*map(int, each.split(".")), 0, 0)[:3]) for each in re.findall(r"\d+(?:\.\d+)*", " ".join(good))}
        around = {(0, 0, 0), (99, 0, 0)}
        for major, minor, patch in named:
            around |= {(major, minor, patch), (major, minor, patch + 1), (major, minor + 1, 0), (major + 1, 0, 0)}
            around |= {(major, minor, patch - 1)} if patch else {(major, minor - 1, 9)} if minor else set()
        for version in (".".join(map(str, each)) for each in around):
            bad = not any(satisfies(version, each) for each in good)
            held = any(holds("semver", events, version) for events in affected.ranges)
            assert held == bad, (entry.advisory.id, version, good)
            asked += 1
    assert not found and asked > 5000


def test_node() -> None:
    """Node.js itself, whose ranges are of two forms only: `20.x` and `^20.5.1`."""
    by_number = {}
    for entry in entries("node.tar.xz")["node"]:
        for alias in (entry.advisory.id, *entry.advisory.aliases):
            by_number[alias] = entry
    asked = 0
    for name, text in members("node.tar.xz", ".json"):
        if "/core/" not in name or name.endswith("index.json"):
            continue
        document = json.loads(text)
        whole_lines = re.fullmatch(r"(\s*\d+\.x\s*(\|\||$))+", document["vulnerable"])
        fixes = re.fullmatch(r"(\s*\^[\d.]+\s*(\|\||$))+", document["patched"])
        if document["affectedEnvironments"] != ["all"] or whole_lines is None or fixes is None:
            continue
        own = f"NSWG-COR-{name.rpartition('/')[2][:-5]}"
        wanted = own if len(document["cve"]) < 2 else document["cve"][0]
        (affected,) = by_number[wanted].affected
        vulnerable = {int(each) for each in re.findall(r"(\d+)\.x", document["vulnerable"])}
        patched = {number(each)[0]: number(each) for each in re.findall(r"\^([\d.]+)", document["patched"])}
        for major in range(28):
            for version in ((major, 0, 0), (major, 5, 1), (major, 11, 1), (major, 18, 2), (major, 99, 0)):
                bad = major in vulnerable and (major not in patched or version < patched[major])
                text_of = ".".join(map(str, version))
                assert any(holds("semver", events, text_of) for events in affected.ranges) == bad, (name, text_of)
                asked += 1
    assert asked > 10_000


def test_alpine() -> None:
    found = entries("alpine.tar.xz")
    assert {name: len(each) for name, each in found.items()} == {
        "alpine/v3.10/community": 692,
        "alpine/v3.10/main": 1110,
        "alpine/v3.11/community": 829,
        "alpine/v3.11/main": 1123,
    }
    for name, text in members("alpine.tar.xz", ".yaml"):
        # Line by line: names of packages, then versions, then faults.
        package, wanted = "", set()
        for line in text.splitlines():
            if line.startswith("      name: "):
                package = line.split(": ")[1]
            elif line.lstrip().startswith("- "):
                wanted |= {(package, each) for each in re.findall(r"\bCVE-\d{4}-\d{4,}", line)}
        parts = Path(name).with_suffix("").parts
        given = found[f"alpine/{parts[1]}/{parts[2]}"]
        got = {(a.name, e.advisory.id) for e in given for a in e.affected if e.advisory.id.startswith("CVE-")}
        assert got == wanted
