"""rawjson: one object a line, in the shape of BuildKit's SolveStatus."""

import base64
import io
import json
from typing import Any

from kezuri.cli.console import Console
from kezuri.cli.progress_raw import RawProgress
from kezuri.diagnostics import Diagnostic, SourceText, Span
from kezuri.progress import Event, StepCached, StepDone, StepFailed, StepOutput, StepStarted, StepStatus, Warned

A = "sha256:" + "a" * 64


def raw(*events: Event) -> list[dict[str, Any]]:
    err = io.StringIO()
    with RawProgress(Console(io.StringIO(), err, {})) as progress:
        for event in events:
            progress(event)
    return [json.loads(line) for line in err.getvalue().splitlines()]


def test_golden() -> None:
    assert raw(
        StepStarted(1, "[a 1/2] RUN x", 1700000000.25, A),
        StepOutput(1, 1700000000.5, 2, b"\xff\n"),
        StepStatus(1, 1700000000.5, "sha256:b", 1, 2),
        StepStatus(1, 1700000001.0, "sha256:b", 2, 2, True),
        StepDone(1, 1700000001.0, 0.75),
    ) == [
        {"vertexes": [{"digest": A, "name": "[a 1/2] RUN x", "started": "2023-11-14T22:13:20.250000Z"}]},
        {"logs": [{"vertex": A, "stream": 2, "data": "/wo=", "timestamp": "2023-11-14T22:13:20.500000Z"}]},
        {
            "statuses": [
                {
                    "id": "sha256:b",
                    "vertex": A,
                    "total": 2,
                    "current": 1,
                    "timestamp": "2023-11-14T22:13:20.500000Z",
                    "started": "2023-11-14T22:13:20.500000Z",
                }
            ]
        },
        {
            "statuses": [
                {
                    "id": "sha256:b",
                    "vertex": A,
                    "total": 2,
                    "current": 2,
                    "timestamp": "2023-11-14T22:13:21.000000Z",
                    "started": "2023-11-14T22:13:20.500000Z",
                    "completed": "2023-11-14T22:13:21.000000Z",
                }
            ]
        },
        {
            "vertexes": [
                {
                    "digest": A,
                    "name": "[a 1/2] RUN x",
                    "started": "2023-11-14T22:13:20.250000Z",
                    "completed": "2023-11-14T22:13:21.000000Z",
                }
            ]
        },
    ]


def test_ends() -> None:
    lines = raw(
        StepStarted(1, "a", 0.0), StepCached(1, 1.0), StepStarted(2, "b", 0.0), StepFailed(2, 1.0, 1.0, "exit code: 1")
    )
    assert lines[1]["vertexes"][0]["cached"] is True
    assert lines[3]["vertexes"][0]["error"] == "exit code: 1"
    assert "cached" not in lines[3]["vertexes"][0]


def test_each_step_has_a_digest_of_its_own() -> None:
    lines = raw(StepStarted(1, "a", 0.0, A), StepStarted(2, "b", 0.0, A), StepStarted(3, "c", 0.0), StepDone(2, 1, 1))
    digests = [line["vertexes"][0]["digest"] for line in lines]
    assert digests[0] == A and len(set(digests)) == 3 and digests[3] == digests[1]
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in digests)


def test_warnings() -> None:
    source = SourceText("Dockerfile", "FROM a\nRUN b\n")
    (line,) = raw(Warned(0.0, Diagnostic("warning", "odd", source, Span(7, 12), "mend it", "Rule")))
    (warning,) = line["warnings"]
    assert base64.b64decode(warning["short"]) == b"Rule: odd (line 2)"
    assert base64.b64decode(warning["detail"][0]) == b"mend it"
    assert warning["range"] == [{"start": {"line": 2}, "end": {"line": 2}}]
    assert warning["sourceInfo"] == {"filename": "Dockerfile"}
