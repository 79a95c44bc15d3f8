"""Progress as one JSON object per line, in the shape of BuildKit's SolveStatus (its `client/graph.go`)."""

import json
import threading
from typing import Any

from kezuri.cli.console import Console
from kezuri.cli.progress_display import Progress
from kezuri.progress import Event, StepCached, StepDone, StepFailed, StepOutput, StepStarted, StepStatus, Warned


class _Vertex:
    __slots__ = ("digest", "name", "started", "statuses")

    def __init__(self, digest: str, name: str, started: str) -> None:
        self.digest = digest
        self.name = name
        self.started = started
        self.statuses: dict[str, str] = {}


class RawProgress(Progress):
    """Writes every event at once, to standard error. A vertex is known by its digest: each step has one of its own."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._lock = threading.Lock()
        self._open: dict[int, _Vertex] = {}
        self._seen: set[str] = set()

    def show(self, event: Event) -> None:
        with self._lock:
            line = self._status(event)
            if line is not None:
                self.console.err.write(json.dumps(line, separators=(",", ":")) + "\n")
                self.console.err.flush()

    def _status(self, event: Event) -> dict[str, Any] | None:
        if isinstance(event, Warned):
            return {"warnings": [_warning(event)]}
        if isinstance(event, StepStarted):
            vertex = _Vertex(self._digest(event), str(event.name), _time(event.time))
            self._open[event.step] = vertex
            return {"vertexes": [{"digest": vertex.digest, "name": vertex.name, "started": vertex.started}]}
        known = self._open.get(event.step)
        if known is None:
            return None
        if isinstance(event, StepOutput):
            from base64 import b64encode

            data = b64encode(event.data).decode()
            log = {"vertex": known.digest, "stream": event.stream, "data": data, "timestamp": _time(event.time)}
            return {"logs": [log]}
        if isinstance(event, StepStatus):
            return {"statuses": [self._part(known, event)]}
        del self._open[event.step]
        end: dict[str, Any] = {
            "digest": known.digest,
            "name": known.name,
            "started": known.started,
            "completed": _time(event.time),
        }
        if isinstance(event, StepCached):
            end["cached"] = True
        elif isinstance(event, StepFailed):
            end["error"] = event.message
        else:
            assert isinstance(event, StepDone)
        return {"vertexes": [end]}

    def _part(self, vertex: _Vertex, event: StepStatus) -> dict[str, Any]:
        started = vertex.statuses.setdefault(event.what, _time(event.time))
        part: dict[str, Any] = {"id": event.what, "vertex": vertex.digest}
        if event.total:
            part["total"] = event.total
        part |= {"current": event.current, "timestamp": _time(event.time), "started": started}
        if event.done:
            part["completed"] = _time(event.time)
            del vertex.statuses[event.what]
        return part

    def _digest(self, event: StepStarted) -> str:
        """The step's key; where it has none, or another step had it, a digest of its number and name."""
        digest = event.digest
        if not digest.startswith("sha256:") or digest in self._seen:
            from hashlib import sha256

            text = f"{len(self._seen)} {event.step} {event.name}".encode("utf-8", "surrogateescape")
            digest = f"sha256:{sha256(text).hexdigest()}"
        self._seen.add(digest)
        return digest


def _time(seconds: float) -> str:
    """RFC 3339 in UTC with microseconds."""
    from time import gmtime, strftime

    micro = round(seconds * 1_000_000)
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(micro // 1_000_000)) + f".{micro % 1_000_000:06d}Z"


def _warning(event: Warned) -> dict[str, Any]:
    from base64 import b64encode

    def packed(text: str) -> str:
        return b64encode(text.encode("utf-8", "surrogateescape")).decode()

    diagnostic = event.diagnostic
    short = f"{diagnostic.code}: {diagnostic.message}" if diagnostic.code else diagnostic.message
    if diagnostic.code and diagnostic.line:
        short += f" (line {diagnostic.line})"
    out: dict[str, Any] = {"level": 1, "short": packed(short)}
    if diagnostic.hint:
        out["detail"] = [packed(diagnostic.hint)]
    if diagnostic.url:
        out["url"] = diagnostic.url
    if diagnostic.source is not None and diagnostic.span is not None:
        out["sourceInfo"] = {"filename": diagnostic.source.name}
        start = diagnostic.source.position(diagnostic.span.start)[0]
        end = diagnostic.source.position(max(diagnostic.span.start, diagnostic.span.end - 1))[0]
        out["range"] = [{"start": {"line": start}, "end": {"line": end}}]
    return out
