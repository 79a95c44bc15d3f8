"""What is done with a build context, as a document: docs/context.md has its fields."""

from typing import Any

from kezuri.anatomy.values import Heap
from kezuri.forecast.context_use import ContextUse


def document(use: ContextUse) -> dict[str, Any]:
    """The whole of it."""
    return {
        "context": use.root or None,
        "dockerfile": use.dockerfile,
        "ignoreFile": use.ignore or None,
        "whole": _heap(use.whole),
        "shown": _heap(use.shown),
        "read": _heap(use.read),
        "readings": [
            {
                "line": each.line,
                "stage": each.stage,
                "kind": each.kind,
                "instruction": each.title,
                "context": each.context or None,
                "target": each.wanted,
                **_heap(each.heap),
                "alone": each.alone,
            }
            for each in use.readings
        ],
        "hidden": [
            {"line": each.line if each.line > 0 else None, "pattern": each.written, **_heap(each.heap)}
            for each in use.hidden
        ],
        "idle": [{"path": each.path, "files": each.files, "bytes": each.size} for each in use.idle],
        "needless": [
            {"path": each.path, "files": each.files, "bytes": each.size, "lines": list(each.lines)}
            for each in use.needless
        ],
        "told": list(use.told),
    }


def _heap(heap: Heap) -> dict[str, Any]:
    largest = [{"path": path, "bytes": size} for size, path in heap.largest]
    return {"files": heap.files, "bytes": heap.size, "largest": largest}
