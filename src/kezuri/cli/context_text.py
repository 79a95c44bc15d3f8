"""What is done with a build context, as text."""

from collections.abc import Sequence

from kezuri.anatomy.values import Heap
from kezuri.cli.columns import line, widths
from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.quantities import size
from kezuri.cli.screen_text import one_line
from kezuri.diagnostics import visible
from kezuri.forecast.context_use import ContextUse

_WIDTH = 110
_LEAST = 24
_MOST = 12
"""Rows of a table that are shown without --all."""
_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"

_Row = tuple[str, str, str, str]


class ContextText:
    """Says it in the language that `phrase` speaks, in lines of at most `columns` cells (0: as wide as usual);
    `everything`: no table is cut short."""

    def __init__(
        self,
        use: ContextUse,
        phrase: Phrase = plainly,
        colour: bool = False,
        columns: int = 0,
        everything: bool = False,
    ) -> None:
        self._use = use
        self._phrase = phrase
        self._colour = colour
        self._columns = columns or _WIDTH
        self._most = 1 << 30 if everything else _MOST

    def report(self) -> str:
        """All of it, without a line's end."""
        parts = [self._heading(), self._readings(), self._needless(), self._hidden(), self._idle(), self._told()]
        return "\n\n".join(part for part in parts if part)

    def _heading(self) -> str:
        use, phrase = self._use, self._phrase
        where = use.root or phrase("an archive")
        lines = [phrase("Context {} ({}): {}", where, use.dockerfile, self._amount(use.whole))]
        hidden = use.whole.size - use.shown.size
        if use.ignore:
            lines.append(phrase("{} hides {}, and shows {}.", use.ignore, size(hidden), self._amount(use.shown)))
        elif use.root:
            lines.append(phrase("No ignore file hides anything of it."))
        idle = sum(each.size for each in use.idle)
        lines.append(phrase("Instructions read {}; nothing reads {}.", self._amount(use.read), size(idle)))
        return visible("\n".join(lines), "\n")

    def _readings(self) -> str:
        phrase = self._phrase
        rows: list[_Row] = []
        for each in self._use.readings:
            title = one_line(each.title)
            if each.context:
                title = f"{title} ({phrase('context {}', each.context)})"
            alone = "" if each.context else size(each.alone)
            rows.append((str(each.line), title, f"{size(each.heap.size)}", alone))
        head = (phrase("LINE"), phrase("READ BY"), phrase("BYTES"), phrase("ALONE"))
        said = self._table(head, rows, len(rows))
        if any(not each.wanted for each in self._use.readings):
            lines = sorted({each.line for each in self._use.readings if not each.wanted})
            said += "\n" + self._dim(phrase("The target does not need line {}.", ", ".join(map(str, lines))))
        return said if rows else phrase("No instruction reads anything of it.")

    def _needless(self) -> str:
        phrase = self._phrase
        rows = [
            (", ".join(map(str, each.lines)), each.path, str(each.files), size(each.size))
            for each in self._use.needless
        ]
        if not rows:
            return ""
        said = self._table(
            (phrase("LINE"), phrase("READ, AND HARDLY NEEDED"), phrase("FILES"), phrase("BYTES")), rows, self._most
        )
        return f"{said}\n" + self._dim(phrase("--write-ignore --litter hides these, too."))

    def _hidden(self) -> str:
        phrase = self._phrase
        rows = [
            (str(each.line) if each.line > 0 else "", each.written or "?", str(each.heap.files), size(each.heap.size))
            for each in self._use.hidden
        ]
        head = (phrase("LINE"), phrase("HIDDEN BY {}", self._use.ignore), phrase("FILES"), phrase("BYTES"))
        return self._table(head, rows, self._most) if rows else ""

    def _idle(self) -> str:
        phrase = self._phrase
        rows = [("", each.path, str(each.files), size(each.size)) for each in self._use.idle]
        head = ("", phrase("READ BY NOTHING"), phrase("FILES"), phrase("BYTES"))
        return self._table(head, rows, self._most) if rows else ""

    def _told(self) -> str:
        if not self._use.told:
            return ""
        lines = [self._phrase("Not looked at: {}", told) for told in self._use.told[: self._most]]
        return visible("\n".join(lines), "\n")

    def _table(self, head: Sequence[str], rows: Sequence[_Row], most: int) -> str:
        """The rows under their heading, the second column as wide as there is room, figures to the right."""
        shown = [tuple(map(visible, row)) for row in rows[:most]]
        wide = widths((head, *shown), self._columns, _LEAST)
        lines = [f"{_BOLD}{line(head, wide)}{_RESET}" if self._colour else line(head, wide)]
        lines += [line(row, wide) for row in shown]
        if len(rows) > most:
            lines.append(self._dim(self._phrase("and {} more: --all shows them", len(rows) - most)))
        return "\n".join(lines)

    def _amount(self, heap: Heap) -> str:
        phrase = self._phrase
        if heap.files == 1:
            return phrase("{} in 1 file", size(heap.size))
        return phrase("{} in {} files", size(heap.size), heap.files)

    def _dim(self, text: str) -> str:
        return f"{_DIM}{text}{_RESET}" if self._colour else text
