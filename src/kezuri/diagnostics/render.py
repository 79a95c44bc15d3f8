"""Diagnostics as text, in the manner of a good compiler."""

from collections.abc import Callable, Sequence

from kezuri.diagnostics.diagnostic import Diagnostic
from kezuri.diagnostics.display import unsteered, visible

_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "info": "\x1b[1;36m", "style": "\x1b[1;34m"}
_BOLD, _BLUE, _RESET = "\x1b[1m", "\x1b[1;34m", "\x1b[0m"
_MOST_LINES = 12
_MOST_DIAGNOSTICS = 20
_MOST_TEXT = 4000
_LONGEST_LINE = 240
_LONGEST_MESSAGE = 2000


def render(diagnostic: Diagnostic, colour: bool = False, columns: int = 0, words: Callable[[str], str] = str) -> str:
    """The diagnostic as several lines of text, with the source line and a marker under the span.

    No trailing newline. What others wrote is made visible; a long line of the source is shown around the span. The last
    lines of what a program printed come first: what is wrong, and where, must not scroll away above them. `columns` is
    the width of the terminal, 0 for none. `words` says a sentence in the reader's language.
    """

    def paint(style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if colour else text

    lines = []
    if diagnostic.output:
        lines.append(f"{words('output')}:")
        lines += [f"  {paint(_BLUE, '|')} {unsteered(line)}" for line in diagnostic.output.rstrip("\n").split("\n")]
    code = f"[{diagnostic.code}]" if diagnostic.code else ""
    head = paint(_COLOURS[diagnostic.severity], f"{words(diagnostic.severity)}{code}")
    message = _middle_cut(visible(words(diagnostic.message)))
    lines.append(f"{head}: {paint(_BOLD, message)}")
    source, span = diagnostic.source, diagnostic.span
    if source is not None and span is not None:
        first, column = source.position(span.start)
        last, end_column = source.position(max(span.start, span.end - 1))
        last = min(last, first + _MOST_LINES - 1)
        width = len(str(last))
        bar = paint(_BLUE, "|")
        longest = min(_LONGEST_LINE, columns - width - 4) if columns > 40 else _LONGEST_LINE
        lines.append(f"{' ' * width}{paint(_BLUE, '-->')} {visible(source.name)}:{first}:{column}")
        lines.append(f"{' ' * width} {bar}")
        for number in range(first, last + 1):
            text, start, end = source.line(number), column - 1, end_column
            if first == last:
                text, start, end = _around(text, start, end, longest)
            elif len(text) > longest:
                text = text[:longest] + "…"
            lines.append(f"{paint(_BLUE, str(number).rjust(width))} {bar} {_printable(text)}")
        if first == last:
            before = _width(_printable(text[:start]))
            marked = max(1, _width(_printable(text[start:end])))
            mark = paint(_COLOURS[diagnostic.severity], "^" * marked)
            lines.append(f"{' ' * width} {bar} {' ' * before}{mark}")
    elif source is not None:
        lines.append(f"  {paint(_BLUE, '-->')} {visible(source.name)}")
    if diagnostic.hint:
        for i, line in enumerate(_middle_cut(visible(words(diagnostic.hint), "\n")).split("\n")):
            lines.append(f"  {paint(_BOLD, words('help'))}: {line}" if i == 0 else f"        {line}")
    if diagnostic.url:
        lines.append(f"  {paint(_BOLD, words('see'))}: {visible(diagnostic.url)}")
    return "\n".join(lines)


def render_all(
    diagnostics: Sequence[Diagnostic],
    colour: bool = False,
    gap: str = "\n",
    columns: int = 0,
    words: Callable[[str], str] = str,
) -> str:
    """Several diagnostics below each other; of very many (a Dockerfile that is no text) only the first."""
    pieces: list[str] = []
    for diagnostic in diagnostics:
        if len(pieces) == _MOST_DIAGNOSTICS or sum(map(len, pieces)) > _MOST_TEXT:
            pieces.append(words(f"(and {len(diagnostics) - len(pieces)} more)"))
            break
        pieces.append(render(diagnostic, colour, columns, words))
    return gap.join(pieces)


def _printable(text: str) -> str:
    return visible(text.replace("\t", "    "))


def _around(text: str, start: int, end: int, longest: int) -> tuple[str, int, int]:
    """A line and the part of it that is marked (0-based, half-open); of a long line only what surrounds the part, in
    about so many cells."""
    room = longest - (_width(text) - len(text)) if _width(text) <= longest * 2 else longest // 2
    if len(text) <= room:
        return text, start, end
    room = max(20, room - 2)
    first = max(0, min(start - room // 3, len(text) - room))
    last = first + room
    shift = first - (first > 0)
    cut = ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")
    return cut, start - shift, min(end, last) - shift


def _middle_cut(text: str) -> str:
    """A message or a hint that quotes a long text, with its beginning and its end."""
    if len(text) <= _LONGEST_MESSAGE:
        return text
    half = _LONGEST_MESSAGE // 2
    return f"{text[:half]}… ({len(text) - 2 * half} characters) …{text[-half:]}"


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
