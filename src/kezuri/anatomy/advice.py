"""What of an image could go, and how: the largest first, each with the layer to change and the rule that mends it."""

from typing import Literal, NamedTuple

from kezuri.anatomy.values import Anatomy, Fate, Heap, Leftover, Waste

AdviceKind = Literal["removed", "replaced", "rewritten", "superseded", "leftover", "duplicate"]

_LEAST = 4096
"""Fewer bytes are not worth a line."""
_RULES: dict[Fate, str] = {"removed": "RemovalHidesBytes", "rewritten": "FilesStoredTwice"}
_HINTS: dict[str, str] = {
    "removed": "remove them in the RUN that makes them, or copy what is wanted into a fresh stage",
    "replaced": "write them once: in the step that writes them last, or in a stage that is not shipped",
    "rewritten": "set owner and mode as the files come in: COPY --chown= and --chmod=, or in the RUN that makes them",
    "superseded": "the layer's tar has them more than once: build the layer anew",
    "leftover": "leave them out where they come in, or remove them in the same step",
    "duplicate": "keep one of them, and make the others links to it",
}
_OF_BASE = "they came with the base: a smaller one does not have them"


class Advice(NamedTuple):
    """Bytes that could go. `layer` is where they lie, `by` the layer whose instruction is to be changed: the one that
    hides them, or that brought them (-1 where it is several). `what` is the kind of leftovers. `rule` is the check that
    finds it in a Dockerfile, empty where none does. `of_base` says that only another base can mend it."""

    kind: AdviceKind
    size: int
    files: int
    layer: int
    by: int
    hint: str
    rule: str = ""
    what: str = ""
    of_base: bool = False
    largest: tuple[tuple[int, str], ...] = ()


def advise(image: Anatomy) -> tuple[Advice, ...]:
    """All there is to say: what its own instructions can mend, the largest first, then what came with the base."""
    found = [_of_waste(image, waste) for waste in image.waste if waste.heap.size >= _LEAST]
    found += [_of_leftover(image, leftover) for leftover in image.leftovers if leftover.heap.size >= _LEAST]
    regained = sum(duplicate.regained for duplicate in image.duplicates)
    if regained >= _LEAST:
        copies = sum(duplicate.copies - 1 for duplicate in image.duplicates)
        largest = tuple((each.size, path) for each in image.duplicates[:1] for path in each.paths)
        found.append(Advice("duplicate", regained, copies, -1, -1, _HINTS["duplicate"], largest=largest))
    return tuple(sorted(found, key=lambda each: (each.of_base, -each.size, each.kind, each.layer, each.by)))


def _of_waste(image: Anatomy, waste: Waste) -> Advice:
    lies, hides = image.layers[waste.layer].maker.of_base, image.layers[waste.by].maker.of_base
    # What is written a second time can be written once; what a base has and somebody hides was there before.
    of_base = hides if waste.fate == "rewritten" else lies
    heap: Heap = waste.heap
    return Advice(
        waste.fate if waste.fate != "shown" else "replaced",
        heap.size,
        heap.files,
        waste.layer,
        waste.by,
        _OF_BASE if of_base else _HINTS[waste.fate],
        "" if of_base else _RULES.get(waste.fate, ""),
        "",
        of_base,
        heap.largest,
    )


def _of_leftover(image: Anatomy, leftover: Leftover) -> Advice:
    of_base = image.layers[leftover.layer].maker.of_base
    return Advice(
        "leftover",
        leftover.heap.size,
        leftover.heap.files,
        leftover.layer,
        leftover.layer,
        _OF_BASE if of_base else _HINTS["leftover"],
        leftover.rule,
        leftover.kind,
        of_base,
        leftover.heap.largest,
    )
