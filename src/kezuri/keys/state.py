"""States: what a stage's files are after an operation, by identity and as a stack of layers."""

from collections.abc import Callable
from typing import NamedTuple

from kezuri.oci.config import ImageConfig, chain_id
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
    return State(base_id(image.config), image.config.diff_ids)


def base_id(config: ImageConfig) -> str:
    """The id of the state that an image with this config gives."""
    return state_of("base", chain_id(config.diff_ids)) if config.diff_ids else SCRATCH.id


def next_state(before: State, layer: str) -> State:
    """The state after an operation that added this layer."""
    return State(state_of("step", before.id, layer), (*before.layers, layer))
