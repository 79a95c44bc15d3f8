"""Code actions: a finding mended, all of them mended, or a rule silenced where it speaks."""

from collections.abc import Callable, Iterator

from lsprotocol import types as lsp

from kezuri.app.editing import Desk
from kezuri.check.told import Told
from kezuri.cli import lsp_values as values
from kezuri.cli.console import Console
from kezuri.cli.lsp_documents import Checked, Document
from kezuri.diagnostics import Span

FIX_ALL = f"{lsp.CodeActionKind.SourceFixAll.value}.{values.NAME}"


class Actions:
    """Finds the actions of documents; `checked` says what there is to say about one."""

    def __init__(self, desk: Desk, console: Console, checked: Callable[[Document], Checked]) -> None:
        self._desk = desk
        self._console = console
        self._checked = checked

    def of(self, document: Document, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        """The actions for a range, of the kinds that are asked for."""
        found: list[lsp.CodeAction] = []
        if _wanted(params, lsp.CodeActionKind.QuickFix.value):
            start = values.offset_of(document, params.range.start)
            end = values.offset_of(document, params.range.end)
            here = [told for told in self._checked(document).sheet.told if _touches(document, told, start, end)]
            found += self._mending(document, here)
            found += self._silencing(document, here)
        if _wanted(params, FIX_ALL):
            title = self._console.words("Mend all that can be mended safely")
            found.append(lsp.CodeAction(title, FIX_ALL, data={"uri": document.uri, "version": document.version}))
        return found

    def resolved(self, document: Document | None, action: lsp.CodeAction) -> lsp.CodeAction:
        """The action with its edit: what takes longer is worked out when it is chosen."""
        data = action.data if isinstance(action.data, dict) else {}
        if document is not None and document.version == data.get("version"):
            action.edit = _edit(document, values.whole_edits(document, self._desk.mended(document.file)))
        return action

    def _mending(self, document: Document, here: list[Told]) -> Iterator[lsp.CodeAction]:
        """Fixes of class A that were proved for this text."""
        for told in here:
            fix = told.fix
            if fix is None or fix.kind != "A" or fix.files or any(not _own(document, e.source) for e in fix.edits):
                continue
            if self._desk.proved(document.file, fix):
                title = self._console.words(fix.title)
                yield lsp.CodeAction(
                    title[:1].upper() + title[1:],
                    lsp.CodeActionKind.QuickFix,
                    [values.told(document, told, self._console.words)],
                    is_preferred=True,
                    edit=_edit(document, values.text_edits(document, fix.edits)),
                )

    def _silencing(self, document: Document, here: list[Told]) -> Iterator[lsp.CodeAction]:
        """A comment above the instruction, for each rule."""
        seen: set[tuple[str, int]] = set()
        for told in here:
            span = next((i.node.span for i in document.parsed.instructions if i.node.span == told.whole), None)
            if span is None or told.level == "error":
                continue
            start = document.text.rfind("\n", 0, span.start) + 1
            indentation = document.text[start : span.start]
            if (told.rule.name, start) in seen or indentation.strip():
                continue
            seen.add((told.rule.name, start))
            newline = "\r\n" if "\r\n" in document.text else "\n"
            place = values.range_of(document, Span(start, start))
            edit = lsp.TextEdit(place, f"{indentation}# kezuri ignore={told.rule.name}{newline}")
            yield lsp.CodeAction(
                self._console.phrase("Ignore {} here", told.rule.name),
                lsp.CodeActionKind.QuickFix,
                [values.told(document, told, self._console.words)],
                edit=_edit(document, [edit]),
            )


def _wanted(params: lsp.CodeActionParams, kind: str) -> bool:
    only = params.context.only
    if only is None:
        return True
    names = [one.value if isinstance(one, lsp.CodeActionKind) else str(one) for one in only]
    return any(kind == name or kind.startswith(f"{name}.") or not name for name in names)


def _touches(document: Document, told: Told, start: int, end: int) -> bool:
    if told.source.text != document.text:
        return False
    span = told.span or Span(0, 0)
    return span.start <= end and start <= span.end


def _own(document: Document, source: object) -> bool:
    return source is None or getattr(source, "text", None) == document.text


def _edit(document: Document, edits: list[lsp.TextEdit]) -> lsp.WorkspaceEdit:
    return lsp.WorkspaceEdit({document.uri: edits})
