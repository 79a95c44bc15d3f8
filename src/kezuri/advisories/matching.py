"""Packages held against a database: which are affected by what, and which version mends it."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from kezuri.advisories.coordinates import Coordinates, Distribution, coordinates
from kezuri.advisories.database import Database
from kezuri.advisories.fields import MOST_NAME
from kezuri.advisories.identity import one_of_each
from kezuri.advisories.values import SEVERITIES, Advisory, Affected, Severity, Signal, Status
from kezuri.packages.package import Package
from kezuri.versions.order import Scheme, Unordered, key_of
from kezuri.versions.ranges import Event, holds, mending


class Match(NamedTuple):
    """A package that an advisory is about. `fixed` are the versions that mend it, those first that are nearest to the
    one that is there; `severity` is the vendor's, else by the CVSS score; `package` counts in what was given."""

    package: int
    at: Coordinates
    advisory: Advisory
    status: Status
    severity: Severity
    fixed: tuple[str, ...]
    signal: Signal | None = None


class Matched(NamedTuple):
    """The matches, and what could not be asked: `uncovered` are ecosystems and releases of which the database has no
    data, with how many packages (of a runtime that no advisory names the release is the runtime's name); `unordered`
    packages whose version cannot be compared with what an advisory about them says. `covered` is how many packages the
    database has data about: where it is 0, that there is no match says nothing."""

    matches: tuple[Match, ...]
    uncovered: tuple[tuple[str, str, int], ...]
    unordered: tuple[int, ...]
    covered: int


class _About(NamedTuple):
    """What an advisory says of a package that it affects."""

    key: int
    status: Status
    severity: Severity
    fixed: tuple[str, ...]


_REPEATED: Final = frozenset(("Debian", "Alpine"))
"""Distributions whose own data OSV repeats, some hours later and in fewer words, with the scores that NVD gives."""
_NO_VERSION: Final = "\0"
_WORST: Final = {status: place for place, status in enumerate(("affected", "wont-fix", "undetermined"))}
_BY_SCORE: Final[tuple[tuple[float, Severity], ...]] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))


def match(database: Database, packages: Sequence[Package], distribution: Distribution) -> Matched:
    """What is known about the packages. Of several advisories about one fault (aliases of each other) one is told, by
    whoever keeps the data of the package's own ecosystem."""
    places: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    found: dict[int, Coordinates] = {}
    unordered: set[int] = set()
    uncovered: Counter[tuple[str, str]] = Counter()
    covered = 0
    for number, package in enumerate(packages):
        if not package.name:
            continue
        # One without a version is looked for, too: where an advisory names it, that it cannot be judged is told.
        at = coordinates(package if package.version else package._replace(version=_NO_VERSION), distribution)
        if at is None:
            uncovered[package.ecosystem, ""] += 1
            continue
        found[number] = at
        places[at.ecosystem, at.release][at.name].append(number)
    about: dict[int, list[_About]] = defaultdict(list)
    for (ecosystem, release), names in places.items():
        runtimes = ecosystem == "runtime"
        if not runtimes and not database.covers(ecosystem, release):
            uncovered[ecosystem, release] += sum(map(len, names.values()))
            continue
        covered += sum(map(len, names.values()))
        known = set()
        for name, hit in database.about(ecosystem, release, names):
            known.add(name)
            # Packages of one version are judged once.
            verdicts: dict[str, _About | Unordered | None] = {}
            for number in names.get(name, ()):
                at = found[number]
                if at.version not in verdicts:
                    verdicts[at.version] = _verdict(at, hit.key, hit.affected)
                verdict = verdicts[at.version]
                if isinstance(verdict, Unordered):
                    unordered.add(number)
                elif verdict is not None:
                    about[number].append(verdict)
        if runtimes:
            for name in names.keys() - known:
                uncovered[ecosystem, name] += len(names[name])
                covered -= len(names[name])
    advisories = database.advisories({each.key for group in about.values() for each in group})
    kept = _kept(database) if _REPEATED.intersection(ecosystem for ecosystem, _ in places) else set()
    matches = _signalled(
        database, [each for n in sorted(about) for each in _matches(n, found[n], about[n], advisories, kept)]
    )
    told = tuple((*place, count) for place, count in sorted(uncovered.items()))
    return Matched(tuple(matches), told, tuple(sorted(unordered)), covered)


def _verdict(at: Coordinates, key: int, affected: Affected) -> _About | Unordered | None:
    """What an advisory says of this version: None where it is not affected. A range that cannot be compared does not
    hide that another one holds."""
    if affected.status == "not-affected":
        return None
    if at.version == _NO_VERSION:
        return Unordered(at.scheme, "")
    if len(at.version) > MOST_NAME:
        # No advisory names one so long, and each of many would have to be held against it.
        return Unordered(at.scheme, at.version)
    if at.scheme == "rpm":
        kept = tuple([each for each in affected.ranges if of_its_build(at.version, each)])
        if affected.ranges and not kept and not affected.versions:
            return None
        affected = affected._replace(ranges=kept)
    held, doubt = False, None
    for events in affected.ranges:
        try:
            held = held or holds(at.scheme, events, at.version)
        except Unordered as error:
            doubt = error
    unbounded = affected.status != "affected" and not affected.ranges and not affected.versions
    listed = at.version in affected.versions
    if not (held or listed or unbounded) and affected.versions and (doubt or not affected.ranges):
        try:
            listed = _lists(at.scheme, affected.versions, at.version)
        except Unordered as error:
            doubt = error
    if not (held or listed or unbounded):
        return doubt
    fixed: dict[str, None] = {}
    for events in affected.ranges:
        try:
            fixed.update(dict.fromkeys(mending(at.scheme, [events], at.version)))
        except Unordered:
            continue
    return _About(key, affected.status, affected.severity, _in_order(at.scheme, fixed))


def of_its_build(version: str, events: Sequence[Event]) -> bool:
    """Whether a range is about the build of rpm that this version is of. Packages of a module of Enterprise Linux
    (`.module+el8`) and those of Rocky's kernel for clouds (`.cloud`) are numbered apart from others of their name."""
    ends = [event.version for event in events if event.kind == "fixed"]
    return all((mark in version) == (mark in end) for mark in (".module", ".cloud") for end in ends)


def _lists(scheme: Scheme, versions: Iterable[str], version: str) -> bool:
    """Whether a list names the version, however it writes it."""
    key = key_of(scheme)
    at = key(version)
    for each in versions:
        try:
            if key(each) == at:
                return True
        except Unordered:
            continue
    return False


def _in_order(scheme: Scheme, versions: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(versions, key=key_of(scheme)))


def _kept(database: Database) -> set[tuple[str, str]]:
    """The releases of which the database has the data of the distribution's own keepers."""
    own = (data for data in database.data() if not data.name.startswith("osv/"))
    return {pair for data in own for pair in data.ecosystems if pair[0] in _REPEATED}


def _matches(
    number: int,
    at: Coordinates,
    about: Iterable[_About],
    advisories: Mapping[int, Advisory],
    kept: Container[tuple[str, str]],
) -> list[Match]:
    """The matches of a package, each fault once. Where a distribution's own data are there (`kept`), what OSV repeats
    of them says how severe a fault is, and not that there is one."""
    by_key: dict[int, list[_About]] = defaultdict(list)
    for each in about:
        if each.key in advisories:
            by_key[each.key].append(each)
    keys = list(by_key)
    matches = []
    for group in one_of_each(at.ecosystem, [advisories[key] for key in keys]):
        first = advisories[keys[group.members[0]]]
        if first.data.startswith("osv/") and (at.ecosystem, at.release) in kept:
            continue
        advisory, said = group.advisory, [each for place in group.members for each in by_key[keys[place]]]
        own = [each for place in group.members[:1] for each in by_key[keys[place]]]
        vendor = [each.severity for each in (*own, *said) if each.severity != "unknown"]
        severity = vendor[0] if vendor else advisory.severity
        fixed = [version for each in own for version in each.fixed] or [v for each in said for v in each.fixed]
        matches.append(
            Match(
                number,
                at,
                advisory,
                min((each.status for each in own), key=_WORST.__getitem__),
                severity if severity != "unknown" else by_score(advisory.score),
                _in_order(at.scheme, dict.fromkeys(fixed)),
            )
        )
    return sorted(matches, key=lambda each: (SEVERITIES.index(each.severity), each.advisory.id))


def by_score(score: float) -> Severity:
    """The severity that a CVSS base score stands for (CVSS 3.1 §5); `unknown` for 0, which is what no score is."""
    return next((severity for least, severity in _BY_SCORE if score >= least), "unknown")


def _signalled(database: Database, matches: list[Match]) -> list[Match]:
    """Matches with how urgent they are: of several CVEs of one fault that one that is exploited, or likeliest to be."""
    cves = [[each for each in (m.advisory.id, *m.advisory.aliases) if each.startswith("CVE-")] for m in matches]
    wanted = {each for group in cves for each in group}
    if not wanted:
        return matches
    signals = database.signals(wanted)
    found = []
    for each, group in zip(matches, cves, strict=True):
        known = [signals[cve] for cve in group if cve in signals]
        best = max(known, key=lambda signal: (bool(signal.exploited), signal.chance), default=None)
        found.append(each._replace(signal=best) if best else each)
    return found
