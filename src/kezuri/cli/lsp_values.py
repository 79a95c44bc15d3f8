"""Values of ours as the Language Server Protocol has them."""

from collections.abc import Callable, Iterable

from lsprotocol import types as lsp

from kezuri.check.rule import Edit
from kezuri.check.told import Told
from kezuri.cli.lsp_documents import Document
from kezuri.diagnostics import Diagnostic, Span
from kezuri.editor.completion import Choice
from kezuri.editor.positions import Point
from kezuri.editor.symbols import Symbol

Words = Callable[[str], str]

NAME = "kezuri"
_SEVERITIES = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
    "info": lsp.DiagnosticSeverity.Information,
    "style": lsp.DiagnosticSeverity.Hint,
    "ignore": lsp.DiagnosticSeverity.Hint,
}
_SYMBOLS = {
    "stage": lsp.SymbolKind.Module,
    "variable": lsp.SymbolKind.Variable,
    "step": lsp.SymbolKind.Function,
    "setting": lsp.SymbolKind.Property,
}
_CHOICES = {
    "keyword": lsp.CompletionItemKind.Keyword,
    "flag": lsp.CompletionItemKind.Property,
    "value": lsp.CompletionItemKind.Value,
    "stage": lsp.CompletionItemKind.Module,
    "variable": lsp.CompletionItemKind.Variable,
    "rule": lsp.CompletionItemKind.Reference,
    "file": lsp.CompletionItemKind.File,
}


def position(point: Point) -> lsp.Position:
    """A point."""
    return lsp.Position(point.line, point.column)


def range_of(document: Document, span: Span) -> lsp.Range:
    """A span of the document's text."""
    start, end = document.positions.span(span)
    return lsp.Range(position(start), position(end))


def offset_of(document: Document, place: lsp.Position) -> int:
    """Where a position of the editor's stands in the text."""
    return document.positions.offset(Point(place.line, place.character))


def told(document: Document, found: Told, words: Words) -> lsp.Diagnostic:
    """A finding. One that stands elsewhere, or nowhere, is shown on the first line."""
    here = found.source.text == document.text
    span = found.span if here and found.span is not None else _first_line(document)
    message = words(found.message)
    if not here:
        message = f"{found.source.name}: {message}"
    if found.hint:
        message = f"{message}\n{words(found.hint)}"
    return lsp.Diagnostic(
        range_of(document, span),
        message,
        _SEVERITIES[found.level],
        found.rule.name,
        lsp.CodeDescription(found.rule.url) if found.rule.url else None,
        NAME,
    )


def wrong(document: Document, found: Diagnostic, words: Words) -> lsp.Diagnostic:
    """Something that is wrong with a file that says how to check."""
    place = ""
    if found.source is not None:
        line, column = found.source.position(found.span.start if found.span is not None else 0)
        place = f"{found.source.name}:{line}:{column}: "
    text = f"{place}{words(found.message)}" + (f"\n{words(found.hint)}" if found.hint else "")
    return lsp.Diagnostic(range_of(document, _first_line(document)), text, lsp.DiagnosticSeverity.Error, source=NAME)


def _first_line(document: Document) -> Span:
    end = document.text.find("\n")
    return Span(0, len(document.text) if end < 0 else end)


def text_edits(document: Document, edits: Iterable[Edit]) -> list[lsp.TextEdit]:
    """Edits of the document, with its line endings."""
    newline = "\r\n" if "\r\n" in document.text else "\n"
    return [
        lsp.TextEdit(range_of(document, edit.span), edit.text.replace("\r\n", "\n").replace("\n", newline))
        for edit in edits
    ]


def whole_edits(document: Document, after: str) -> list[lsp.TextEdit]:
    """The lines that have to change so that the document becomes another text: what stays is not touched, and the
    cursor in it neither."""
    from difflib import SequenceMatcher

    before = document.text.splitlines(keepends=True) if _plain(document.text) else [document.text]
    new = after.splitlines(keepends=True) if _plain(after) else [after]
    starts = [0]
    for line in before:
        starts.append(starts[-1] + len(line))
    return [
        lsp.TextEdit(range_of(document, Span(starts[a], starts[b])), "".join(new[c:d]))
        for tag, a, b, c, d in SequenceMatcher(None, before, new, autojunk=False).get_opcodes()
        if tag != "equal"
    ]


def _plain(text: str) -> bool:
    """Whether lines end in nothing but `\\n` and `\\r\\n`, and there are few enough of them to compare."""
    return text.count("\n") < 2000 and len(text.splitlines()) == text.count("\n") + (not text.endswith("\n"))


def symbol(document: Document, found: Symbol) -> lsp.DocumentSymbol:
    """A symbol with those in it."""
    return lsp.DocumentSymbol(
        found.name,
        _SYMBOLS[found.kind],
        range_of(document, found.span),
        range_of(document, found.name_span),
        found.detail or None,
        children=[symbol(document, inner) for inner in found.inner],
    )


def choice(document: Document, found: Choice, offset: int) -> lsp.CompletionItem:
    """Something that may stand at the cursor."""
    return lsp.CompletionItem(
        found.label,
        kind=_CHOICES[found.kind],
        detail=found.detail or None,
        filter_text=found.text.strip(),
        text_edit=lsp.TextEdit(range_of(document, Span(found.start, offset)), found.text),
    )
