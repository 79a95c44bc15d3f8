"""The anatomy of an image as tables for people: layers, owners, what could go."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kezuri.anatomy.advice import Advice
from kezuri.anatomy.values import Anatomy, LayerShare, OwnerShare
from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.quantities import size
from kezuri.cli.screen_text import clip, one_line, width
from kezuri.diagnostics import visible

_BOLD, _DIM, _YELLOW, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[0m"
_MOST = 10
_MOST_OF_GROUP = 5
_WIDE = 100
"""Columns where the output is no terminal."""
_NARROWEST = 20


class Cell(NamedTuple):
    """A cell of a table; figures stand on the right, and what is to be noticed in colour."""

    text: str
    figure: bool = False
    notice: bool = False


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
        self.words = words
        self._colour = colour
        self._columns = columns or _WIDE

    def page(self, image: Anatomy, advice: Sequence[Advice], everything: bool = False) -> str:
        """The whole page; tables have their first ten rows only unless `everything` is wanted."""
        most = None if everything else _MOST
        blocks = [self._summary(image), self._layers(image, most), self._owners(image, most)]
        if advice:
            blocks.append(self._advice(image, advice, most))
        if image.duplicates:
            blocks.append(self._duplicates(image, most))
        if image.told:
            blocks.append([self.words(told) for told in image.told])
        return "\n\n".join("\n".join(lines) for lines in blocks)

    def _summary(self, image: Anatomy) -> list[str]:
        phrase = self.phrase
        head = visible(image.name)
        if image.digest:
            head += f" {image.digest[:19]}"
        lines = [f"{self._bold(head)} ({image.platform})"]
        travels = phrase("{} on the wire", size(image.blob)) if image.blob else ""
        count = phrase("1 layer") if len(image.layers) == 1 else phrase("{} layers", len(image.layers))
        lines.append(", ".join(filter(None, (phrase("{} unpacked", size(image.tar)), travels, count))))
        parts = phrase(
            "{} useful, {} wasted, {} tar headers and padding",
            size(image.useful),
            size(image.wasted),
            size(image.metadata),
        )
        lines.append(parts)
        lines.append(phrase("{} files, {} directories", f"{image.files:,}", f"{image.directories:,}"))
        return lines

    def _layers(self, image: Anatomy, most: int | None) -> list[str]:
        phrase = self.phrase
        figures = ("#", phrase("SIZE"), phrase("USEFUL"), phrase("WASTED"), phrase("ON THE WIRE"))
        head = (*(Cell(name, True) for name in figures), Cell(phrase("MADE BY")))
        order = sorted(image.layers, key=lambda layer: (-layer.tar, layer.number))
        rows = [
            (
                Cell(str(layer.number + 1), True),
                Cell(size(layer.tar), True),
                Cell(size(layer.useful), True),
                Cell(size(layer.wasted) if layer.wasted else "-", True, bool(layer.wasted)),
                Cell(size(layer.blob) if layer.blob else "-", True),
                Cell(self._maker(layer)),
            )
            for layer in order[:most]
        ]
        lines = self._table(head, rows)
        return lines + self._rest(len(order), most, sum(layer.tar for layer in order[most:]) if most else 0)

    def _owners(self, image: Anatomy, most: int | None) -> list[str]:
        phrase = self.phrase
        rows = []
        for kind, shares in _groups(image.owners):
            total, lost = sum(share.size for share in shares), sum(share.wasted for share in shares)
            rows.append(self._owner_row(self._group(kind, len(shares)), total, lost, sum(s.files for s in shares)))
            if not shares[0].owner.ecosystem:
                continue
            named, rest = (shares, []) if most is None else (shares[:_MOST_OF_GROUP], shares[_MOST_OF_GROUP:])
            rows += (self._owner_row(f"  {visible(str(s.owner))}", s.size, s.wasted, s.files) for s in named)
            if rest:
                total, lost = sum(share.size for share in rest), sum(share.wasted for share in rest)
                name = phrase("and {} more", f"{len(rest):,}")
                rows.append(self._owner_row(f"  {name}", total, lost, sum(share.files for share in rest)))
        head = [
            Cell(phrase("SIZE"), True),
            Cell(phrase("WASTED"), True),
            Cell(phrase("FILES"), True),
            Cell(phrase("OWNER")),
        ]
        return self._table(head, rows)

    def _owner_row(self, name: str, total: int, lost: int, files: int) -> tuple[Cell, ...]:
        wasted = Cell(size(lost) if lost else "-", True, bool(lost))
        return Cell(size(total), True), wasted, Cell(f"{files:,}", True), Cell(name)

    def _group(self, kind: str, count: int) -> str:
        named = {"the application": self.phrase("the application"), "no package": self.phrase("no package")}
        if kind in named:
            return named[kind]
        return self.phrase("{}: {} packages", kind, f"{count:,}") if count != 1 else self.phrase("{}: 1 package", kind)

    def _advice(self, image: Anatomy, advice: Sequence[Advice], most: int | None) -> list[str]:
        phrase = self.phrase
        lines = [self._bold(phrase("WHAT COULD GO"))]
        for each in advice[:most]:
            lines.append(f"{size(each.size):>8}  {self._what(image, each)}")
            files = [f"/{visible(path)}" for _, path in each.largest[:3]]
            if files:
                rest = each.files - len(files)
                said = ", ".join(files)
                said = phrase("{} and {} more", said, f"{rest:,}") if rest > 0 else said
                lines.append(f"{'':10}{clip(said, self._columns - 10)}")
            lines.append(f"{'':10}{self._dim(self.words(each.hint))}" + (f" ({each.rule})" if each.rule else ""))
        return lines + self._rest(len(advice), most, sum(each.size for each in advice[most:]) if most else 0)

    def _duplicates(self, image: Anatomy, most: int | None) -> list[str]:
        phrase = self.phrase
        shown = image.duplicates if most is None else image.duplicates[:_MOST_OF_GROUP]
        rows = [
            (
                Cell(size(each.regained), True),
                Cell(f"{each.copies:,}", True),
                Cell(", ".join(f"/{visible(path)}" for path in each.paths)),
            )
            for each in shown
        ]
        figures = (phrase("SPARED"), phrase("COPIES"))
        head = (*(Cell(name, True) for name in figures), Cell(phrase("THE SAME CONTENT AT SEVERAL PATHS")))
        rest = sum(each.regained for each in image.duplicates[len(shown) :])
        return self._table(head, rows) + self._rest(len(image.duplicates), None if most is None else len(shown), rest)

    def _what(self, image: Anatomy, each: Advice) -> str:
        phrase = self.phrase
        layer, by = each.layer + 1, each.by + 1
        if each.kind == "duplicate":
            return phrase("the same content at several paths, {} files too many", f"{each.files:,}")
        where = self._maker(image.layers[each.by])
        if each.kind == "leftover":
            return phrase("{} in layer {}: {}", self.words(each.what), layer, where)
        if each.kind == "removed":
            return phrase("of layer {}, removed by layer {}, which only hides it: {}", layer, by, where)
        if each.kind == "rewritten":
            return phrase("of layer {}, stored again by layer {} for another owner, mode or time: {}", layer, by, where)
        if each.kind == "superseded":
            return phrase("stored several times in layer {}: {}", layer, where)
        return phrase("of layer {}, replaced by layer {}: {}", layer, by, where)

    def _maker(self, layer: LayerShare) -> str:
        maker = layer.maker
        text = one_line(maker.text) or self.phrase("nothing is said")
        if maker.dockerfile:
            text = f"{visible(maker.dockerfile)}:{maker.line} {text}"
        if maker.of_base:
            base = visible(maker.base) if maker.base else self.phrase("the base")
            text = f"[{base}] {text}"
        return text

    def _rest(self, count: int, most: int | None, total: int) -> list[str]:
        if most is None or count <= most:
            return []
        return [self._dim(self.phrase("and {} more, {} (--all shows them)", f"{count - most:,}", size(total)))]

    def _table(self, head: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> list[str]:
        wide = [max(width(row[i].text) for row in (head, *rows)) for i in range(len(head) - 1)]
        room = max(_NARROWEST, self._columns - sum(wide) - 2 * len(wide))
        lines = []
        for number, row in enumerate((head, *rows)):
            cells = []
            for cell, most in zip(row[:-1], wide):
                gap = " " * (most - width(cell.text))
                text = f"{_YELLOW}{cell.text}{_RESET}" if cell.notice and self._colour else cell.text
                cells.append(gap + text if cell.figure else text + gap)
            line = "  ".join((*cells, clip(row[-1].text, room))).rstrip()
            lines.append(self._bold(line) if number == 0 else line)
        return lines

    def _bold(self, text: str) -> str:
        return f"{_BOLD}{text}{_RESET}" if self._colour else text

    def _dim(self, text: str) -> str:
        return f"{_DIM}{text}{_RESET}" if self._colour else text


def _groups(owners: Sequence[OwnerShare]) -> Iterator[tuple[str, list[OwnerShare]]]:
    """Packages by ecosystem, the largest group first; the application and nobody alone."""
    groups: dict[str, list[OwnerShare]] = {}
    for share in owners:
        groups.setdefault(share.owner.ecosystem or str(share.owner), []).append(share)
    yield from sorted(groups.items(), key=lambda each: -sum(share.size for share in each[1]))
