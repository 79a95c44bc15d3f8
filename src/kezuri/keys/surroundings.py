"""What the steps of a build share: secrets, agents, limits, what every RUN gets."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from kezuri.keys.components import RunSurroundings


class Secrets(Protocol):
    """The secrets of a build, by id."""

    def get(self, id: str) -> bytes | None:
        """The secret's value; None when the build was given none of this id. KezuriError when it cannot be read."""
        ...


class Options(NamedTuple):
    """What shapes how steps run, beside the plan. `agents` are sockets of this machine by ssh id; `no_cache_stages`
    are lower-case names (or numbers) of stages whose earlier results are not used."""

    surroundings: RunSurroundings
    secrets: Secrets
    agents: Mapping[str, str]
    ca_bundle: str = ""
    no_cache: bool = False
    no_cache_stages: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    parallelism: int = 2
