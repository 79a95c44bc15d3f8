"""Diagnostics as text, in the manner of a good compiler."""

from kezuri.diagnostics.diagnostic import Diagnostic

_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "info": "\x1b[1;36m"}
_BOLD, _BLUE, _RESET = "\x1b[1m", "\x1b[1;34m", "\x1b[0m"
_MOST_LINES = 12


def render(diagnostic: Diagnostic, colour: bool = False) -> str:
    """The diagnostic as several lines of text, with the source line and a marker under the span.

    No trailing newline. Control characters of the source are shown as they would be in Python.
    """

    def paint(style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if colour else text

    code = f"[{diagnostic.code}]" if diagnostic.code else ""
    head = paint(_COLOURS[diagnostic.severity], f"{diagnostic.severity}{code}")
    lines = [f"{head}: {paint(_BOLD, diagnostic.message)}" if colour else f"{head}: {diagnostic.message}"]
    source, span = diagnostic.source, diagnostic.span
    if source is not None and span is not None:
        first, column = source.position(span.start)
        last, end_column = source.position(max(span.start, span.end - 1))
        last = min(last, first + _MOST_LINES - 1)
        width = len(str(last))
        bar = paint(_BLUE, "|")
        lines.append(f"{' ' * width}{paint(_BLUE, '-->')} {source.name}:{first}:{column}")
        lines.append(f"{' ' * width} {bar}")
        for number in range(first, last + 1):
            text = source.line(number)
            lines.append(f"{paint(_BLUE, str(number).rjust(width))} {bar} {_printable(text)}")
        if first == last:
            text = source.line(first)
            before = _width(_printable(text[: column - 1]))
            marked = max(1, _width(_printable(text[column - 1 : end_column])))
            mark = paint(_COLOURS[diagnostic.severity], "^" * marked)
            lines.append(f"{' ' * width} {bar} {' ' * before}{mark}")
    elif source is not None:
        lines.append(f"  {paint(_BLUE, '-->')} {source.name}")
    if diagnostic.output:
        lines.append("  output:")
        lines += [f"  {paint(_BLUE, '|')} {line}" for line in diagnostic.output.rstrip("\n").split("\n")]
    if diagnostic.hint:
        for i, line in enumerate(diagnostic.hint.split("\n")):
            lines.append(f"  {paint(_BOLD, 'help')}: {line}" if i == 0 else f"        {line}")
    if diagnostic.url:
        lines.append(f"  {paint(_BOLD, 'see')}: {diagnostic.url}")
    return "\n".join(lines)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "    " if c == "\t" else repr(c)[1:-1] for c in text)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
