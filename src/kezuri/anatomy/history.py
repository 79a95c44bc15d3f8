"""An image's history as a text with places: each line an instruction, each layer a line."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import Place, SourceText, Span
from kezuri.oci.config import HistoryEntry

if TYPE_CHECKING:
    from kezuri.dockerfile.instructions import Node

_NOP = re.compile(r"^(?:/bin/sh -c|\|\d+ .*? /bin/sh -c) #\(nop\)\s*")
_SHELL = re.compile(r"^(?:RUN )?(?:\|\d+ .*? )?/bin/(?:ba)?sh (?:-e?o pipefail )?-(?:[eu]*c) ")
_WHITE = re.compile(r"\s+")
_LONGEST = 4096


class Line(NamedTuple):
    """One entry of the history: as Dockerfiles have it, with the number of its layer (-1: none), its place in the text
    of the history, the instruction of the Dockerfile, where the image was built from one that is known, and all that
    the image itself says, with the values of arguments."""

    text: str
    layer: int
    span: Span
    node: "Node | None" = None
    whole: str = ""

    @property
    def keyword(self) -> str:
        """The instruction's word, in capitals."""
        return self.text.partition(" ")[0].upper()


class History:
    """The history of an image with `layers` layers. `nodes` are the instructions of a Dockerfile that its last entries
    come from, in their order, None for one that stands nowhere.

    `source` is what findings point into where there is no Dockerfile. Secrets in it are blotted out by `blot`.
    """

    def __init__(
        self,
        name: str,
        entries: Sequence[HistoryEntry],
        layers: int,
        nodes: "Sequence[Node | None]" = (),
        blot: Callable[[str], str] | None = None,
    ) -> None:
        told = [_as_instruction(entry.created_by or entry.comment) for entry in entries]
        with_layers = [number for number, entry in enumerate(entries) if not entry.empty_layer]
        numbers: dict[int, int] = {}
        if len(with_layers) == layers:
            numbers = {line: layer for layer, line in enumerate(with_layers)}
        else:
            # Readers count entries against layers; a history that does not fit says nothing about any of them.
            told += [f"# layer {number + 1}" for number in range(layers)]
            numbers = {len(entries) + layer: layer for layer in range(layers)}
        first = len(entries) - len(nodes)
        lines: list[Line] = []
        at = 0
        for number, text in enumerate(told):
            shown = blot(text) if blot is not None else text
            node = nodes[number - first] if first >= 0 and first <= number < len(entries) else None
            whole = entries[number].created_by if number < len(entries) else ""
            lines.append(Line(text, numbers.get(number, -1), Span(at, at + len(shown)), node, whole))
            told[number] = shown
            at += len(shown) + 1
        self.lines = tuple(lines)
        self.source = SourceText(f"history of {name}", "\n".join(told) + ("\n" if told else ""))
        self.first = first if nodes else len(entries)
        """The number of the first entry that comes from the Dockerfile; as many as there are where none does."""
        self._layers = {line.layer: line for line in lines if line.layer >= 0}

    def of_layer(self, layer: int) -> Line | None:
        """The entry that made the layer."""
        return self._layers.get(layer)

    def last(self, *keywords: str) -> Line | None:
        """The last entry with one of these instructions: the one that counts."""
        return next((line for line in reversed(self.lines) if line.keyword in keywords), None)

    def place(self, line: Line) -> Place:
        """Where the entry stands in the history's text."""
        return Place(self.source, line.span)


def _as_instruction(created_by: str) -> str:
    """What a builder wrote into the history, as a Dockerfile has it, on one line."""
    text = _WHITE.sub(" ", created_by).strip().removesuffix("# buildkit").rstrip()
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    nop = _NOP.match(text)
    if nop is not None:
        return text[nop.end() :]
    shell = _SHELL.match(text)
    if shell is not None:
        return f"RUN {text[shell.end() :]}"
    return text or "# nothing is said"
