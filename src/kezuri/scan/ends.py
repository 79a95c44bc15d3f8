"""Distributions and runtimes that nobody mends any more, as findings."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

from kezuri.advisories.values import Severity
from kezuri.sbom.values import Bill
from kezuri.scan.findings import purl
from kezuri.scan.values import Finding

if TYPE_CHECKING:
    from kezuri.advisories.lifecycles import Lifecycle, Lifecycles

SOON = 90
"""Days before an end from which it is told."""


def findings(bill: Bill, lives: "Lifecycles", day: str) -> tuple[Finding, ...]:
    """The distribution, and the runtimes among the components, whose release has ended on a day (RFC 3339): high; which
    only others go on mending: medium; and which will end within SOON days: low."""
    found = []
    distribution = bill.distribution
    life = lives.of_distribution(distribution) if distribution.id else None
    if life is not None:
        name = distribution.title or f"{distribution.id} {distribution.version}".rstrip()
        found.append(_finding(life, lives, day, Finding("end-of-life", "", "", "low", -1, name, distribution.version)))
    for number, component in enumerate(bill.components):
        package = component.package
        if package.ecosystem != "generic" or not package.version:
            continue
        life = lives.of_runtime(package.name, package.version)
        if life is not None:
            empty = Finding("end-of-life", "", "", "low", number, package.name, package.version)
            empty = empty._replace(layer=component.layer, purl=purl(component, bill))
            found.append(_finding(life, lives, day, empty))
    return tuple(finding for finding in found if finding is not None)


def _finding(life: "Lifecycle", lives: "Lifecycles", day: str, empty: Finding) -> Finding | None:
    standing = life.standing(day)
    severity: Severity
    if standing == "ended":
        last = max(life.ends, life.extended)
        severity, title = "high", f"{life.title} ended on {last}: nobody mends it any more"
        if not last:
            title = f"{life.title} has ended: nobody mends it any more"
    elif standing == "extended":
        severity, title = "medium", f"{life.title} ended on {life.ends}: only others than its makers still mend it"
        if life.extended:
            until = life.extended
            title = f"{life.title} ended on {life.ends}: only others than its makers still mend it, until {until}"
    elif standing == "supported" and _is_soon(life.ends, day):
        severity, title = "low", f"{life.title} will end on {life.ends}"
    else:
        return None
    next_one = lives.successor(life, day)
    return empty._replace(
        id=f"{life.subject}:{life.cycle}",
        title=title,
        severity=severity,
        fixed=(next_one.title,) if next_one is not None else (),
        note=standing,
        data=life.source,
    )


def _is_soon(ends: str, day: str) -> bool:
    try:
        return date.fromisoformat(ends[:10]) - date.fromisoformat(day[:10]) <= timedelta(days=SOON)
    except ValueError:
        return False
