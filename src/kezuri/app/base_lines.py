"""Where a base image's layers come from in the Dockerfile: the FROM of the stage that the lowest own layer is of."""

import os
from collections.abc import Sequence

from kezuri.sbom.values import BillLayer

_LARGEST = 1 << 20


def with_base_lines(layers: Sequence[BillLayer]) -> tuple[BillLayer, ...]:
    """The layers, those of the base with the Dockerfile and the line of its FROM. They stay as they are where no layer
    is known to come from a Dockerfile, or that is not there any more."""
    own = next((layer for layer in layers if layer.dockerfile and layer.line and not layer.of_base), None)
    if own is None or not any(layer.of_base and not layer.dockerfile for layer in layers):
        return tuple(layers)
    line = _from_above(own.dockerfile, own.line)
    if not line:
        return tuple(layers)
    return tuple(
        layer._replace(dockerfile=own.dockerfile, line=line) if layer.of_base and not layer.dockerfile else layer
        for layer in layers
    )


def _from_above(path: str, line: int) -> int:
    """The line of the last FROM above a line of a Dockerfile; 0 where there is none."""
    from kezuri.dockerfile.instructions import From
    from kezuri.dockerfile.parser import decode, parse

    try:
        if not os.path.isfile(path):  # opening a pipe waits for whoever writes into it
            return 0
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError):
        return 0
    if len(data) > _LARGEST:
        return 0
    dockerfile = parse(decode(data), path)
    froms = (each.node.span.start for each in dockerfile.instructions if isinstance(each, From))
    return max((at for at in (dockerfile.source.position(start)[0] for start in froms) if at < line), default=0)
