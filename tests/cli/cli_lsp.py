"""An editor's side of the Language Server Protocol: a process of `kezuri lsp`, spoken to over its pipes."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which an answer is thought not to come: far more than any takes."""


class Editor:
    """One server, and what it has said. Use it in a `with`: whatever happens, no process stays."""

    def __init__(self, root: Path, **environ: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kezuri", "lsp", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONPATH": f"{PROJECT}/src",
                "KEZURI_ROOT": f"{root}",
                "LC_ALL": "C.UTF-8",
                **environ,
            },
        )
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.heard: list[dict[str, Any]] = []
        self._number = 0
        self._errors: list[bytes] = []
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Editor":
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while True:
            size = 0
            while line := stream.readline().strip():
                name, _, value = line.partition(b":")
                assert name in (b"Content-Length", b"Content-Type"), line
                if name == b"Content-Length":
                    size = int(value)
            body = stream.read(size) if size else b""
            if not body:
                self._messages.put(None)
                return
            self._messages.put(json.loads(body))

    def _read_errors(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        self._errors += stream

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def send(self, **message: Any) -> None:
        """One message."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.raw(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def tell(self, method: str, **params: Any) -> None:
        """A notification."""
        self.send(method=method, params=params)

    def begin(self, method: str, **params: Any) -> int:
        """Send a request; its number."""
        self._number += 1
        self.send(id=self._number, method=method, params=params)
        return self._number

    def answer(self, number: int) -> Any:
        """The whole response to a request."""
        return self._wait(lambda message: message.get("id") == number and "method" not in message)

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a request, which must not be an error."""
        response = self.answer(self.begin(method, **params))
        assert "error" not in response, response
        return response["result"]

    def _wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        for place, message in enumerate(self.heard):
            if wanted(message):
                return self.heard.pop(place)
        while True:
            message_or_end = self._messages.get(timeout=PATIENCE)
            assert message_or_end is not None, b"".join(self._errors).decode()
            if wanted(message_or_end):
                return message_or_end
            self.heard.append(message_or_end)

    def initialize(self, **params: Any) -> Any:
        """The handshake; what the server can do."""
        found = self.ask("initialize", **{"processId": None, "rootUri": None, "capabilities": {}, **params})
        self.tell("initialized")
        return found["capabilities"]

    def open(self, uri: str, text: str, version: int = 1, language: str = "dockerfile") -> list[dict[str, Any]]:
        """Open a document; its diagnostics."""
        document = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)
        return self.diagnostics(uri, version)

    def change(self, uri: str, text: str, version: int) -> None:
        """Another text."""
        document = {"uri": uri, "version": version}
        self.tell("textDocument/didChange", textDocument=document, contentChanges=[{"text": text}])

    def diagnostics(self, uri: str, version: int | None) -> list[dict[str, Any]]:
        """The next diagnostics of a version of a document."""

        def wanted(message: dict[str, Any]) -> bool:
            params = message.get("params", {})
            named = message.get("method") == "textDocument/publishDiagnostics" and params["uri"] == uri
            return named and (version is None or params.get("version") == version)

        found: list[dict[str, Any]] = self._wait(wanted)["params"]["diagnostics"]
        return found

    def at(self, method: str, uri: str, line: int, column: int) -> Any:
        """The answer to a question about a position."""
        return self.ask(method, textDocument={"uri": uri}, position={"line": line, "character": column})

    def actions(self, uri: str, lines: tuple[int, int], only: list[str] | None = None) -> Any:
        """The code actions for whole lines."""
        start, end = ({"line": line, "character": 0} for line in lines)
        context: dict[str, Any] = {"diagnostics": []}
        if only is not None:
            context["only"] = only
        return self.ask(
            "textDocument/codeAction", textDocument={"uri": uri}, range={"start": start, "end": end}, context=context
        )

    def leave(self) -> int:
        """Say goodbye as the protocol wants it; the server's exit code."""
        assert self.ask("shutdown") is None
        self.tell("exit")
        return self.ended()

    def ended(self) -> int:
        """The server's exit code, once it has ended."""
        return self._process.wait(PATIENCE)

    def hang_up(self) -> None:
        """Close the pipe without a word."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    @property
    def errors(self) -> str:
        """What the ended server has written to standard error."""
        self._threads[1].join(PATIENCE)
        return b"".join(self._errors).decode()


def applied(text: str, edits: list[dict[str, Any]]) -> str:
    """The text after an editor's edits, counted in UTF-16 units as the protocol has it."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len((line + "\n").encode("utf-16-le")) // 2)
    units = text.encode("utf-16-le")

    def offset(position: dict[str, int]) -> int:
        return min(starts[position["line"]] + position["character"], len(units) // 2) * 2

    for edit in sorted(edits, key=lambda e: offset(e["range"]["start"]), reverse=True):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        units = units[:start] + edit["newText"].encode("utf-16-le") + units[end:]
    return units.decode("utf-16-le")
