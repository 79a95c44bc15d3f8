"""Advisories in the format of OSV, one document a file, in directories and archives, as JSON or YAML.

https://ossf.github.io/osv-schema/ (1.7.4), and what its sources add to it. Of distributions that give several faults in
one notice (DSA, USN, RHSA, ALSA, RLSA, SUSE-SU) each fault is an entry of its own: people know faults, not notices.
Names are those of source packages for Debian, Ubuntu, Alpine, Wolfi, Chainguard, Rocky Linux, SUSE and openSUSE, those
of binary packages for AlmaLinux and Red Hat.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from kezuri.advisories.coordinates import normalised, place
from kezuri.advisories.fields import (
    MOST_VERSIONS,
    Unusable,
    aliases,
    mapping,
    moment,
    references,
    sequence,
    severity,
    summary,
    vectors,
    word,
    words,
)
from kezuri.advisories.pieces import LARGEST, Piece, pieces
from kezuri.advisories.reading import Reading
from kezuri.advisories.values import Advisory, Affected, Entry, Severity, Status
from kezuri.diagnostics import KezuriError
from kezuri.versions.ranges import Event

DISTRIBUTIONS: Final = frozenset(
    (
        *("Debian", "Ubuntu", "Alpine", "Wolfi", "Chainguard", "Rocky Linux", "AlmaLinux", "Red Hat", "SUSE"),
        *("openSUSE", "openEuler", "Mageia", "Photon OS", "Azure Linux", "Alpaquita", "BellSoft Hardened Containers"),
        *("MinimOS", "Echo", "CleanStart", "Docker Hardened Images"),
    )
)
_RUNTIMES: Final = {
    **{name: name for name in ("python", "php", "ruby", "node", "redis", "postgresql", "memcached", "haproxy")},
    **{name: name for name in ("tomcat", "erlang", "elixir", "deno")},
    "apache": "httpd",
}
"""What Bitnami's database calls programs that `packages` knows as runtimes, where both number them alike: it keeps the
faults of upstream's own releases, which are what official images are built from."""
_KINDS: Final = ("introduced", "fixed", "last_affected", "limit")
_OF_IMAGES: Final = frozenset(("linux", "js", "wasip1"))
"""Systems that images are of, and those that are built for within them."""
_CVE = re.compile(r"CVE-\d{4}-\d{4,19}$")
_LAST_KNOWN = re.compile(r"(<=?) ?([^\s,<>=]+)$")
_MOST_AFFECTED = 50_000


class OsvReading(Reading):
    """Documents of OSV. With a name `osv/ECOSYSTEM` the data tells of this ecosystem: advisories in it may be about
    packages of others, too, of which not all is there."""

    format = "osv"

    def __iter__(self) -> Iterator[Entry]:
        own = self.name.removeprefix("osv/") if self.name.startswith("osv/") else ""
        for piece in pieces(self.address):
            if not is_document(piece.name):
                continue
            for document in self._documents(piece):
                try:
                    entries = entries_of(document, self.name)
                except Unusable as trouble:
                    self.losses.add(_id_of(document, piece.name), str(trouble))
                    continue
                for entry in entries:
                    self.date = max(self.date, entry.advisory.modified)
                    self.ecosystems.update(
                        (each.ecosystem, each.release) for each in entry.affected if own in ("", each.ecosystem)
                    )
                    yield entry

    def _documents(self, piece: Piece) -> list[Any]:
        from kezuri.advisories.notation import json_value, yaml_value

        try:
            data = piece.read(LARGEST)
            if piece.name.endswith((".yaml", ".yml")):
                return [yaml_value(data, piece.name)]
            value = json_value(data, piece.name)
        except KezuriError as error:
            self.losses.add(piece.name, error.diagnostics[0].message)
            return []
        return value if isinstance(value, list) else [value]


def is_document(name: str) -> bool:
    """Whether a file may be an advisory, by its name."""
    return name.endswith((".json", ".yaml", ".yml", ".json.gz"))


def _id_of(document: Any, name: str) -> str:
    found = mapping(document).get("id")
    return found if isinstance(found, str) and 0 < len(found) < 200 else name


def entries_of(document: Any, data: str) -> tuple[Entry, ...]:
    """The entries of one document, for the data set of this name; Unusable, with the reason, for a document that is no
    advisory or names no version of any package."""
    if not isinstance(document, dict):
        raise Unusable("it is no advisory")
    own = word(document.get("id"), "its id")
    given = sequence(document.get("affected"))
    if len(given) > _MOST_AFFECTED:
        raise Unusable(f"it names {len(given)} packages, more than {_MOST_AFFECTED}")
    packages, kind, said = _Packages(), "malicious" if own.startswith("MAL-") else "", set[Severity]()
    for each in given:
        if isinstance(each, dict):
            packages.take(each)
            kind = kind or _informational(each)
            said.add(_severity_of(each))
    specific = mapping(document.get("database_specific"))
    withdrawn = moment(document.get("withdrawn"))
    if not packages.found and not withdrawn:
        raise Unusable(packages.trouble or "it names no package")
    rated = [mapping(each) for each in sequence(document.get("severity"))]
    rated += [mapping(each) for package in given for each in sequence(mapping(package).get("severity"))][:100]
    written, score = vectors(*(each.get("score") for each in rated if str(each.get("type")).startswith("CVSS")))
    vendors = (severity(each.get("score")) for each in rated if not str(each.get("type")).startswith("CVSS"))
    worded = severity(specific.get("severity"))
    # What is said of some packages, or differently of each, says nothing of the others.
    for word_of_vendor in (*vendors, *(said if len(said) == 1 else ())):
        worded = worded if worded != "unknown" else word_of_vendor
    linked = [mapping(each).get("url") for each in sequence(document.get("references"))]
    advisory = Advisory(
        own,
        data,
        aliases(document.get("aliases")),
        summary(document.get("summary"), document.get("details")),
        worded,
        written,
        score,
        moment(document.get("published")),
        moment(document.get("modified")),
        withdrawn,
        references(specific.get("url"), *linked),
        kind,
    )
    affected = tuple(packages.found)
    if all(each.ecosystem in DISTRIBUTIONS for each in affected) and not _CVE.match(own):
        return _by_fault(advisory, affected, document)
    return (Entry(advisory, affected),)


def _by_fault(notice: Advisory, affected: tuple[Affected, ...], document: dict[str, Any]) -> tuple[Entry, ...]:
    """A distribution's notice as entries of the faults that it is about; as it is where it names none."""
    for field in ("upstream", "aliases", "related"):
        faults = tuple(each for each in aliases(document.get(field)) if _CVE.match(each))
        if faults:
            break
    if len(faults) == 1 and notice.id.endswith(faults[0]):
        return (Entry(notice._replace(id=faults[0], aliases=(notice.id,)), affected),)
    if not faults:
        return (Entry(notice, affected),)
    if len(faults) > 1:
        # Its score is that of the worst of them: it says something of the notice, and nothing of each.
        from kezuri.advisories.cvss import rating

        worded = notice.severity if notice.severity != "unknown" else rating(notice.score)
        notice = notice._replace(severity=worded, vectors=(), score=0.0)
        # Another notice about one of these faults has a severity of its own.
        affected = tuple(each._replace(severity=worded) if each.severity == "unknown" else each for each in affected)
    return tuple(Entry(notice._replace(id=fault, aliases=()), affected) for fault in faults)


class _Packages:
    """The packages of one advisory, each taken once."""

    def __init__(self) -> None:
        self.found: dict[Affected, None] = {}
        self.trouble = ""
        self._left = MOST_VERSIONS

    def take(self, given: dict[str, Any]) -> None:
        package = given.get("package")
        if not isinstance(package, dict):
            self.trouble = self.trouble or "it names commits, and no package"
            return
        ecosystem, release = place(word(package.get("ecosystem"), "the ecosystem of a package"))
        name = normalised(ecosystem, word(package.get("name"), "the name of a package"))
        if ecosystem == "Bitnami" and name in _RUNTIMES:
            ecosystem, name = "runtime", _RUNTIMES[name]
        versions = words(given.get("versions"), "the versions of a package", self._left)
        self._left -= len(versions)
        last = mapping(given.get("database_specific")).get("last_known_affected_version_range")
        ranges = []
        for each in sequence(given.get("ranges")):
            if isinstance(each, dict) and each.get("type") != "GIT":
                events = self._events(each, last)
                if events:
                    ranges.append(events)
        systems = _systems(mapping(given.get("ecosystem_specific")))
        if systems and not systems & _OF_IMAGES:
            self.found[Affected(ecosystem, release, name, status="not-affected")] = None
            return
        if not ranges and not versions:
            self.trouble = self.trouble or f"it names no versions of {name}"
            return
        status, said = _standing(given)
        self.found[Affected(ecosystem, release, name, tuple(ranges), versions, status, said)] = None

    def _events(self, given: dict[str, Any], last: Any) -> tuple[Event, ...]:
        found: list[Event] = []
        for each in sequence(given.get("events")):
            self._left -= 1
            if self._left < 0:
                raise Unusable(f"it names more than {MOST_VERSIONS} versions")
            given_events = mapping(each)
            found += [Event(kind, word(given_events[kind], "a version")) for kind in _KINDS if kind in given_events]
        if not any(event.kind == "introduced" for event in found):
            return ()
        if not any(event.kind != "introduced" for event in found) and isinstance(last, str):
            # GitHub's word for versions that are affected where none is known that mends them.
            known = _LAST_KNOWN.match(last)
            if known is not None:
                found.append(Event("last_affected" if known[1] == "<=" else "limit", known[2]))
        return tuple(found)


def _systems(specific: dict[str, Any]) -> set[str]:
    """The systems that alone have a fault: RustSec's word for a crate, and Go's for each of a module's packages."""
    imports = [sequence(mapping(each).get("goos")) for each in sequence(specific.get("imports"))]
    named = [sequence(mapping(specific.get("affects")).get("os")), *(imports if all(imports) else ())]
    return {str(each) for group in named for each in group}


def _standing(given: dict[str, Any]) -> tuple[Status, Severity]:
    specific = mapping(given.get("ecosystem_specific"))
    urgency = specific.get("urgency")
    return "wont-fix" if urgency == "end-of-life" else "affected", _severity_of(given)


def _severity_of(given: dict[str, Any]) -> Severity:
    """What the data says of one package, in any of the places where its keepers say so."""
    own, of_data = mapping(given.get("ecosystem_specific")), mapping(given.get("database_specific"))
    for value in (own.get("urgency"), own.get("ubuntu_priority"), own.get("severity"), of_data.get("severity")):
        if (found := severity(value)) != "unknown":
            return found
    for each in sequence(given.get("severity")):
        rated = mapping(each)
        if not str(rated.get("type")).startswith("CVSS") and (found := severity(rated.get("score"))) != "unknown":
            return found
    return "unknown"


def _informational(given: dict[str, Any]) -> str:
    """RustSec's word for what is no fault."""
    found = mapping(given.get("database_specific")).get("informational")
    return found if found in ("unmaintained", "unsound", "notice") else ""
