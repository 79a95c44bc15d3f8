"""A scan as tables for people: what to do, faults of packages, and what else is wrong."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kezuri.advisories.values import Severity
from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.scan_words import MOST, ScanWords, others_first, parts, rows
from kezuri.cli.screen_text import clip, width
from kezuri.diagnostics import visible
from kezuri.sbom.values import Bill
from kezuri.scan.licences import report as licence_report
from kezuri.scan.values import Finding, Report

_BOLD, _DIM, _GREEN, _YELLOW, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
_COLOURS: dict[Severity, str] = {
    "critical": "\x1b[1;31m",
    "high": "\x1b[31m",
    "medium": "\x1b[33m",
    "low": "\x1b[2m",
    "unknown": "\x1b[2m",
}
_NARROWEST, _WIDEST, _WIDEST_LICENCE, _GAP = 14, 300, 120, "  "


class Cell(NamedTuple):
    """A cell of a table; `style` is the sequence that begins its colour."""

    text: str
    style: str = ""


class ScanText:
    """Says one scan in the language that `phrase` and `words` speak; `columns` is 0 where there is no terminal: then
    nothing is cut short that can be copied."""

    def __init__(
        self, phrase: Phrase = plainly, words: Callable[[str], str] = str, colour: bool = False, columns: int = 0
    ) -> None:
        self.phrase = phrase
        self._words = ScanWords(phrase, words)
        self._told = words
        self._colour = colour
        self._columns = columns

    def page(
        self, report: Report, everything: bool = False, suppressed: bool = False, licences_of: Bill | None = None
    ) -> str:
        """The whole page; tables have their first rows only unless `everything` is wanted. With `suppressed` what is
        ignored is listed, too, and why; with `licences_of` the licences of a bill."""
        head = visible(report.name) + (f" {report.digest[:19]}" if report.digest else "")
        blocks = [[self._styled(head, _BOLD) + (f" ({visible(report.platform)})" if report.platform else "")]]
        blocks[0] += [self._words.about(report), *self._words.summary(report)]
        data = self._words.data(report, everything)
        if data:
            blocks[0].append(data)
        blocks.append([self._unknown(told) for told in report.told])
        faults, others = parts(report.findings)
        most = None if everything else MOST
        tables = [self._faults(report, faults, most), self._others(report, others, most)]
        blocks += [self._remedies(report), *(reversed(tables) if others_first(report) else tables)]
        if licences_of is not None:
            blocks.append(self._licences(licences_of, most))
        if suppressed:
            blocks.append(self._ignored(report))
        return "\n\n".join("\n".join(lines) for lines in blocks if lines)

    def _unknown(self, told: str) -> str:
        return f"{self._styled(self.phrase('not known'), _YELLOW)}: {visible(self._told(told))}"

    def _remedies(self, report: Report) -> list[str]:
        if not report.remedies:
            return []
        table = [
            (
                Cell(self._words.effect(report, remedy)),
                Cell(self._words.order(report, remedy), _GREEN if remedy.kind != "none" else _DIM),
            )
            for remedy in report.remedies
        ]
        return [self._styled(self.phrase("WHAT TO DO"), _BOLD), *self._table((), table)]

    def _faults(self, report: Report, faults: Sequence[Finding], most: int | None) -> list[str]:
        phrase, words = self.phrase, self._words
        every = rows(faults)
        if not every:
            return []
        urgent = any(words.urgency(row.finding) for row in every)
        brought = any(words.brought_by(report, row.finding) for row in every)
        heads = [phrase("SEVERITY"), phrase("FAULT")]
        heads += [phrase("EXPLOITED")] if urgent else []
        heads += [phrase("PACKAGE"), phrase("INSTALLED"), phrase("FIXED IN")]
        heads += [phrase("BROUGHT BY")] if brought else []
        table = []
        for row in every[:most]:
            finding = row.finding
            cells = [Cell(words.severity(finding.severity), _COLOURS[finding.severity]), Cell(visible(finding.id))]
            cells += [Cell(words.urgency(finding))] if urgent else []
            cells += [Cell(words.names(row)), Cell(visible(finding.installed)), Cell(words.fixed(finding))]
            cells += [Cell(words.brought_by(report, finding), _DIM)] if brought else []
            table.append(tuple(cells))
        lines = self._table(tuple(Cell(head) for head in heads), table)
        return [*lines, *self._rest(len(every) - len(table))]

    def _others(self, report: Report, others: Sequence[Finding], most: int | None) -> list[str]:
        table = [
            (
                Cell(self._words.severity(finding.severity), _COLOURS[finding.severity]),
                Cell(visible(finding.id)),
                Cell(self._words.where(report, finding)),
                Cell(self._words.what(finding)),
            )
            for finding in others[:most]
        ]
        if not table:
            return []
        heads = (self.phrase("SEVERITY"), self.phrase("RULE"), self.phrase("WHERE"), self.phrase("WHAT"))
        lines = self._table(tuple(Cell(head) for head in heads), table)
        return [*lines, *self._rest(len(others) - len(table))]

    def _licences(self, bill: Bill, most: int | None) -> list[str]:
        rows = licence_report(bill)
        table = [
            (
                Cell(str(len(row.components))),
                Cell(self._words.demand(row.demand)),
                Cell(self._words.some(tuple(bill.components[each].package.full_name for each in row.components))),
                Cell(clip(self._words.licence(row.licence), _WIDEST_LICENCE)),
            )
            for row in rows[:most]
        ]
        if not table:
            return []
        heads = ("#", self.phrase("ASKS FOR"), self.phrase("PACKAGES"), self.phrase("LICENCE"))
        return [*self._table(tuple(Cell(head) for head in heads), table), *self._rest(len(rows) - len(table))]

    def _ignored(self, report: Report) -> list[str]:
        table = [
            (
                Cell(self._words.severity(finding.severity)),
                Cell(visible(finding.id)),
                Cell(visible(finding.name or finding.path)),
                Cell(visible(finding.ignored)),
            )
            for finding in report.findings
            if finding.ignored
        ]
        if not table:
            return []
        return [self._styled(self.phrase("IGNORED"), _BOLD), *self._table((), table)]

    def _rest(self, more: int) -> list[str]:
        return [self.phrase("and {} more (--all shows them)", more)] if more > 0 else []

    def _table(self, head: Sequence[Cell], table: Sequence[Sequence[Cell]]) -> list[str]:
        """Rows under each other. On a terminal a table with headings is made to fit; one without has what people copy,
        and is not cut short."""
        every = [head, *table] if head else list(table)
        most = self._columns or _WIDEST
        wide = [min(most, max(width(row[column].text) for row in every)) for column in range(len(every[0]))]
        last = len(wide) - 1
        if self._columns and head:
            room = self._columns - len(_GAP) * last
            while sum(wide) > room and max(wide) > _NARROWEST:
                # The widest gives way, the first of several equally wide ones last: identifiers stand there.
                widest = max(range(len(wide)), key=lambda column: (wide[column], column))
                wide[widest] -= 1
        lines = []
        for number, row in enumerate(every):
            cells = []
            for column, cell in enumerate(row):
                text = clip(cell.text, wide[column]) if head or not self._columns else cell.text
                gap = " " * (wide[column] - width(text)) if column < last else ""
                style = _BOLD if head and not number else cell.style
                cells.append((self._styled(text, style) if text else "") + gap)
            lines.append(_GAP.join(cells).rstrip())
        return lines

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_RESET}" if self._colour and style else text
