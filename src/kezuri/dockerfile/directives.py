"""Parser directives: the `# name=value` lines at the very top of a file."""

import json
import re
from typing import Literal, NamedTuple, cast

from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Directive
from kezuri.dockerfile.lines import SPACE, Lines
from kezuri.dockerfile.statement import Report

Name = Literal["syntax", "escape", "check"]
NAMES = ("syntax", "escape", "check")

_BLANKS = " \t\n\f\r"  # the blanks of a Go regular expression
_NAME = re.compile(rf"([a-zA-Z][a-zA-Z0-9]*)[{_BLANKS}]*=")


class _Found(NamedTuple):
    name: str
    value: str
    span: Span


def read_directives(lines: Lines, report: Report) -> tuple[tuple[Directive, ...], str]:
    """The directives and the escape character; `lines` is left at the first line that is none.

    The first blank line, ordinary comment, unknown name or instruction ends them. Like BuildKit, this reads twice: once
    for `escape`, where blanks before the `#` do not matter; once for `syntax` and `check`, which must start their line,
    may stand behind a first line `#!…`, and whose values end at their first space. `syntax` may also be written
    `// syntax=…` or as a JSON object.
    """
    start = lines.position
    escape, found = "\\", list[Directive]()
    seen: set[str] = set()
    while True:
        before = lines.position
        line = lines.next()
        body = "" if line is None else lines.text[line.start : line.end].lstrip(SPACE)
        directive = None if line is None else _directive(body, "#", line.end - len(body))
        if directive is None:
            lines.position = before
            break
        if directive.name in seen:
            message = f"only one {directive.name} parser directive can be used"
            report.error(message, directive.span, "remove one of them")
        elif directive.name == "escape":
            if directive.value in ("\\", "`"):
                escape = directive.value
                found.append(Directive("escape", directive.value, directive.span))
            else:
                message = f"invalid escape token '{directive.value}' does not match ` or \\"
                report.error(message, directive.span, "write # escape=` or # escape=\\")
        seen.add(directive.name)
    found += _frontend(lines.text, start)
    return tuple(sorted(found, key=lambda directive: directive.span)), escape


def _directive(text: str, mark: str, at: int) -> _Found | None:
    """What a line says, if it is a directive; `at` is where it starts in the source."""
    if not text.startswith(mark):
        return None
    body = text[len(mark) :].lstrip(SPACE)
    match = _NAME.match(body)
    if match is None or match.group(1).lower() not in NAMES:
        return None
    rest = body[match.end() :]
    # a value of nothing but blanks is the last of them
    value = rest.strip(_BLANKS) or rest[-1:]
    return _Found(match.group(1).lower(), value, Span(at, at + len(text))) if value else None


def _frontend(text: str, start: int) -> list[Directive]:
    """`syntax` and `check` in the other forms in which frontends accept them."""
    if text.startswith("#!", start):
        newline = text.find("\n", start)
        start = len(text) if newline < 0 else newline + 1
    found = _leading(text, start, "#")
    if any(directive.name == "syntax" for directive in found):
        return found
    foreign = [directive for directive in _leading(text, start, "//") if directive.name == "syntax"]
    if not foreign and text.startswith("{", start):
        try:
            value = json.loads(text[start:])
        except (ValueError, RecursionError):
            return found
        syntax = value.get("syntax")
        if isinstance(syntax, str):
            foreign = [Directive("syntax", syntax, Span(start, start + 1))]
    return found + foreign


def _leading(text: str, start: int, mark: str) -> list[Directive]:
    found: dict[str, Directive] = {}
    while start < len(text):
        newline = text.find("\n", start)
        end = len(text) if newline < 0 else newline
        directive = _directive(text[start:end].removesuffix("\r"), mark, start)
        if directive is None or directive.name in found:
            break
        name = cast(Name, directive.name)
        found[name] = Directive(name, directive.value.partition(" ")[0], directive.span)
        start = end + 1
    return [directive for directive in found.values() if directive.name != "escape"]
