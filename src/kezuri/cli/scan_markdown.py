"""A scan as Markdown, for a comment below a change or the summary of a workflow."""

from collections.abc import Callable

from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.scan_words import MOST, ScanWords, others_first, parts, rows
from kezuri.cli.screen_text import clip
from kezuri.report.cells import cell, code
from kezuri.scan.values import Finding, Report

_LONGEST = 100
"""Letters of what an advisory says in a table."""


class ScanMarkdown:
    """Says one scan in the language that `phrase` and `words` speak."""

    def __init__(self, phrase: Phrase = plainly, words: Callable[[str], str] = str) -> None:
        self.phrase = phrase
        self._words = ScanWords(phrase, words)
        self._told = words

    def page(self, report: Report, everything: bool = False) -> str:
        """The whole page; tables have their first rows only unless `everything` is wanted."""
        platform = f" ({cell(report.platform)})" if report.platform else ""
        blocks = [[f"### `{code(report.name)}`{platform}"]]
        lines = [self._words.about(report), *self._words.summary(report), self._words.data(report, everything)]
        blocks.append([f"{cell(line)}  " for line in lines if line])
        blocks.append([f"* {cell(self._told(told))}" for told in report.told])
        faults, others = parts(report.findings)
        most = None if everything else MOST
        tables = [self._faults(report, faults, most), self._others(report, others, most)]
        blocks += [self._remedies(report), *(reversed(tables) if others_first(report) else tables)]
        return "\n\n".join("\n".join(lines) for lines in blocks if lines)

    def _remedies(self, report: Report) -> list[str]:
        if not report.remedies:
            return []
        lines = [f"| {self.phrase('WHAT TO DO')} | |", "|---|---|"]
        for remedy in report.remedies:
            order = self._words.order(report, remedy)
            told = cell(order) if remedy.kind in ("none", "secret") else f"`{code(order)}`"
            lines.append(f"| {told} | {cell(self._words.effect(report, remedy))} |")
        return lines

    def _faults(self, report: Report, faults: tuple[Finding, ...], most: int | None) -> list[str]:
        phrase, words = self.phrase, self._words
        every = rows(faults)
        if not every:
            return []
        heads = (phrase("SEVERITY"), phrase("FAULT"), phrase("EXPLOITED"), phrase("PACKAGE"), phrase("INSTALLED"))
        lines = [
            f"| {' | '.join((*heads, phrase('FIXED IN'), phrase('BROUGHT BY')))} |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in every[:most]:
            finding = row.finding
            cells = (
                words.severity(finding.severity),
                cell(finding.id) + (f"<br>{cell(clip(finding.title, _LONGEST))}" if finding.title else ""),
                cell(words.urgency(finding)),
                cell(words.names(row)),
                cell(finding.installed),
                cell(words.fixed(finding)),
                f"`{code(brought)}`" if (brought := words.brought_by(report, finding)) else "",
            )
            lines.append(f"| {' | '.join(cells)} |")
        return lines + self._rest(len(every), most)

    def _others(self, report: Report, others: tuple[Finding, ...], most: int | None) -> list[str]:
        if not others:
            return []
        heads = (self.phrase("SEVERITY"), self.phrase("RULE"), self.phrase("WHERE"), self.phrase("WHAT"))
        lines = [f"| {' | '.join(heads)} |", "|---|---|---|---|"]
        for finding in others[:most]:
            where = self._words.where(report, finding)
            cells = (
                self._words.severity(finding.severity),
                cell(finding.id),
                f"`{code(where)}`" if where else "",
                cell(self._words.what(finding)),
            )
            lines.append(f"| {' | '.join(cells)} |")
        return lines + self._rest(len(others), most)

    def _rest(self, number: int, most: int | None) -> list[str]:
        if most is None or number <= most:
            return []
        return ["", self.phrase("and {} more (--all shows them)", number - most)]
