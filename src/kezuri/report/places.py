"""Where findings are, as other programs want to be told: paths below the current directory, fingerprints that last."""

import os
from collections.abc import Iterable
from hashlib import sha256

from kezuri.check.told import Sheet, Told
from kezuri.diagnostics import SourceText, Span


def path(source: SourceText) -> str:
    """The path of a file, from the current directory where it is below that, with `/`."""
    return shown(source.name)


def shown(name: str) -> str:
    """A path from the current directory on where it is below that, with `/`."""
    if not os.path.isabs(name):
        return os.path.normpath(name).replace(os.sep, "/") if name != "-" else name
    try:
        below = os.path.relpath(name)
    except (OSError, ValueError):
        return name
    return name if below.startswith("..") else below.replace(os.sep, "/")


def region(source: SourceText, span: Span | None) -> tuple[int, int, int, int]:
    """The first line and column and the last ones, from 1; the end is behind the last character, and always behind the
    beginning."""
    if span is None:
        return 1, 1, 1, 2
    line, column = source.position(span.start)
    last, end = source.position(max(span.start, span.end))
    return line, column, last, end + ((last, end) == (line, column))


def fingerprinted(sheets: Iterable[Sheet]) -> list[tuple[Told, str]]:
    """Every finding with a fingerprint: of the rule, the file, the text of the line and, of several that are alike, the
    number. It stays when lines are added elsewhere."""
    seen: dict[str, int] = {}
    found = []
    for sheet in sheets:
        for told in sheet.told:
            text = "" if told.whole is None else told.source.line(told.line).strip()
            key = "\0".join((told.rule.name, path(told.source), text))
            digest = sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
            seen[digest] = number = seen.get(digest, 0) + 1
            found.append((told, f"{digest}:{number}"))
    return found


def names(told: Told) -> str:
    """The rule's name and what other tools call it: `WorkdirRelativePath (DL3000, DS-0009)`."""
    return f"{told.rule.name} ({', '.join(told.aliases)})" if told.aliases else told.rule.name
