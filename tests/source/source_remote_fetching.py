"""What remote sources are fetched with in tests: a store, secrets, and a listener."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kezuri.progress import CallOff
from kezuri.progress.events import WorkName
from kezuri.registry.retry import Clock
from kezuri.source.http_exchange import HttpExchange
from kezuri.source.remotes import Means, Remotes
from kezuri.store.store import Store


class Impatient(Clock):
    """A clock that notes the waits instead of waiting."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._gone = 0.0

    def now(self) -> float:
        return self._gone

    def chance(self) -> float:
        return 0.0

    def wait(self, seconds: float, stop: threading.Event) -> None:
        self.waits.append(seconds)
        self._gone += seconds


class Step:
    """A step that was told of."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.end = ""
        self.said = b""
        self.last = (0, 0)

    def output(self, stream: int, data: bytes) -> None:
        self.said += data

    def status(self, what: str, current: int, total: int, done: bool = False) -> None:
        self.last = (current, total)

    def cached(self) -> None:
        self.end = "cached"

    def done(self) -> None:
        self.end = "done"

    def failed(self, message: str) -> None:
        self.end = f"failed: {message}"


class Listening:
    """Keeps the steps that it is told of."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def start(self, name: WorkName, digest: str = "") -> Step:
        self.steps.append(Step(str(name)))
        return self.steps[-1]

    @property
    def ends(self) -> list[str]:
        return [step.end for step in self.steps]


class Fetching(Remotes):
    """Remote sources as a build has them, except that nobody waits before trying again."""

    def __init__(self, store: Store, means: Means, cancel: CallOff) -> None:
        self.listening = Listening()
        self.cancel = cancel
        self.clock = Impatient()
        super().__init__(store, means, self.listening, cancel)

    def _open_exchange(self) -> HttpExchange:
        exchange = super()._open_exchange()
        exchange._backoff.clock = self.clock
        return exchange


@contextmanager
def fetching(
    root: Path, secrets: Mapping[str, str] | None = None, agent: str = "", **environment: str
) -> Iterator[Fetching]:
    """A build's remote sources, with a store at `root` that outlives it."""
    import os

    given = secrets or {}

    def secret(name: str) -> bytes | None:
        return given[name].encode() if name in given else None

    variables = {"PATH": os.environ["PATH"], **environment}
    means = Means(secret, lambda: agent, "", (), variables)
    with Store(str(root)) as store, Fetching(store, means, CallOff()) as remotes:
        yield remotes
