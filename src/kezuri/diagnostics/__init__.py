"""Errors and warnings as values: what is wrong, where in which text, what to do about it; and how they are shown."""

from kezuri.diagnostics.diagnostic import Diagnostic, KezuriError, Severity, nearest
from kezuri.diagnostics.display import shown, unsteered, visible
from kezuri.diagnostics.text import Place, SourceText, Span

__all__ = [
    "Diagnostic",
    "KezuriError",
    "Place",
    "Severity",
    "SourceText",
    "Span",
    "nearest",
    "shown",
    "unsteered",
    "visible",
]
