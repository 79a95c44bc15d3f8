"""The anatomy of an image as tables for people: layers, owners, what could go."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kezuri.anatomy.advice import Advice
from kezuri.anatomy.thresholds import Verdict
from kezuri.anatomy.values import Anatomy
from kezuri.cli.analyze_words import MOST, MOST_OF_GROUP, AnalyzeWords, Sums, by_size, groups
from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.quantities import size
from kezuri.cli.screen_text import clip, width
from kezuri.diagnostics import visible

_BOLD, _DIM, _RED, _GREEN, _YELLOW, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
_WIDE = 100
"""Columns where the output is no terminal."""
_NARROWEST = 20
_LEFT = 10


class Cell(NamedTuple):
    """A cell of a table; figures stand on the right. `style` is the sequence that begins its colour."""

    text: str
    figure: bool = False
    style: str = ""


class AnalyzeText:
    """Says one anatomy in the language that `phrase` and `words` speak; `columns` is 0 where there is no terminal."""

    def __init__(
        self,
        phrase: Phrase = plainly,
        words: Callable[[str], str] = str,
        colour: bool = False,
        columns: int = 0,
    ) -> None:
        self.phrase = phrase
        self._words = AnalyzeWords(phrase, words)
        self._told = words
        self._colour = colour
        self._columns = columns or _WIDE

    def page(
        self,
        image: Anatomy,
        advice: Sequence[Advice],
        verdicts: Sequence[Verdict] = (),
        everything: bool = False,
    ) -> str:
        """The whole page; tables have their first rows only unless `everything` is wanted."""
        most = None if everything else MOST
        head = visible(image.name) + (f" {image.digest[:19]}" if image.digest else "")
        blocks = [[f"{self._styled(head, _BOLD)} ({visible(image.platform)})", *self._words.summary(image)]]
        blocks += [self._layers(image, most), self._owners(image, most)]
        if advice:
            blocks.append(self._advice(image, advice, most))
        if image.duplicates:
            blocks.append(self._duplicates(image, most))
        if verdicts:
            blocks.append(self._rules(verdicts))
        if image.told:
            blocks.append([visible(self._told(told)) for told in image.told])
        return "\n\n".join("\n".join(lines) for lines in blocks if lines)

    def _layers(self, image: Anatomy, most: int | None) -> list[str]:
        phrase, order = self.phrase, by_size(image)
        if not order:
            return []
        rows = []
        for layer in order[:most]:
            known = (Cell(size(layer.tar), True), Cell(size(layer.useful), True), _wasted(layer.wasted))
            if layer.unread:
                known = (Cell("?", True), Cell("?", True), Cell("?", True))
            travels = Cell(size(layer.blob) if layer.blob else "-", True)
            rows.append((Cell(str(layer.number + 1), True), *known, travels, Cell(self._words.maker(image, layer))))
        figures = ("#", phrase("SIZE"), phrase("USEFUL"), phrase("WASTED"), phrase("ON THE WIRE"))
        head = (*(Cell(name, True) for name in figures), Cell(phrase("MADE BY")))
        return self._table(head, rows) + self._rest([layer.tar for layer in order], most)

    def _owners(self, image: Anatomy, most: int | None) -> list[str]:
        phrase = self.phrase
        if not image.owners:
            return []
        rows = []
        for shares in groups(image.owners):
            rows.append(_owner_row(self._words.group(shares), Sums.of(shares)))
            if not shares[0].owner.ecosystem:
                continue
            named, rest = (shares, []) if most is None else (shares[:MOST_OF_GROUP], shares[MOST_OF_GROUP:])
            rows += (_owner_row(f"  {visible(str(share.owner))}", Sums.of([share])) for share in named)
            if rest:
                name = phrase("and {} more", f"{len(rest):,}")
                rows.append(_owner_row(f"  {name}", Sums.of(rest)))
        figures = (phrase("SIZE"), phrase("WASTED"), phrase("FILES"))
        head = (*(Cell(name, True) for name in figures), Cell(phrase("OWNER")))
        return self._table(head, rows)

    def _advice(self, image: Anatomy, advice: Sequence[Advice], most: int | None) -> list[str]:
        lines = [self._styled(self.phrase("WHAT COULD GO"), _BOLD)]
        room = max(_NARROWEST, self._columns - _LEFT)
        margin = " " * _LEFT
        for each in advice[:most]:
            lines.append(f"{size(each.size):>{_LEFT - 2}}  {clip(self._words.what(each), room)}")
            shown = (self._words.where(image, each), self._words.some(each))
            lines += (margin + clip(text, room) for text in shown if text)
            lines += (margin + self._styled(text, _DIM) for text in _wrapped(self._words.how(each), room))
            if each.mending:
                lines += (margin + self._styled(text, _GREEN) for text in _wrapped(visible(each.mending), room))
        return lines + self._rest([each.size for each in advice], most)

    def _duplicates(self, image: Anatomy, most: int | None) -> list[str]:
        phrase = self.phrase
        most = None if most is None else MOST_OF_GROUP
        rows = [
            (
                Cell(size(each.regained), True),
                Cell(f"{each.copies:,}", True),
                Cell(", ".join(f"/{visible(path)}" for path in each.paths)),
            )
            for each in image.duplicates[:most]
        ]
        head = (
            Cell(phrase("SPARED"), True),
            Cell(phrase("COPIES"), True),
            Cell(phrase("THE SAME CONTENT AT SEVERAL PATHS")),
        )
        return self._table(head, rows) + self._rest([each.regained for each in image.duplicates], most)

    def _rules(self, verdicts: Sequence[Verdict]) -> list[str]:
        phrase, styles = self.phrase, {"pass": _GREEN, "fail": _RED, "skip": _DIM}
        rows = [
            (
                Cell(self._words.state(each), style=styles[each.state]),
                Cell(each.rule),
                Cell(self._words.measured(each)),
            )
            for each in verdicts
        ]
        return self._table((Cell(phrase("RESULT")), Cell(phrase("RULE")), Cell(phrase("MEASURED"))), rows)

    def _rest(self, sizes: Sequence[int], most: int | None) -> list[str]:
        text = self._words.rest(sizes, most)
        return [self._styled(text, _DIM)] if text else []

    def _table(self, head: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> list[str]:
        wide = [max(width(row[i].text) for row in (head, *rows)) for i in range(len(head) - 1)]
        room = max(_NARROWEST, self._columns - sum(wide) - 2 * len(wide))
        lines = []
        for number, row in enumerate((head, *rows)):
            cells = []
            for cell, most in zip(row[:-1], wide):
                gap = " " * (most - width(cell.text))
                text = self._styled(cell.text, cell.style)
                cells.append(gap + text if cell.figure else text + gap)
            line = "  ".join((*cells, clip(row[-1].text, room))).rstrip()
            lines.append(line if number else self._styled(line, _BOLD))
        return lines

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_RESET}" if self._colour and style else text


def _wasted(count: int) -> Cell:
    return Cell(size(count), True, _YELLOW) if count else Cell("-", True)


def _owner_row(name: str, sums: Sums) -> tuple[Cell, ...]:
    return Cell(size(sums.size), True), _wasted(sums.wasted), Cell(f"{sums.files:,}", True), Cell(name)


def _wrapped(text: str, cells: int) -> list[str]:
    """The text in lines of so many cells, broken at blanks, and within a word that is longer."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and width(lines[-1]) + 1 + width(word) <= cells:
            lines[-1] += f" {word}"
            continue
        if lines[-1]:
            lines.append("")
        for char in word:
            if width(lines[-1]) + width(char) > cells:
                lines.append("")
            lines[-1] += char
    return lines
