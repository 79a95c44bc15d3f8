"""Findings made of what the database knows about the components of a bill."""

from collections.abc import Sequence

from kezuri.advisories.matching import Match
from kezuri.packages.package import SYSTEM
from kezuri.sbom.purls import of_package
from kezuri.sbom.values import Bill, Component
from kezuri.scan.values import Finding


def asked(bill: Bill, kinds: Sequence[str] = ("os", "library")) -> tuple[int, ...]:
    """The numbers of the components that a database is asked about: those of the kinds that are wanted (`os` for what
    the distribution has, `library` for the rest) that are not foreign to the distribution that its data is about."""
    return tuple(
        number
        for number, component in enumerate(bill.components)
        if not component.foreign and ("os" if component.package.ecosystem in SYSTEM else "library") in kinds
    )


def vulnerabilities(bill: Bill, components: Sequence[int], matches: Sequence[Match]) -> tuple[Finding, ...]:
    """A finding for each match. `components` are the numbers of those that were matched, in their order. One that
    an advisory says is not affected is none."""
    return tuple(_finding(bill, components[each.package], each) for each in matches if each.status != "not-affected")


def _finding(bill: Bill, number: int, match: Match) -> Finding:
    component, advisory = bill.components[number], match.advisory
    package = component.package
    own = package.ecosystem not in SYSTEM
    id, aliases = named(advisory.id, advisory.aliases)
    severity = match.severity
    if severity == "unknown" and advisory.kind == "malicious":
        severity = "critical"
    return Finding(
        "vulnerability",
        id,
        advisory.summary,
        severity,
        number,
        package.full_name,
        package.version,
        match.fixed,
        match.status,
        aliases,
        component.layer,
        next((path for path in component.evidence if own and not path.startswith("env:")), ""),
        purl=purl(component, bill),
        data=advisory.data,
        score=advisory.score,
        vectors=advisory.vectors,
        signal=match.signal,
        references=advisory.references,
        note=advisory.kind,
    )


def named(id: str, aliases: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """What a fault is called, and its other names: by its CVE where it has exactly one, for that is what people, ignore
    files and VEX documents know; else by the advisory's own id."""
    every = tuple(dict.fromkeys((id, *aliases)))
    cves = [each for each in every if each.startswith("CVE-")]
    first = cves[0] if len(cves) == 1 else id
    return first, tuple(each for each in every if each != first)


def purl(component: Component, bill: Bill) -> str:
    """The package URL of a component of the bill, as documents about the bill have it."""
    return of_package(component.package, bill.distribution, foreign=component.foreign)
