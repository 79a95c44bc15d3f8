"""What of an image could go, and how: the largest first, each with the layer to change and the rule that mends it."""

import re
from typing import Literal, NamedTuple

from kezuri.anatomy.leftovers import KINDS
from kezuri.anatomy.values import Anatomy, Duplicate, Fate, Leftover, Waste

AdviceKind = Literal["removed", "replaced", "rewritten", "superseded", "leftover", "duplicate"]

_LEAST = 4096
"""Fewer bytes are not worth a line."""
_LONGEST = 400
"""Characters of an instruction that is proposed."""
_RULES: dict[Fate, str] = {"removed": "RemovalHidesBytes", "rewritten": "FilesStoredTwice"}
_REMOVED = "remove them in the RUN that makes them, or copy what is wanted into a fresh stage"
_REMOVED_COPY = "leave them out of the COPY: name less, or name them in the ignore file"
_REPLACED = "write them once: in the step that writes them last, or in a stage that is not shipped"
_REWRITTEN = "set owner and mode in the RUN that makes them"
_REWRITTEN_COPY = "set owner and mode as the files come in: COPY --chown= and --chmod="
_COPIED_TWICE = "two instructions bring them: leave them out of one"
_SUPERSEDED = "the layer's tar has them more than once: build the layer anew"
_LEFTOVER = "leave them out where they come in, or remove them in the same step"
_DUPLICATE = "keep one of them, and make the others links to it"
_OF_BASE = "they came with the base: a smaller one does not have them"

_WORDS = re.compile(r"(?:[\w./:@%+,~={}$*-]|\"[\w./: -]*\"|'[\w./: -]*')+")
_CHANGE = re.compile(r"RUN (chown|chmod)( -R)? ([\w.:-]+)( [\w./*-]+)+$")
_COPY = re.compile(r"(COPY|ADD) (?!file:|dir:|multi:)")


class Advice(NamedTuple):
    """Bytes that could go. `layer` is where they lie, `by` the layer whose instruction is to be changed: the one that
    hides them, or that brought them (-1 where it is several). `what` is the kind of leftovers. `rule` is the check that
    finds it in a Dockerfile, empty where none does, `mending` a line of a Dockerfile that is better, where one can be
    told. `of_base` says that only another base can mend it."""

    kind: AdviceKind
    size: int
    files: int
    layer: int
    by: int
    hint: str
    rule: str = ""
    what: str = ""
    mending: str = ""
    of_base: bool = False
    largest: tuple[tuple[int, str], ...] = ()


def advise(image: Anatomy) -> tuple[Advice, ...]:
    """All there is to say: what its own instructions can mend, the largest first, then content that is there twice, and
    then what came with the base."""
    found = [_of_waste(image, waste) for waste in image.waste if waste.heap.size >= _LEAST]
    found += [_of_leftover(image, leftover) for leftover in image.leftovers if leftover.heap.size >= _LEAST]
    found += [advice for of_base in (False, True) if (advice := _of_duplicates(image, of_base)).size >= _LEAST]
    return tuple(sorted(found, key=_rank))


def _rank(advice: Advice) -> tuple[bool, bool, int, str, int, int]:
    return advice.of_base, advice.kind == "duplicate", -advice.size, advice.kind, advice.layer, advice.by


def _of_waste(image: Anatomy, waste: Waste) -> Advice:
    lies, hides = image.layers[waste.layer].maker, image.layers[waste.by].maker
    # What is written a second time can be written once; what a base has and somebody hides was there before.
    of_base = hides.of_base if waste.fate == "rewritten" else lies.of_base
    copied, again = (maker.text.startswith(("COPY ", "ADD ")) for maker in (lies, hides))
    kind: AdviceKind = "replaced" if waste.fate == "shown" else waste.fate
    hint = {
        "removed": _REMOVED_COPY if copied else _REMOVED,
        "replaced": _REPLACED,
        "rewritten": _COPIED_TWICE if again else _REWRITTEN_COPY if copied else _REWRITTEN,
        "superseded": _SUPERSEDED,
    }[kind]
    mending = ""
    if not lies.of_base and waste.layer != waste.by:
        mending = _mended(kind, lies.text, hides.text)
    return Advice(
        kind,
        waste.heap.size,
        waste.heap.files,
        waste.layer,
        waste.by,
        _OF_BASE if of_base else hint,
        "" if of_base or (again and kind == "rewritten") else _RULES.get(waste.fate, ""),
        mending="" if of_base else mending,
        of_base=of_base,
        largest=waste.heap.largest,
    )


def _of_leftover(image: Anatomy, leftover: Leftover) -> Advice:
    of_base = image.layers[leftover.layer].maker.of_base
    kind = KINDS.get(leftover.kind)
    rule, mending = (leftover.rule, "") if kind is None else (leftover.rule or kind.rule, kind.mending)
    return Advice(
        "leftover",
        leftover.heap.size,
        leftover.heap.files,
        leftover.layer,
        leftover.layer,
        _OF_BASE if of_base else _LEFTOVER,
        "" if of_base else rule,
        leftover.kind,
        "" if of_base else mending,
        of_base,
        leftover.heap.largest,
    )


def _of_duplicates(image: Anatomy, of_base: bool) -> Advice:
    """What one copy alone would spare, of the base's own copies or of all that came later."""
    size = files = 0
    largest: Duplicate | None = None
    most = 0
    for each in image.duplicates:
        spared = each.regained_of_base if of_base else each.regained - each.regained_of_base
        size += spared
        files += spared // each.size if each.size else 0
        if spared > most:
            most, largest = spared, each
    shown = () if largest is None else tuple((largest.size, path) for path in largest.paths)
    hint = _OF_BASE if of_base else _DUPLICATE
    return Advice("duplicate", size, files, -1, -1, hint, of_base=of_base, largest=shown)


def _mended(kind: AdviceKind, lower: str, upper: str) -> str:
    """The lower of two instructions with what the upper one does, where that can be said surely: nothing is guessed of
    a RUN that does more than to remove, or to change owner or mode."""
    changed = _CHANGE.fullmatch(upper) if kind == "rewritten" else None
    copies = _COPY.match(lower)
    if changed is not None and copies is not None:
        flag = f"--{changed[1]}="
        if flag in lower or (changed[1] == "chmod" and not changed[3].isdecimal()):
            return ""
        target = lower.split(" ")[-1].rstrip("/") + "/"
        if not any(target.startswith(f"{path.rstrip('/')}/") for path in upper.split(" ") if path[0] == "/"):
            return ""  # it changes some of what is copied, or what it changes cannot be told
        return _short(f"{copies[1]} {flag}{changed[3]} {lower[copies.end() :]}")
    removes = kind == "removed" and upper.startswith("RUN rm ") and all(map(_WORDS.fullmatch, upper.split()))
    if lower.startswith("RUN ") and not lower.startswith(("RUN [", "RUN <<")) and (removes or changed is not None):
        return _short(f"{lower} && {upper.removeprefix('RUN ')}")
    return ""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST and "…" not in text else ""
