"""A scan as JUnit's XML: a suite for each kind of finding, a failed case for each finding."""

from kezuri.diagnostics import visible
from kezuri.report.scan_words import brought, counting, named, page, place, rule, solution
from kezuri.report.xml_forms import HEAD, escaped, quoted
from kezuri.scan.values import Finding, Kind, Report

_SUITES: tuple[tuple[Kind, str], ...] = (
    ("vulnerability", "known vulnerabilities"),
    ("end-of-life", "ends of life"),
    ("secret", "secrets"),
    ("misconfiguration", "settings"),
    ("licence", "licences"),
)


def document(report: Report) -> str:
    """The suites of those kinds that something was found of; where nothing was, a case that passed. What does not count
    is a case that was skipped."""
    shown = [(kind, title, [f for f in report.findings if f.kind == kind]) for kind, title in _SUITES]
    count = sum(1 for _ in counting(report))
    skipped = len(report.findings) - count
    cases = max(1, len(report.findings))
    head = f'<testsuites name="kezuri scan" tests="{cases}" failures="{count}" errors="0" skipped="{skipped}">'
    lines = [HEAD, head]
    for _, title, findings in shown:
        if findings:
            failures = sum(not finding.ignored for finding in findings)
            lines.append(
                f'  <testsuite name={quoted(f"{report.name}: {title}")} tests="{len(findings)}" '
                f'failures="{failures}" errors="0" skipped="{len(findings) - failures}">'
            )
            for finding in findings:
                lines += _case(report, finding)
            lines.append("  </testsuite>")
    if not report.findings:
        lines.append(f'  <testsuite name={quoted(report.name)} tests="1" failures="0" errors="0" skipped="0">')
        lines.append(f'    <testcase name="kezuri scan" classname={quoted(report.name)}/>')
        lines.append("  </testsuite>")
    return "\n".join((*lines, "</testsuites>"))


def _case(report: Report, finding: Finding) -> list[str]:
    # The place is part of the name, so that equal findings in two places are two cases.
    where = f" /{finding.path}" if finding.path else ""
    line = f":{finding.line}" if finding.path and finding.line else ""
    of = named(finding).replace(" ", "-") if finding.kind == "vulnerability" else finding.kind
    made = [f"    <testcase name={quoted(f'{rule(finding)}{where}{line}')} classname={quoted(of or finding.kind)}>"]
    if finding.ignored:
        made.append(f"      <skipped message={quoted(finding.ignored)}/>")
    else:
        uri, at = place(report, finding)
        said = (
            f"{uri}:{at}: {finding.severity}: {visible(finding.title or finding.id)}",
            solution(finding),
            brought(report, finding),
            page(finding),
        )
        made.append(f"      <failure type={quoted(finding.severity)} message={quoted(finding.title or finding.id)}>")
        made.append(f"{escaped(chr(10).join(text for text in said if text))}</failure>")
    return [*made, "    </testcase>"]
