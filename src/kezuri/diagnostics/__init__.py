"""Where something is wrong, how to say it, how to mend it."""

from kezuri.diagnostics.diagnostic import Diagnostic, KezuriError, Severity
from kezuri.diagnostics.nearest import nearest
from kezuri.diagnostics.render import render
from kezuri.diagnostics.text import SourceText, Span

__all__ = ["Diagnostic", "KezuriError", "Severity", "SourceText", "Span", "nearest", "render"]
