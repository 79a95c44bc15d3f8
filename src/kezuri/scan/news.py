"""What is new in an image: findings that another one, mostly the one that runs now, does not have."""

from collections.abc import Iterable, Sequence

from kezuri.scan.values import Finding


def without_known(findings: Sequence[Finding], before: Iterable[Finding], name: str) -> tuple[Finding, ...]:
    """The findings with those marked that `before`, the findings of the image `name`, has too: the same fault (by any
    of its names) in the same package whatever its version, the same secret in the same file, the same rule about the
    same thing. What was ignored there is known."""
    known = {key for finding in before for key in _keys(finding)}
    reason = f"not new: {name} has it"
    return tuple(
        finding._replace(ignored=reason)
        if not finding.ignored and any(key in known for key in _keys(finding))
        else finding
        for finding in findings
    )


def _keys(finding: Finding) -> Iterable[tuple[str, ...]]:
    if finding.kind == "vulnerability":
        # Without the version and what comes behind it: an update that has the same fault is no news.
        package = finding.purl.partition("?")[0].partition("@")[0] or finding.name
        for id in (finding.id, *finding.aliases):
            yield finding.kind, id, package
    else:
        yield finding.kind, finding.id, finding.path, finding.name
