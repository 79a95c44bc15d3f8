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


def one_of_each(ecosystem: str, advisories: Sequence[Advisory]) -> list[Group]:
    """Advisories about one package, each fault once. An advisory with several CVEs (an update that mends all of them)
    makes no one fault of these; it is left out where each of them is told by itself."""
    above = list(range(len(advisories)))

    def top(place: int) -> int:
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    cves = [_cves(each) for each in advisories]
    holder: dict[str, int] = {}
    for place, advisory in enumerate(advisories):
        several = len(cves[place]) > 1
        for name in _names(advisory):
            if several and name in cves[place] and name != advisory.id:
                continue
            above[top(place)] = top(holder.setdefault(name, place))
    groups: dict[int, list[int]] = {}
    for place in range(len(advisories)):
        groups.setdefault(top(place), []).append(place)
    single = {next(iter(cves[place])) for place in range(len(advisories)) if len(cves[place]) == 1}
    found = []
    for members in groups.values():
        told = set().union(*(cves[place] for place in members))
        if all(len(cves[place]) > 1 for place in members) and told <= single:
            continue
        members.sort(key=lambda place: (_rank(ecosystem, advisories[place].id), advisories[place].id))
        found.append(Group(_merged([advisories[place] for place in members]), tuple(members)))
    return found


def _names(advisory: Advisory) -> set[str]:
    return {advisory.id, *advisory.aliases} | _cves(advisory)


def _cves(advisory: Advisory) -> set[str]:
    """The CVEs of an advisory, also those that its own name has in it, as `DEBIAN-CVE-2024-1`."""
    names = [each[each.index("CVE-") :] for each in (advisory.id, *advisory.aliases) if "CVE-" in each]
    return set(names)


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
