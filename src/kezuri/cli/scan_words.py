"""What the parts of a scan are called, for people, whatever form they are shown in."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from kezuri.advisories.values import DataSet, Severity
from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.screen_text import one_line
from kezuri.diagnostics import visible
from kezuri.scan.licences import Demand
from kezuri.scan.remedies import comes_with_base
from kezuri.scan.urgency import counts, exploited
from kezuri.scan.values import Finding, Remedy, Report

MOST = 40
"""The rows that a table has unless everything is wanted."""
_MOST_NAMES = 3
_MOST_DATA = 6


class Row(NamedTuple):
    """Findings that differ only in the package that they are about: of packages built from one source all have the same
    faults. The first stands for them."""

    finding: Finding
    names: tuple[str, ...]


class ScanWords:
    """Says parts of one scan in the language that `phrase` and `words` speak. What others wrote is made visible."""

    def __init__(self, phrase: Phrase = plainly, words: Callable[[str], str] = str) -> None:
        self.phrase = phrase
        self.words = words

    def severity(self, severity: Severity) -> str:
        """The name of a severity."""
        return {
            "critical": self.phrase("critical"),
            "high": self.phrase("high"),
            "medium": self.phrase("medium"),
            "low": self.phrase("low"),
            "unknown": self.phrase("unknown"),
        }[severity]

    def about(self, report: Report) -> str:
        """What was looked at."""
        parts = [visible(report.distribution)] if report.distribution else []
        parts.append(
            self.phrase("1 package") if report.components == 1 else self.phrase("{} packages", f"{report.components:,}")
        )
        if report.base:
            parts.append(self.phrase("base image {}", visible(report.base)))
        return ", ".join(parts)

    def summary(self, report: Report) -> tuple[str, ...]:
        """How many there are of each severity, what of it is exploited, what is not shown or does not count."""
        counted = counts(report.findings)
        if not any(counted.values()):
            lines = [self.phrase("nothing was found that counts")]
        else:
            lines = [", ".join(f"{self.severity(each)} {number}" for each, number in counted.items() if number)]
        known = exploited(report.findings)
        if known:
            lines[0] = self.phrase("{} ({} known to be exploited)", lines[0], known)
        ignored = sum(1 for finding in report.findings if finding.ignored)
        if ignored:
            lines.append(self.phrase("{} ignored (--show-suppressed lists them)", ignored))
        if report.hidden:
            hidden = ", ".join(f"{self.severity(each)} {number}" for each, number in report.hidden)
            lines.append(self.phrase("not shown, as was asked: {}", hidden))
        return tuple(lines)

    def data(self, report: Report, everything: bool = False) -> str:
        """Which data of which date was asked; empty where none was."""
        if not report.data:
            return ""
        named = [self._dated(each) for each in report.data]
        most = len(named) if everything else _MOST_DATA
        text = ", ".join(named[:most])
        if len(named) > most:
            text = self.phrase("{} and {} more", text, len(named) - most)
        return self.phrase("data: {}", text)

    def _dated(self, data: DataSet) -> str:
        if data.date:
            return self.phrase("{} of {}", visible(data.name), visible(data.date[:10]))
        return self.phrase("{} (fetched on {})", visible(data.name), visible(data.fetched[:10]))

    def urgency(self, finding: Finding) -> str:
        """Whether it is known to be exploited, or how likely it will be; empty where nothing is known."""
        signal = finding.signal
        if signal is None:
            return ""
        if signal.exploited:
            return self.phrase("ransomware") if signal.ransomware else self.phrase("exploited")
        return f"{100 * signal.chance:.1f} %" if signal.chance >= 0.001 else ""

    def fixed(self, finding: Finding) -> str:
        """The versions that mend it, or what the keeper of the data says."""
        if finding.fixed:
            return visible(", ".join(finding.fixed[:_MOST_NAMES]))
        if finding.status == "wont-fix":
            return self.phrase("will not be fixed")
        if finding.status == "undetermined":
            return self.phrase("not looked at yet")
        return "-"

    def brought_by(self, report: Report, finding: Finding) -> str:
        """The layer that brought it: the base image, the line of the Dockerfile, or the instruction."""
        if not 0 <= finding.layer < len(report.layers):
            return ""
        layer = report.layers[finding.layer]
        if layer.of_base:
            return self.phrase("base image")
        if layer.line:
            return f"{visible(layer.dockerfile.rpartition('/')[2]) or 'Dockerfile'}:{layer.line}"
        return one_line(visible(layer.text)) or self.phrase("layer {}", finding.layer + 1)

    def what(self, finding: Finding) -> str:
        """What a finding that is about no version says."""
        title = one_line(visible(self.words(finding.title)))
        return title or visible(finding.id)

    def where(self, report: Report, finding: Finding) -> str:
        """The file and line of a finding, or its package, and what brought it."""
        place = visible(finding.path) or (visible(finding.name) if finding.component >= 0 else "")
        if finding.kind == "end-of-life":
            place = visible(finding.name)
        if finding.path and finding.line:
            place = f"{place}:{finding.line}"
        brought = self.brought_by(report, finding)
        return f"{place} ({brought})" if place and brought else place or brought

    def order(self, report: Report, remedy: Remedy) -> str:
        """What to do."""
        if remedy.kind == "none":
            return self.phrase("nothing mends these yet")
        order = visible(self.words(remedy.order))
        if remedy.kind == "packages" and remedy.findings:
            where = self.brought_by(report, report.findings[remedy.findings[0]])
            return f"{order} ({where})" if where else order
        return order

    def effect(self, report: Report, remedy: Remedy) -> str:
        """How many findings go by it, and how many of the same origin stay."""
        go = len(remedy.findings)
        if remedy.kind == "none":
            return self.phrase("1 stays") if go == 1 else self.phrase("{} stay", go)
        if remedy.kind != "base" or report.findings[remedy.findings[0]].kind == "end-of-life":
            return self._goes(go)
        stay = sum(
            1
            for finding in report.findings
            if not finding.ignored
            and finding.kind == "vulnerability"
            and not finding.fixed
            and comes_with_base(report.layers, finding)
        )
        return self.phrase("{} go, {} stay", go, stay) if stay else self._goes(go)

    def _goes(self, go: int) -> str:
        return self.phrase("1 goes") if go == 1 else self.phrase("{} go", go)

    def licence(self, licence: str) -> str:
        """A licence as it is written."""
        return one_line(visible(licence)) or self.phrase("none is named")

    def demand(self, demand: Demand) -> str:
        """What a licence asks of those who ship what is under it."""
        return {
            "network": self.phrase("more than open source does, or the source of what is used over a network"),
            "strong": self.phrase("the source of all that is linked with it"),
            "weak": self.phrase("the source of changes to it"),
            "notice": self.phrase("to be named"),
            "unknown": self.phrase("not known"),
        }[demand]

    def names(self, row: Row) -> str:
        """The packages of a row."""
        return self.some(row.names)

    def some(self, names: Sequence[str]) -> str:
        """The first of many names, and how many more there are."""
        named = ", ".join(visible(name) for name in names[:_MOST_NAMES])
        more = len(names) - _MOST_NAMES
        return self.phrase("{} and {} more", named, more) if more > 0 else named


def rows(findings: Iterable[Finding]) -> tuple[Row, ...]:
    """Faults as rows of a table, in their order."""
    found: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        key = (finding.id, finding.severity, finding.installed, finding.fixed, finding.layer, finding.status)
        found.setdefault(key, []).append(finding)
    return tuple(Row(each[0], tuple(dict.fromkeys(one.name for one in each))) for each in found.values())


def parts(findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Faults of packages, and everything else; without what is ignored, and without licences that nobody forbids."""
    shown = [
        finding
        for finding in findings
        if not finding.ignored and (finding.kind != "licence" or finding.note.startswith("forbidden"))
    ]
    return (
        tuple(finding for finding in shown if finding.kind == "vulnerability"),
        tuple(finding for finding in shown if finding.kind != "vulnerability"),
    )


def others_first(report: Report) -> bool:
    """Whether something else than a fault of a package is the most urgent."""
    return bool(report.findings) and report.findings[0].kind != "vulnerability"
