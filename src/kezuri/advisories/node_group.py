"""The Node.js security group's advisories: `core`, about Node.js itself, and `npm`, about packages, up to 2019.

https://github.com/nodejs/security-wg (`vuln/core`, `vuln/npm`, `vuln/deps`): JSON, one file an advisory, and
`index.json` with all of a directory. Affected is what the range `vulnerable` takes in and `patched` does not. `deps`
tells of faults of Node's own libraries that are none of Node's.
"""

import re
from collections.abc import Iterator
from typing import Any

from kezuri.advisories.fields import (
    Unusable,
    mapping,
    moment,
    references,
    sequence,
    severity,
    summary,
    vectors,
    word,
)
from kezuri.advisories.notation import json_value
from kezuri.advisories.pieces import LARGEST, pieces
from kezuri.advisories.reading import Reading
from kezuri.advisories.values import Advisory, Affected, Entry, Severity
from kezuri.diagnostics import KezuriError
from kezuri.versions.ranges import Event

_CVE = re.compile(r"CVE-\d{4}-\d{4,19}$")


class NodeReading(Reading):
    """The advisories of a directory, an archive or an index: under the name `node` those about Node itself, under
    `node/npm` those about packages, under any other all of them."""

    format = "node"

    def __iter__(self) -> Iterator[Entry]:
        seen: set[str] = set()
        latest = ""
        for piece in pieces(self.address):
            if not piece.name.endswith(".json"):
                continue
            try:
                value = json_value(piece.read(LARGEST), piece.name)
            except KezuriError as error:
                self.losses.add(piece.name, error.diagnostics[0].message)
                continue
            for number, document in _documents(piece.name, value):
                # The index repeats what has files of its own.
                name = f"{'npm' if 'module_name' in mapping(document) else 'core'} {number}"
                if name in seen or self.name == ("node" if name.startswith("npm") else "node/npm"):
                    continue
                seen.add(name)
                try:
                    entries = entries_of(document, number, self.name)
                except Unusable as trouble:
                    self.losses.add(piece.name if len(value) > 1 else name, str(trouble))
                    continue
                for entry in entries:
                    self.date = max(self.date, entry.advisory.modified)
                    latest = max(latest, entry.advisory.id[4:8] if entry.advisory.id.startswith("CVE-") else "")
                    self.ecosystems.update((each.ecosystem, each.release) for each in entry.affected)
                    yield entry
        if self.date[:4] < latest:
            # Most advisories about Node itself have no dates: those that have are not the last ones.
            self.date = ""


def _documents(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The advisories of a file with their numbers."""
    short = name.rpartition("/")[2].removesuffix(".json")
    if short == "index" and isinstance(value, dict) and all(isinstance(each, dict) for each in value.values()):
        yield from value.items()
    elif name.rpartition("/")[0].rpartition("/")[2] != "deps":
        yield short, value


def entries_of(document: Any, number: str, data: str) -> tuple[Entry, ...]:
    """The entries of one advisory, one for each CVE that it is about; Unusable, with the reason, for what is none."""
    told = mapping(document)
    if "module_name" in told:
        own = f"NSWG-ECO-{number}"
        place, name = "npm", word(told.get("module_name"), "the name of its package")
        vulnerable, patched, cves = told.get("vulnerable_versions"), told.get("patched_versions"), told.get("cves")
        linked = sequence(told.get("references"))
        said: tuple[Any, ...] = (told.get("title"), told.get("overview"))
        vector = told.get("cvss_vector")
    else:
        own, place, name = f"NSWG-COR-{number}", "runtime", "node"
        vulnerable, patched, cves = told.get("vulnerable"), told.get("patched"), told.get("cve")
        linked = [told.get("ref")]
        said = (told.get("description"), told.get("overview"))
        vector = told.get("cvss")
    word(own, "its number")
    given, score = vectors(vector)
    number_given = told.get("cvss_score")
    if not given and isinstance(number_given, int | float) and 0 <= number_given <= 10:
        score = float(number_given)
    word_given: Severity = severity(told.get("severity"))
    modified = moment(told.get("updated_at"))
    faults = tuple(dict.fromkeys(each for each in sequence(cves) if isinstance(each, str) and _CVE.match(each)))
    advisory = Advisory(
        own,
        data,
        (),
        summary(*said),
        word_given,
        given,
        score,
        moment(told.get("publish_date")),
        modified,
        references=references(*linked),
    )
    affected = (_affected(place, name, vulnerable, patched, sequence(told.get("affectedEnvironments"))),)
    if len(faults) == 1:
        return (Entry(advisory._replace(id=faults[0], aliases=(own,)), affected),)
    return tuple(Entry(advisory._replace(id=fault), affected) for fault in faults or (own,))


def _affected(place: str, name: str, vulnerable: Any, patched: Any, systems: list[Any]) -> Affected:
    """A fault of other systems alone is none of images, which are of Linux."""
    from kezuri.versions.order import Unordered
    from kezuri.versions.requirements import npm, npm_without

    if systems and not {"all", "linux"}.intersection(str(each) for each in systems):
        return Affected(place, "", name, status="not-affected")
    bad = word(vulnerable, "the range of what is vulnerable")
    try:
        mended = npm(patched) if isinstance(patched, str) and patched.strip() else ()
        ranges = npm_without(bad, patched) if mended else npm(bad)
    except Unordered as error:
        raise Unusable(f"its versions cannot be read: {error}") from None
    firsts = [events[0].version for events in mended]
    return Affected(place, "", name, tuple(_ending(events, firsts) for events in ranges))


def _ending(events: tuple[Event, ...], firsts: list[str]) -> tuple[Event, ...]:
    """A range whose end says whether a version there mends the fault: it does if patched versions begin at it. Where
    these begin behind the last vulnerable version, the first of them is told, too."""
    from kezuri.versions.order import comparison

    compared = comparison("semver")
    end = events[-1]
    if end.kind == "fixed" and end.version not in firsts:
        return (*events[:-1], Event("limit", end.version))
    if end.kind == "last_affected":
        later = [each for each in firsts if each != "0" and compared(each, end.version) > 0]
        if later:
            first = later[0]
            for each in later[1:]:
                first = each if compared(each, first) < 0 else first
            return (*events, Event("fixed", first))
    return events
