"""An image's anatomy as a section of the page."""

from collections.abc import Callable
from typing import Any

from kezuri.anatomy.advice import Advice, advise
from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.leftovers import KINDS
from kezuri.anatomy.values import Anatomy, Heap, LayerShare
from kezuri.check.image.blotting import blotted
from kezuri.diagnostics import visible
from kezuri.report.html_tree import MOST, tree
from kezuri.report.places import shown

_DUPLICATES = 200
_OWNERS = 2000


def anatomy_section(
    image: Dissection, anatomy: Anatomy, japanese: Callable[[str], str] = str, side: str = "", most: int = MOST
) -> dict[str, Any]:
    """The figures of an image and all of its files. `japanese` says a sentence of ours in Japanese; `side` which of two
    images it is (`Before`, `After`). KezuriError where a layer cannot be read."""
    entries = sum(layer.entries for layer in anatomy.layers)
    files = tree(image, entries, most)
    numbers = {owner: number for number, owner in reversed(list(enumerate(image.owners)))}
    return {
        "kind": "anatomy",
        "side": side,
        "name": visible(anatomy.name),
        "digest": anatomy.digest,
        "platform": anatomy.platform,
        "files": anatomy.files,
        "directories": anatomy.directories,
        "layers": [_layer(layer, japanese) for layer in anatomy.layers],
        "owners": [
            {"number": numbers[share.owner], "size": share.size, "wasted": share.wasted, "files": share.files}
            for share in anatomy.owners[:_OWNERS]
            if share.owner in numbers
        ],
        "waste": [
            {"fate": each.fate, "layer": each.layer, "by": each.by, **_heap(each.heap)} for each in anatomy.waste
        ],
        "leftover": sum(each.heap.size for each in anatomy.leftovers),
        "kinds": {name: _kind(name, japanese) for name in files["leftovers"] if name},
        "advice": [_advice(each, japanese) for each in advise(anatomy)],
        "regained": sum(each.regained for each in anatomy.duplicates),
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
        "told": [visible(text) for text in anatomy.told],
        "told_ja": [visible(japanese(text)) for text in anatomy.told],
        "tree": files,
    }


def _layer(layer: LayerShare, japanese: Callable[[str], str]) -> dict[str, Any]:
    maker = layer.maker
    return {
        "number": layer.number,
        "diff_id": layer.diff_id,
        "text": visible(blotted(maker.text)),
        "dockerfile": visible(shown(maker.dockerfile)) if maker.dockerfile else "",
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
        "unread": visible(layer.unread),
        "unread_ja": visible(japanese(layer.unread)) if layer.unread else "",
    }


def _kind(name: str, japanese: Callable[[str], str]) -> dict[str, str]:
    """A kind of leftovers: its words, and the line that mends it."""
    kind = KINDS.get(name)
    if kind is None:
        return {"words": visible(name), "mending": ""}
    return {"words": kind.words, "words_ja": japanese(kind.words), "mending": kind.mending}


def _advice(each: Advice, japanese: Callable[[str], str]) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "size": each.size,
        "files": each.files,
        "layer": each.layer,
        "by": each.by,
        "hint": each.hint,
        "hint_ja": japanese(each.hint),
        "rule": each.rule,
        "what": each.what,
        "of_base": each.of_base,
        "largest": [[size, visible(path)] for size, path in each.largest],
    }


def _heap(heap: Heap) -> dict[str, Any]:
    return {
        "files": heap.files,
        "size": heap.size,
        "largest": [[size, visible(path)] for size, path in heap.largest],
    }
