"""Parser directives: the `# name=value` lines at the very top of a file (section 1.1)."""

import json
import re
from typing import Literal, cast

from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Directive
from kezuri.dockerfile.lines import SPACE, Lines
from kezuri.dockerfile.statement import Report

Name = Literal["syntax", "escape", "check"]
NAMES = ("syntax", "escape", "check")

_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[ \t\f\r]*=[ \t\f\r]*(.+)\Z")


def read_directives(lines: Lines, report: Report) -> tuple[tuple[Directive, ...], str]:
    """The directives and the escape character; `lines` is left at the first line that is none.

    The first blank line, ordinary comment, unknown name or instruction ends them. Behind a first line `#!…` only
    `syntax` and `check` are seen, and `syntax` may also be written `// syntax=…` or as a JSON object. The values of
    `syntax` and `check` end at their first space.
    """
    start = lines.position
    if lines.text.startswith("#!", start):
        lines.next()
        found = [d for d in _read(lines, "#", Report(report.source)) if d.name != "escape"]
        lines.position = start
    else:
        found = _read(lines, "#", report)
    if all(directive.name != "syntax" for directive in found):
        found += _foreign_syntax(lines, start, Report(report.source))
    escape = next((directive.value for directive in found if directive.name == "escape"), "\\")
    if escape not in ("\\", "`"):
        span = next(directive.span for directive in found if directive.name == "escape")
        report.error(f"invalid escape token '{escape}' does not match ` or \\", span, "write # escape=` or # escape=\\")
        found = [directive for directive in found if directive.name != "escape"]
        escape = "\\"
    return tuple(found), escape


def _read(lines: Lines, mark: str, report: Report) -> list[Directive]:
    found: list[Directive] = []
    seen: set[str] = set()
    while True:
        before = lines.position
        line = lines.next()
        if line is None:
            return found
        body = lines.text[line.start : line.end].lstrip(SPACE)
        match = _DIRECTIVE.match(body[len(mark) :].lstrip(SPACE).rstrip(" \t\f\r")) if body.startswith(mark) else None
        name = match.group(1).lower() if match is not None else ""
        if match is None or name not in NAMES:
            lines.position = before
            return found
        span = Span(line.end - len(body), line.end)
        if name in seen:
            report.error(f"only one {name} parser directive can be used", span, "remove one of them")
            continue
        seen.add(name)
        value = match.group(2)
        if name != "escape":
            value = value.partition(" ")[0]
        found.append(Directive(cast(Name, name), value, span))


def _foreign_syntax(lines: Lines, start: int, silent: Report) -> list[Directive]:
    text, before = lines.text, lines.position
    if text.startswith("#!", start):
        newline = text.find("\n", start)
        start = len(text) if newline < 0 else newline + 1
    try:
        if text.startswith("//", start):
            lines.position = start
            return [d for d in _read(lines, "//", silent) if d.name == "syntax"]
        if text.startswith("{", start):
            try:
                value = json.loads(text[start:])
            except (ValueError, RecursionError):
                return []
            syntax = value.get("syntax")
            return [Directive("syntax", syntax, Span(start, start + 1))] if isinstance(syntax, str) else []
        return []
    finally:
        lines.position = before
