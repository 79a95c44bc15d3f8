"""The anatomy of an image as values that become JSON; docs/analyze.schema.json describes them."""

from collections.abc import Sequence
from typing import Any

from kezuri.anatomy.advice import Advice
from kezuri.anatomy.thresholds import Verdict
from kezuri.anatomy.values import Anatomy, Heap, LayerShare, Owner, OwnerShare

VERSION = 1
"""Counted up when a field changes its meaning or goes; new ones may come without."""


def document(
    image: Anatomy, advice: Sequence[Advice], verdicts: Sequence[Verdict] = (), ignored: Sequence[str] = ()
) -> dict[str, Any]:
    """All figures. Layers are counted from 1, the lowest; where there is none stands null."""
    return {
        "version": VERSION,
        "image": image.name,
        "digest": image.digest or None,
        "platform": image.platform,
        "sizes": {
            "blob": image.blob,
            "tar": image.tar,
            "useful": image.useful,
            "wasted": image.wasted,
            "rewritten": sum(layer.rewritten for layer in image.layers),
            "metadata": image.metadata,
            "leftovers": sum(leftover.heap.size for leftover in image.leftovers),
            "duplicates": sum(duplicate.regained for duplicate in image.duplicates),
        },
        "files": image.files,
        "directories": image.directories,
        "layers": [_layer(layer) for layer in image.layers],
        "owners": [_share(share) for share in image.owners],
        "waste": [
            {"fate": waste.fate, "layer": waste.layer + 1, "by": waste.by + 1, **_heap(waste.heap)}
            for waste in image.waste
        ],
        "leftovers": [
            {
                "kind": leftover.kind,
                "layer": leftover.layer + 1,
                "rule": leftover.rule or None,
                **_heap(leftover.heap),
            }
            for leftover in image.leftovers
        ],
        "duplicates": [
            {
                "digest": duplicate.digest,
                "size": duplicate.size,
                "copies": duplicate.copies,
                "ofBase": duplicate.of_base,
                "regained": duplicate.regained,
                "paths": list(duplicate.paths),
            }
            for duplicate in image.duplicates
        ],
        "largest": _files(image.largest),
        "advice": [_advice(each) for each in advice],
        "rules": [_verdict(each) for each in verdicts],
        "ignored": list(ignored),
        "told": list(image.told),
    }


def _layer(layer: LayerShare) -> dict[str, Any]:
    maker = layer.maker
    return {
        "number": layer.number + 1,
        "diffId": layer.diff_id,
        "digest": layer.digest or None,
        "mediaType": layer.media_type or None,
        "blob": layer.blob,
        "tar": layer.tar,
        "useful": layer.useful,
        "wasted": layer.wasted,
        "rewritten": layer.rewritten,
        "metadata": layer.metadata,
        "files": layer.files,
        "entries": layer.entries,
        "instruction": maker.text or None,
        "dockerfile": maker.dockerfile or None,
        "line": maker.line or None,
        "ofBase": maker.of_base,
        "base": maker.base or None,
        "unread": layer.unread or None,
    }


def _share(share: OwnerShare) -> dict[str, Any]:
    return {
        **owner(share.owner),
        "size": share.size,
        "wasted": share.wasted,
        "files": share.files,
        "layers": [{"layer": layer + 1, "size": size} for layer, size in share.layers],
    }


def owner(owner: Owner) -> dict[str, Any]:
    """Whom files belong to; what an owner has not is null."""
    return {
        "kind": owner.kind,
        "ecosystem": owner.ecosystem or None,
        "name": owner.name or None,
        "version": owner.version or None,
    }


def _heap(heap: Heap) -> dict[str, Any]:
    return {"files": heap.files, "size": heap.size, "largest": _files(heap.largest)}


def _files(files: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    return [{"path": f"/{path}", "size": size} for size, path in files]


def _advice(advice: Advice) -> dict[str, Any]:
    return {
        "kind": advice.kind,
        "what": advice.what or None,
        "size": advice.size,
        "files": advice.files,
        "layer": advice.layer + 1 or None,
        "by": advice.by + 1 or None,
        "ofBase": advice.of_base,
        "rule": advice.rule or None,
        "hint": advice.hint,
        "mending": advice.mending or None,
        "largest": _files(advice.largest),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    off = verdict.state == "skip"
    return {
        "rule": verdict.rule,
        "state": verdict.state,
        "value": verdict.value,
        "limit": None if off else verdict.limit,
    }
