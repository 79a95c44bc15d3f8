"""Findings in order of urgency, and how many there are of each severity."""

from collections import Counter
from collections.abc import Iterable, Mapping

from kezuri.advisories.values import SEVERITIES, Severity
from kezuri.scan.values import Finding

LIKELY = 0.1
"""From this chance of EPSS on a severe fault goes before all that are not known to be exploited: about one CVE in
twenty has it."""
_RANK = {severity: number for number, severity in enumerate(SEVERITIES)}


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most urgent first: what counts before what is ignored; what is known to be exploited, by ransomware first;
    what is critical or high and likely to be exploited (EPSS from LIKELY on); then by severity, by that chance, by the
    CVSS score, and by name. The order is the same for the same findings, however they came."""
    return tuple(sorted(findings, key=_key))


def _key(finding: Finding) -> tuple[object, ...]:
    signal = finding.signal
    chance = max(signal.chance, 0.0) if signal is not None else 0.0
    exploited = signal is not None and bool(signal.exploited)
    rank = _RANK[finding.severity]
    if exploited:
        step = 0 if signal is not None and signal.ransomware else 1
    else:
        step = 2 if rank <= _RANK["high"] and chance >= LIKELY else 3
    return (
        bool(finding.ignored),
        step,
        rank,
        -chance,
        -finding.score,
        not finding.fixed,
        finding.kind,
        finding.name,
        finding.id,
        finding.installed,
        finding.path,
        finding.line,
        finding.component,
    )


def counts(findings: Iterable[Finding]) -> Mapping[Severity, int]:
    """How many findings that count there are of each severity, the worst first; each severity is there."""
    found = Counter(finding.severity for finding in findings if not finding.ignored)
    return {severity: found[severity] for severity in SEVERITIES}


def exploited(findings: Iterable[Finding]) -> int:
    """How many of those that count are known to be exploited."""
    return sum(1 for each in findings if not each.ignored and each.signal is not None and bool(each.signal.exploited))


def worst_first(severity: Severity) -> int:
    """A number to order severities by, the worst having the least."""
    return _RANK[severity]
