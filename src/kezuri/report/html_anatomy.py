"""An image's anatomy as a section of the page."""

from typing import Any

from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.values import Anatomy, Heap, LayerShare
from kezuri.check.image.secret import blotted
from kezuri.diagnostics import visible
from kezuri.report.html_tree import MOST, tree

_DUPLICATES = 200
_OWNERS = 2000


def anatomy_section(image: Dissection, anatomy: Anatomy, side: str = "", most: int = MOST) -> dict[str, Any]:
    """The figures of an image and all of its files. `side` says which of two images it is (`Before`, `After`).
    KezuriError where a layer cannot be read."""
    entries = sum(layer.entries for layer in anatomy.layers)
    files = tree(image, entries, most)
    numbers = {owner: number for number, owner in reversed(list(enumerate(image.owners)))}
    told = list(anatomy.told)
    return {
        "kind": "anatomy",
        "side": side,
        "name": visible(anatomy.name),
        "digest": anatomy.digest,
        "platform": anatomy.platform,
        "files": anatomy.files,
        "directories": anatomy.directories,
        "layers": [_layer(layer) for layer in anatomy.layers],
        "owners": [
            {"number": numbers[share.owner], "size": share.size, "wasted": share.wasted, "files": share.files}
            for share in anatomy.owners[:_OWNERS]
            if share.owner in numbers
        ],
        "waste": [
            {"fate": each.fate, "layer": each.layer, "by": each.by, **_heap(each.heap)} for each in anatomy.waste
        ],
        "leftovers": [
            {"kind": each.kind, "layer": each.layer, "rule": each.rule, **_heap(each.heap)}
            for each in anatomy.leftovers
        ],
        "duplicates": [
            {
                "digest": each.digest,
                "size": each.size,
                "copies": each.copies,
                "paths": [visible(path) for path in each.paths],
            }
            for each in anatomy.duplicates[:_DUPLICATES]
        ],
        "largest": [[size, visible(path)] for size, path in anatomy.largest],
        "told": [visible(text) for text in told],
        "tree": files,
    }


def _layer(layer: LayerShare) -> dict[str, Any]:
    maker = layer.maker
    return {
        "number": layer.number,
        "diff_id": layer.diff_id,
        "text": visible(blotted(maker.text)),
        "dockerfile": visible(maker.dockerfile),
        "line": maker.line,
        "of_base": maker.of_base,
        "base": visible(maker.base),
        "tar": layer.tar,
        "useful": layer.useful,
        "wasted": layer.wasted,
        "metadata": layer.metadata,
        "rewritten": layer.rewritten,
        "files": layer.files,
        "entries": layer.entries,
        "blob": layer.blob,
        "digest": layer.digest,
        "media_type": layer.media_type,
    }


def _heap(heap: Heap) -> dict[str, Any]:
    return {
        "files": heap.files,
        "size": heap.size,
        "largest": [[size, visible(path)] for size, path in heap.largest],
    }
