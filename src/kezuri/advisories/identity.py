"""Which advisories are about one fault, and which of them is told: that of whoever keeps the data of the ecosystem."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from kezuri.advisories.values import Advisory


class Group(NamedTuple):
    """Advisories about one fault: `members` are their numbers among those given, that one first which is told;
    `advisory` is it, with what only the others know: their names, a severity, a score."""

    advisory: Advisory
    members: tuple[int, ...]


_KEEPERS: Final = {
    "PyPI": ("PYSEC-", "GHSA-"),
    "Go": ("GO-", "GHSA-"),
    "crates.io": ("RUSTSEC-", "GHSA-"),
    "Debian": ("CVE-", "DEBIAN-CVE-", "DSA-", "DLA-"),
    "Ubuntu": ("CVE-", "UBUNTU-CVE-", "USN-"),
    "Alpine": ("CVE-", "ALPINE-CVE-"),
    "Wolfi": ("CVE-", "CGA-"),
    "Chainguard": ("CVE-", "CGA-"),
    "Rocky Linux": ("RLSA-", "RXSA-"),
    "AlmaLinux": ("ALSA-", "ALBA-", "ALEA-"),
    "Red Hat": ("RHSA-", "RHBA-", "RHEA-"),
}
"""The beginnings of the names that the keepers of an ecosystem's data give, those first that are told rather."""
_OTHERS: Final = ("GHSA-", "CVE-")
_MOST: Final = 100
"""So many faults may share a name before no more is asked of it."""


def one_of_each(ecosystem: str, advisories: Sequence[Advisory]) -> list[Group]:
    """Advisories about one package, each fault once. Two CVEs are two faults, whatever other name both are given, and
    so are two advisories of one keeper that have neither a CVE in common nor name each other. An advisory with several
    CVEs (an update that mends all of them) makes no one fault of these; it is left out where each of them is told by
    itself."""
    cves = [_cves(each) for each in advisories]
    groups = _Groups([each.id for each in advisories], cves)
    for place, known in enumerate(cves):
        if len(known) == 1:
            groups.take(place, next(iter(known)))
    for place, advisory in enumerate(advisories):
        for name in (advisory.id, *advisory.aliases):
            if name not in cves[place] or name == advisory.id:
                groups.take(place, name)
    single = {next(iter(known)) for known in cves if len(known) == 1}
    found = []
    for members in groups.members():
        told = set().union(*(cves[place] for place in members))
        if all(len(cves[place]) > 1 for place in members) and told <= single:
            continue
        members.sort(key=lambda place: _order(ecosystem, advisories[place]))
        found.append(Group(_merged([advisories[place] for place in members]), tuple(members)))
    return found


class _Groups:
    """Numbers put together by the names that they share."""

    def __init__(self, ids: Sequence[str], cves: Sequence[set[str]]) -> None:
        self._ids = ids
        self._above = list(range(len(ids)))
        self._cves = [set(each) for each in cves]
        self._keepers = [{each.partition("-")[0]} for each in ids]
        self._named: dict[str, list[int]] = {}

    def _group(self, place: int) -> int:
        above = self._above
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    def take(self, place: int, name: str) -> None:
        """Put it with all that have this name and may be about the same fault."""
        others = self._named.setdefault(name, [])
        for other in others:
            one, another = self._group(place), self._group(other)
            if one != another and self._one_fault(place, other, name):
                self._cves[another] |= self._cves[one]
                self._keepers[another] |= self._keepers[one]
                self._above[one] = another
        if len(others) < _MOST and all(self._group(place) != self._group(other) for other in others):
            others.append(place)

    def _one_fault(self, place: int, other: int, name: str) -> bool:
        one, another = self._group(place), self._group(other)
        known, theirs = self._cves[one], self._cves[another]
        if known & theirs:
            return True
        if known and theirs:
            return False
        first, second = self._ids[place], self._ids[other]
        if first.partition("-")[0] == second.partition("-")[0]:
            return name in (first, second)
        return not self._keepers[one] & self._keepers[another]

    def members(self) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for place in range(len(self._above)):
            found.setdefault(self._group(place), []).append(place)
        return list(found.values())


def _cves(advisory: Advisory) -> set[str]:
    """The CVEs of an advisory, also those that its own name has in it, as `DEBIAN-CVE-2024-1`."""
    names = [each[each.index("CVE-") :] for each in (advisory.id, *advisory.aliases) if "CVE-" in each]
    return set(names)


def _order(ecosystem: str, advisory: Advisory) -> tuple[int, str, bool]:
    """Who is told first: of one name a keeper's own data go before what OSV made of them."""
    return _rank(ecosystem, advisory.id), advisory.id, advisory.data.startswith("osv/")


def _rank(ecosystem: str, name: str) -> int:
    keepers = (*_KEEPERS.get(ecosystem, ()), *_OTHERS)
    return next((place for place, begin in enumerate(keepers) if name.startswith(begin)), len(keepers))


def _merged(advisories: Sequence[Advisory]) -> Advisory:
    first = advisories[0]
    names = dict.fromkeys(name for each in advisories for name in (each.id, *each.aliases))
    names.pop(first.id, None)
    scored = max(advisories, key=lambda each: each.score)
    return first._replace(
        aliases=tuple(names),
        summary=next((each.summary for each in advisories if each.summary), ""),
        severity=next((each.severity for each in advisories if each.severity != "unknown"), "unknown"),
        vectors=first.vectors or scored.vectors,
        score=first.score or scored.score,
        references=tuple(dict.fromkeys(each for one in advisories for each in one.references)),
        kind=next((each.kind for each in advisories if each.kind), ""),
    )
