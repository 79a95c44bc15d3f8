"""What a build is given beside its plan: settings of every RUN, secrets and agents by id, whose results are wanted."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from kezuri.plan.operation import StagePlan

DEFAULT_HOSTNAME = "buildkitsandbox"


class RunSettings(NamedTuple):
    """What a build gives to each RUN. Of `hosts`, (name, address), the names count in keys and the addresses do not.
    `ulimits` are (name, soft, hard), `shm_size` is bytes, 0 for the default."""

    hosts: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[tuple[str, int, int], ...] = ()
    shm_size: int = 0
    hostname: str = DEFAULT_HOSTNAME
    no_new_privileges: bool = False


class Secrets(Protocol):
    """The secrets of a build, by id."""

    def get(self, id: str) -> bytes | None:
        """The secret's value; None when the build was given none of this id. KezuriError when it cannot be read."""
        ...


class NoSecrets:
    """The Secrets of a build that was given none."""

    def get(self, id: str) -> bytes | None:
        """None."""
        return None


class Options(NamedTuple):
    """What a build is given beside its plan. `agents` are sockets of this machine by ssh id; `ca_bundle` is a file of
    this machine; `no_cache_stages` are lower-case names (or numbers) of stages whose earlier results are not used;
    `allow` are the entitlements that steps may ask for; `parallelism` is how many steps may run at once."""

    settings: RunSettings
    secrets: Secrets
    agents: Mapping[str, str]
    ca_bundle: str = ""
    no_cache: bool = False
    no_cache_stages: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    parallelism: int = 2

    def ignores(self, stage: "StagePlan") -> bool:
        """Whether earlier results of the stage are not used."""
        chosen = self.no_cache_stages
        return self.no_cache or stage.name in chosen or str(stage.ordinal) in chosen
