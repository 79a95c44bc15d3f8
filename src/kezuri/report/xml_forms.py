"""Findings as XML: in the forms of JUnit and of Checkstyle."""

from collections.abc import Iterable

from kezuri.check.told import Sheet
from kezuri.diagnostics import visible
from kezuri.report.places import names, path, region

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_SEVERITIES = {"style": "info", "ignore": "info"}


def junit(sheets: Iterable[Sheet]) -> str:
    """A suite for each file, a failed case for each finding; of a file without findings, a case that passed."""
    sheets = list(sheets)
    count = sum(len(sheet.told) for sheet in sheets)
    cases = sum(max(1, len(sheet.told)) for sheet in sheets)
    lines = [HEAD, f'<testsuites name="kezuri check" tests="{cases}" failures="{count}" errors="0">']
    for sheet in sheets:
        name = quoted(path(sheet.source))
        tests, failures = max(1, len(sheet.told)), len(sheet.told)
        lines.append(f'  <testsuite name={name} tests="{tests}" failures="{failures}" errors="0">')
        if not sheet.told:
            lines.append(f'    <testcase name="kezuri check" classname={name}/>')
        for told in sheet.told:
            line, column, _, _ = region(told.source, told.span)
            where = f"{path(told.source)}:{line}:{column}"
            lines.append(f"    <testcase name={quoted(f'{names(told)} {where}')} classname={name}>")
            lines.append(f'      <failure type="{told.level}" message={quoted(told.message)}>')
            text = f"{where}: {told.level}: {told.message}" + (f"\n{told.hint}" if told.hint else "")
            lines.append(f"{escaped(text)}</failure>")
            lines.append("    </testcase>")
        lines.append("  </testsuite>")
    return "\n".join((*lines, "</testsuites>"))


def checkstyle(sheets: Iterable[Sheet]) -> str:
    """A file for each file, an error for each finding; `source` is what hadolint calls it."""
    lines = [HEAD, '<checkstyle version="4.3">']
    for sheet in sheets:
        lines.append(f"  <file name={quoted(path(sheet.source))}>")
        for told in sheet.told:
            line, column, _, _ = region(told.source, told.span)
            severity = _SEVERITIES.get(told.level, told.level)
            lines.append(
                f'    <error line="{line}" column="{column}" severity="{severity}" '
                f"message={quoted(told.message)} source={quoted(told.code)}/>"
            )
        lines.append("  </file>")
    return "\n".join((*lines, "</checkstyle>"))


def escaped(text: str) -> str:
    """A text as it stands between tags."""
    return visible(text, "\n").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def quoted(text: str) -> str:
    """A text as the value of an attribute, with its quotes."""
    return '"' + escaped(text).replace('"', "&quot;").replace("\n", "&#10;") + '"'
