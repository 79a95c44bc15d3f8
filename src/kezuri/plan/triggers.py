"""ONBUILD triggers of a base, at the FROM that fires them."""

from collections.abc import Iterable, Iterator

from kezuri.diagnostics import KezuriError, Place
from kezuri.dockerfile.instructions import Copy, From, Instruction, Run
from kezuri.dockerfile.parser import parse_trigger


def fired(triggers: Iterable[str], start: From) -> Iterator[Instruction | KezuriError]:
    """Each trigger as an instruction, or what is wrong with it. A trigger has no place in this file: what goes wrong in
    it is shown at the FROM."""
    place = start.node.place
    for text in triggers:
        try:
            # It is read with the backslash as its escape character: this file may have another one than its own had.
            yield _moved(parse_trigger(text, place.source.name), place)
        except KezuriError as error:
            yield KezuriError.of(f"ONBUILD {text}: {error}", hint=error.diagnostics[0].hint).at(place)


def _moved(trigger: Instruction, place: Place) -> Instruction:
    source, span = place
    trigger = trigger._replace(node=trigger.node._replace(source=source, span=span))
    if isinstance(trigger, Copy):
        return trigger._replace(source_spans=tuple(span for _ in trigger.source_spans), from_span=span)
    if isinstance(trigger, Run):
        return trigger._replace(mounts=tuple(m._replace(span=span) for m in trigger.mounts))
    return trigger
