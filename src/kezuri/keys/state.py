"""States: what a stage's files are after an operation, by identity and as a stack of layers."""

from collections.abc import Callable
from typing import NamedTuple

from kezuri.oci.config import chain_id
from kezuri.plan.inputs import BaseImage, StageInput
from kezuri.plan.key import state_of


class State(NamedTuple):
    """`id` changes when the files may have changed; `layers` are layer ids, lowest first."""

    id: str
    layers: tuple[str, ...]


StateOf = Callable[[StageInput], State]
"""The state that a stage ends with; waits for it if it is still being built."""

SCRATCH = State(state_of("scratch"), ())


def base_state(image: BaseImage) -> State:
    """The state that an image gives: named by its ChainID, so that a retagged or recompressed image is the same."""
    if not image.config.diff_ids:
        return SCRATCH
    return State(state_of("base", chain_id(image.config.diff_ids)), image.config.diff_ids)


def next_state(before: State, layer: str) -> State:
    """The state after an operation that added this layer."""
    return State(state_of("step", before.id, layer), (*before.layers, layer))
