"""What `kezuri base` prints: the base, the table of those that could replace it, and what to do; also as Markdown."""

from collections.abc import Iterator, Sequence

from kezuri.alternatives.values import Advice, Row
from kezuri.cli.base_words import Words, advised, asked, cells, facts, headings
from kezuri.cli.figures import markdown_table
from kezuri.cli.phrase import Phrase
from kezuri.cli.screen_text import width

_GAP = "  "
_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_RIGHT = (1, 3)


def text(advice: Advice, phrase: Phrase, words: Words, now: float, colour: bool = False) -> str:
    """For people at a terminal."""
    lines = []
    known = list(facts(advice, phrase, words, now))
    widest = max(width(word) for word, _ in known)
    lines += [f"{word}:{' ' * (widest - width(word))}{_GAP}{said}" for word, said in known]
    lines.append("")
    lines += _table(advice, phrase, now, colour)
    for group in (list(advised(advice, phrase)), list(asked(advice, phrase, words))):
        if group:
            lines += ["", *group]
    return "\n".join(lines)


def markdown(advice: Advice, phrase: Phrase, words: Words, now: float) -> str:
    """For pull requests and articles."""
    known = [f"- {word}: {_safe(said)}" for word, said in facts(advice, phrase, words, now)]
    rows = [headings(phrase)]
    for title, group in _groups(advice, phrase):
        for row in group:
            *figures, note = cells(row, advice.base.row, phrase, now)
            rows.append((*figures, "; ".join(filter(None, (title, note)))))
    lines = [*known, "", *markdown_table(rows)]
    for sentences in (list(advised(advice, phrase)), list(asked(advice, phrase, words))):
        if sentences:
            lines += ["", *(f"- {_safe(line)}" for line in sentences)]
    return "\n".join(lines)


def _groups(advice: Advice, phrase: Phrase) -> Iterator[tuple[str, Sequence[Row]]]:
    newest = advice.base.newest
    yield "", (advice.base.row,)
    if newest is not None:
        yield phrase("Newer build of the same tag"), (newest,)
    for way, title in (
        ("same", phrase("Same line of versions")),
        ("newer", phrase("Newer lines")),
        ("distroless", phrase("Without a distribution's programs")),
    ):
        rows = [row for row in advice.rows if row.way == way and not row.absent]
        if rows:
            yield title, rows


def _table(advice: Advice, phrase: Phrase, now: float, colour: bool) -> Iterator[str]:
    groups = [
        (title, [cells(row, advice.base.row, phrase, now) for row in rows]) for title, rows in _groups(advice, phrase)
    ]
    heads = headings(phrase)
    every = [heads, *(row for _, rows in groups for row in rows)]
    wide = [max(width(row[column]) for row in every) for column in range(len(heads))]
    bold, reset = (_BOLD, _RESET) if colour else ("", "")
    yield f"{bold}{_line(heads, wide)}{reset}"
    for title, rows in groups:
        if title:
            yield ""
            yield f"{_DIM}{title}{_RESET}" if colour else title
        yield from (_line(row, wide) for row in rows)


def _line(row: Sequence[str], wide: Sequence[int]) -> str:
    out = []
    for column, cell in enumerate(row):
        gap = " " * (wide[column] - width(cell))
        out.append(gap + cell if column in _RIGHT else cell + gap)
    return _GAP.join(out).rstrip()


def _safe(said: str) -> str:
    return said.replace("|", "\\|").replace("<", "&lt;")
