"""Findings in one line each: as hadolint prints them, as compilers do, and as GitHub reads them."""

from collections.abc import Iterable

from kezuri.check.told import Sheet, Told
from kezuri.diagnostics import visible
from kezuri.report.places import names, path, region

_COMMANDS = {"error": "error", "warning": "warning"}
_ORDER = {"error": 0, "warning": 1}


def tty(sheets: Iterable[Sheet]) -> str:
    """hadolint's: `Dockerfile:3 DL3007 warning: …`."""
    return "\n".join(
        f"{visible(told.source.name)}:{told.line} {told.code} {told.level}: {visible(told.message)}"
        for told in _all(sheets)
    )


def gnu(sheets: Iterable[Sheet]) -> str:
    """What editors jump by: `Dockerfile:3:1: warning: … [ImageLatest (DL3007)]`."""
    lines = []
    for told in _all(sheets):
        line, column, _, _ = region(told.source, told.span)
        lines.append(
            f"{visible(told.source.name)}:{line}:{column}: {told.level}: {visible(told.message)} [{names(told)}]"
        )
    return "\n".join(lines)


def github(sheets: Iterable[Sheet]) -> str:
    """Workflow commands, of which GitHub makes annotations. It shows ten errors and ten warnings of a step: the heavy
    ones come first."""
    lines = []
    for told in sorted(_all(sheets), key=lambda told: _ORDER.get(told.level, 2)):
        line, column, last, end = region(told.source, told.span)
        where = f"file={_property(path(told.source))},line={line},endLine={last}"
        if line == last:
            where += f",col={column},endColumn={end}"
        text = f"{told.message}\n{told.hint}" if told.hint else told.message
        command = _COMMANDS.get(told.level, "notice")
        lines.append(f"::{command} {where},title={_property(names(told))}::{_data(text)}")
    return "\n".join(lines)


def _all(sheets: Iterable[Sheet]) -> list[Told]:
    return [told for sheet in sheets for told in sheet.told]


def _data(text: str) -> str:
    text = visible(text, "\n")
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
