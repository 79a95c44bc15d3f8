"""The language server: what an editor asks and tells, answered from the open text. Standard output has nothing but
the protocol."""

import os
import sys
from collections.abc import Callable
from threading import Lock, Timer
from time import time
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from kezuri import __version__
from kezuri.app.editing import Desk
from kezuri.app.standard import standard_input
from kezuri.cli import lsp_values as values
from kezuri.cli.check_settings import settings_preferences
from kezuri.cli.console import Console
from kezuri.cli.invocation import Invocation
from kezuri.cli.lsp_actions import FIX_ALL, Actions
from kezuri.cli.lsp_documents import Checked, Document
from kezuri.diagnostics import KezuriError
from kezuri.editor.positions import Unit

PAUSE = 0.2
"""Seconds without typing after which a text is checked."""


def serve(invocation: Invocation) -> int:
    """Serve one editor; 0 when it took its leave as it should, else 1."""
    standard_input()  # which says so where there is none
    service = Service(invocation)
    if os.isatty(0):
        invocation.console.note("an editor starts this: it speaks the Language Server Protocol on standard input")
    # Whatever else is written to standard output must not get between the messages.
    out = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(os.dup(0), "rb") as read, os.fdopen(out, "wb") as write:
        service.server.start_io(read, write)
        service.close()
    if not service.left:
        invocation.console.note("the editor is gone")
    return 0 if service.left else 1


class Service:
    """The documents that are open, and the answers about them. Messages are handled on one thread; what takes longer
    is worked on by others, one at a time."""

    def __init__(self, invocation: Invocation) -> None:
        self._console = invocation.console
        environ = invocation.console.environ
        self.desk = Desk(lambda: invocation.settings, lambda: settings_preferences(invocation.parsed, environ), environ)
        self.documents: dict[str, Document] = {}
        self._timers: dict[str, Timer] = {}
        self.work = Lock()
        self.left = False
        self.server = LanguageServer(values.NAME, __version__, text_document_sync_kind=lsp.TextDocumentSyncKind.Full)
        self._register()

    def words(self, text: str) -> str:
        """A sentence in the editor's language."""
        return self._console.words(text)

    @property
    def console(self) -> Console:
        """The console whose language is the editor's."""
        return self._console

    def close(self) -> None:
        """Nothing is checked any more."""
        for timer in list(self._timers.values()):
            timer.cancel()
        self.documents.clear()

    # what the editor tells

    def _register(self) -> None:
        self._on(lsp.INITIALIZE, self._initialize)
        self._on(lsp.SHUTDOWN, self._shutdown)
        self._on(lsp.TEXT_DOCUMENT_DID_OPEN, self._opened)
        self._on(lsp.TEXT_DOCUMENT_DID_CHANGE, self._changed)
        self._on(lsp.TEXT_DOCUMENT_DID_SAVE, self._saved)
        self._on(lsp.TEXT_DOCUMENT_DID_CLOSE, self._closed)
        self._on(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, self._others_changed)
        self._on(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION, self._others_changed)
        triggers = lsp.CompletionOptions(trigger_characters=list("-=$#{/, "))
        self._on(lsp.TEXT_DOCUMENT_COMPLETION, self._complete, triggers)
        self._on(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL, self._symbols)
        self._on(lsp.TEXT_DOCUMENT_DEFINITION, self._definition)
        self._on(lsp.TEXT_DOCUMENT_HOVER, self._hover, slow=True)
        self._on(lsp.TEXT_DOCUMENT_FORMATTING, self._format, slow=True)
        kinds = lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix, FIX_ALL], resolve_provider=True)
        self._on(lsp.TEXT_DOCUMENT_CODE_ACTION, self._actions, kinds, slow=True)
        self._on(lsp.CODE_ACTION_RESOLVE, self._resolve, slow=True)

    def _on(self, method: str, answer: Callable[[Any], Any], options: Any = None, slow: bool = False) -> None:
        """Answer a message; what is `slow` is worked out on another thread, while nothing else is."""

        def at_once(params: Any) -> Any:
            return answer(params)

        def aside(params: Any) -> Any:
            with self.work:
                return answer(params)

        if slow:
            self.server.feature(method, options)(self.server.thread()(aside))
        else:
            self.server.feature(method, options)(at_once)

    def _initialize(self, params: lsp.InitializeParams) -> None:
        console = self._console
        if params.locale:
            spoken = {**console.environ, "LC_ALL": f"{params.locale.replace('-', '_')}.UTF-8", "LANGUAGE": ""}
            self._console = Console(console.out, console.err, spoken)

    def _shutdown(self, params: object) -> None:
        self.left = True
        self.close()

    def _opened(self, params: lsp.DidOpenTextDocumentParams) -> None:
        opened = params.text_document
        self._take(opened.uri, opened.version, opened.text, 0.0)

    def _changed(self, params: lsp.DidChangeTextDocumentParams) -> None:
        changed = params.text_document
        if params.content_changes:
            self._take(changed.uri, changed.version, params.content_changes[-1].text, PAUSE)

    def _saved(self, params: lsp.DidSaveTextDocumentParams) -> None:
        # What was saved may be what surrounds another one.
        self._others_changed(params)

    def _closed(self, params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        timer = self._timers.pop(uri, None)
        if timer is not None:
            timer.cancel()
        if self.documents.pop(uri, None) is not None:
            self.server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    def _others_changed(self, params: object) -> None:
        for uri in list(self.documents):
            self._check_soon(uri, 0.0)

    def _take(self, uri: str, version: int, text: str, pause: float) -> None:
        unit: Unit = "utf-16"
        said = self.server.server_capabilities.position_encoding
        if said in ("utf-8", "utf-32"):
            unit = "utf-8" if said == "utf-8" else "utf-32"
        path = to_fs_path(uri) or "" if uri.startswith("file:") else ""
        path = "" if "\0" in path else path
        self.documents[uri] = Document(uri, version, path, text, unit)
        self._check_soon(uri, pause)

    # checking

    def _check_soon(self, uri: str, pause: float) -> None:
        before = self._timers.pop(uri, None)
        if before is not None:
            before.cancel()
        timer = self._timers[uri] = Timer(pause, self._check, (uri,))
        timer.daemon = True
        timer.start()

    def _check(self, uri: str) -> None:
        document = self.documents.get(uri)
        if document is None:
            return
        try:
            with self.work:
                if self.documents.get(uri) is not document:
                    return
                document.checked = Checked(*self.desk.check(document.file))
            if self.documents.get(uri) is document:
                self._publish(document, document.checked)
        except Exception as error:
            self._report(error)

    def _publish(self, document: Document, checked: Checked) -> None:
        found = [values.wrong(document, d, self.words) for d in checked.wrong]
        found += [values.told(document, told, self.words) for told in checked.sheet.told]
        for defect in checked.sheet.defects:
            self.console.note(f"warning: {defect.diagnostic.message}")
        self.server.text_document_publish_diagnostics(
            lsp.PublishDiagnosticsParams(document.uri, found, document.version)
        )

    def checked(self, document: Document) -> Checked:
        """What there is to say about the document, worked out now if nobody has yet. The work is held."""
        if document.checked is None:
            document.checked = Checked(*self.desk.check(document.file))
        return document.checked

    def _report(self, error: Exception) -> None:
        if isinstance(error, KezuriError):
            for diagnostic in error.diagnostics:
                self.console.note(f"error: {diagnostic.message}")
            return
        from traceback import format_exception

        print("".join(format_exception(error)), file=sys.stderr)

    # what the editor asks

    def _dockerfile(self, params: Any) -> Document | None:
        """The document that is asked about, where it is an open Dockerfile."""
        document = self.documents.get(params.text_document.uri)
        return document if document is not None and document.file.dockerfile else None

    def _complete(self, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
        from kezuri.check.catalogue import every_rule
        from kezuri.editor.completion import complete

        document = self._dockerfile(params)
        if document is None:
            return []
        offset = values.offset_of(document, params.position)
        found = complete(
            document.parsed,
            offset,
            lambda directory: self.desk.names(document.file, directory),
            lambda: (rule.name for rule in every_rule()),
        )
        return [values.choice(document, choice, offset) for choice in found]

    def _symbols(self, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        from kezuri.editor.symbols import symbols

        document = self._dockerfile(params)
        return [] if document is None else [values.symbol(document, s) for s in symbols(document.parsed)]

    def _definition(self, params: lsp.DefinitionParams) -> lsp.Location | None:
        from kezuri.editor.definitions import definition

        document = self._dockerfile(params)
        if document is None:
            return None
        span = definition(document.parsed, values.offset_of(document, params.position))
        return None if span is None else lsp.Location(document.uri, values.range_of(document, span))

    def _hover(self, params: lsp.HoverParams) -> lsp.Hover | None:
        from kezuri.cli.lsp_weight import weight_text
        from kezuri.editor.definitions import instruction_at
        from kezuri.editor.pages import rule_at, rule_page

        document = self._dockerfile(params)
        if document is None:
            return None
        offset = values.offset_of(document, params.position)
        named = rule_at(document.text, offset)
        if named is not None:
            rule, span = named
            return _markdown(rule_page(rule, self._speaks_japanese, self.words), values.range_of(document, span))
        instruction = instruction_at(document.parsed, offset)
        if instruction is None:
            return None
        text = weight_text(self.desk.weigh(document.file, instruction), time(), self.console.phrase)
        return _markdown(text, values.range_of(document, instruction.node.keyword_span)) if text else None

    def _format(self, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
        from kezuri.app.formatting import styled_text

        document = self._dockerfile(params)
        if document is None:
            return None
        try:
            return values.whole_edits(document, styled_text(document.text, document.file.shown))
        except KezuriError:
            return None  # its errors are shown where they stand

    def _actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        document = self._dockerfile(params)
        return [] if document is None else self._desk_actions.of(document, params)

    def _resolve(self, action: lsp.CodeAction) -> lsp.CodeAction:
        data = action.data if isinstance(action.data, dict) else {}
        return self._desk_actions.resolved(self.documents.get(str(data.get("uri", ""))), action)

    @property
    def _desk_actions(self) -> Actions:
        return Actions(self.desk, self.console, self.checked)

    @property
    def _speaks_japanese(self) -> bool:
        environ = self.console.environ
        return any("ja" in environ.get(name, "")[:2] for name in ("LC_ALL", "LC_MESSAGES", "LANG"))


def _markdown(text: str, range: lsp.Range) -> lsp.Hover:
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text), range)
