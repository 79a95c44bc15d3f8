"""A bill as a table for people."""

from collections import Counter

from kezuri.cli.phrase import Phrase
from kezuri.cli.screen_text import clip, width
from kezuri.diagnostics import visible
from kezuri.sbom.values import Bill, BillLayer, Component

_BOLD, _RESET = "\x1b[1m", "\x1b[0m"
_WIDE, _NARROWEST = 120, 20
_MOST = (10, 44, 32, 36)
"""So many columns a cell may have, so that one long name does not push all others aside."""


def page(bill: Bill, phrase: Phrase, colour: bool = False, columns: int = 0) -> str:
    """The whole page: what it is, how much of what it has, and each package with what brought it. `columns` is 0 where
    there is no terminal."""
    head = visible(bill.name) + (f" {bill.digest[:19]}" if bill.digest else "")
    about = [visible(text) for text in (bill.platform, bill.distribution.title or bill.distribution.id) if text]
    lines = [_styled(head, _BOLD, colour) + (f" ({', '.join(about)})" if about else "")]
    lines.append(_counts(bill, phrase))
    if bill.components:
        lines += ["", *_table(bill, phrase, colour, columns or _WIDE)]
    return "\n".join(lines)


def _counts(bill: Bill, phrase: Phrase) -> str:
    counts = Counter(each.package.ecosystem for each in bill.components)
    said = ", ".join(f"{count:,} {ecosystem}" for ecosystem, count in sorted(counts.items()))
    if not said:
        return phrase("no packages were found")
    foreign = sum(each.foreign for each in bill.components)
    text = phrase("{} packages: {}", f"{len(bill.components):,}", said)
    return f"{text}; {phrase('{} not from the distribution itself', f'{foreign:,}')}" if foreign else text


def _table(bill: Bill, phrase: Phrase, colour: bool, columns: int) -> list[str]:
    rows = [[phrase("TYPE"), phrase("NAME"), phrase("VERSION"), phrase("LICENCE"), phrase("LAYER")]]
    for each in bill.components:
        package = each.package
        said = (package.ecosystem, package.full_name, package.version or "-", package.licence or "-")
        rows.append([*(clip(visible(text), most) for text, most in zip(said, _MOST)), _made(bill, each, phrase)])
    wide = [max(width(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    room = max(_NARROWEST, columns - sum(wide) - 2 * len(wide))
    lines = []
    for number, row in enumerate(rows):
        cells = [cell + " " * (most - width(cell)) for cell, most in zip(row, wide)]
        line = "  ".join((*cells, clip(row[-1], room))).rstrip()
        lines.append(line if number else _styled(line, _BOLD, colour))
    return lines


def _made(bill: Bill, component: Component, phrase: Phrase) -> str:
    """The layer, and what made it."""
    said = f"{component.layer + 1}" if component.layer >= 0 else "-"
    if 0 <= component.layer < len(bill.layers):
        said = f"{said} {_where(bill.layers[component.layer], phrase)}".rstrip()
    return f"{said}, {phrase('not from the distribution itself')}" if component.foreign else said


def _where(layer: BillLayer, phrase: Phrase) -> str:
    if layer.line:
        return visible(f"{layer.dockerfile.rpartition('/')[2] or 'Dockerfile'}:{layer.line}")
    return phrase("of the base") if layer.of_base else visible(layer.text)


def _styled(text: str, style: str, colour: bool) -> str:
    return f"{style}{text}{_RESET}" if colour else text
