"""The forms in which findings can be written, by the names that a user gives them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kezuri.check.told import Sheet

FORMATS = ("text", "json", "tty", "sarif", "github", "gitlab", "junit", "checkstyle", "gnu", "markdown")


def data(format: str, sheets: "Sequence[Sheet]") -> Any:
    """The findings as values that become JSON; None for a form that is none."""
    if format == "json":
        from kezuri.report.json_forms import listed

        return listed(sheets)
    if format == "gitlab":
        from kezuri.report.json_forms import gitlab

        return gitlab(sheets)
    if format == "sarif":
        from kezuri.report.sarif import document

        return document(sheets)
    return None


def written(format: str, sheets: "Sequence[Sheet]") -> str:
    """The findings in a form that is not JSON and not for people; empty where there is nothing to say."""
    if format in ("tty", "gnu", "github"):
        from kezuri.report import lines

        return {"tty": lines.tty, "gnu": lines.gnu, "github": lines.github}[format](sheets)
    if format in ("junit", "checkstyle"):
        from kezuri.report import xml_forms

        return {"junit": xml_forms.junit, "checkstyle": xml_forms.checkstyle}[format](sheets)
    from kezuri.report.markdown import markdown

    return markdown(sheets)
