"""Two probes compared: whether an image starts, stays alive and answers; the door through which it is asked."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from kezuri.proof.difference import Difference


class Patience(NamedTuple):
    """How long a probe waits, in seconds: `alive` is how long a container that does not end is watched, `answer` how
    long its ports and its health check may take."""

    alive: float = 3.0
    answer: float = 20.0


class Answer(NamedTuple):
    """What a port said: the number of an HTTP status; 0 where it took a connection and spoke no HTTP; -1 where it took
    none."""

    port: str
    status: int

    def __str__(self) -> str:
        if self.status > 0:
            return f"HTTP {self.status}"
        return "takes connections" if self.status == 0 else "takes no connection"


class Probe(NamedTuple):
    """How an image runs. `refused` is why it could not be started, empty where it could; `exit_code` None where it was
    still alive when it was stopped; `answers` are those of its ports; `health` what its HEALTHCHECK said: empty where
    it has none, `starting` where it said nothing in time. `output` is the end of what it wrote: it is shown, and not
    compared."""

    refused: str = ""
    exit_code: int | None = None
    answers: tuple[Answer, ...] = ()
    health: str = ""
    output: str = ""

    @property
    def alive(self) -> bool:
        """Whether it started and did not end by itself."""
        return not self.refused and self.exit_code is None

    @property
    def works(self) -> bool:
        """Whether it runs as something that is meant to run: alive, or ended well; nothing about it unwell."""
        if self.refused or self.health == "unhealthy" or self.exit_code not in (None, 0):
            return False
        return all(answer.status >= 0 for answer in self.answers)


class Prober(Protocol):
    """Runs images; see `kezuri.app.probing`."""

    def probe(self, digest: str) -> Probe:
        """How the image of the store with this digest runs."""
        ...


def probe_differences(before: Probe, after: Probe) -> tuple[Difference, ...]:
    """What is not the same in how two images run."""
    return tuple(_differences(before, after))


def _differences(before: Probe, after: Probe) -> Iterator[Difference]:
    one, two = (probe.refused or "starts" for probe in (before, after))
    if bool(before.refused) != bool(after.refused):
        yield Difference("probe.start", one, two)
        return
    if before.alive != after.alive:
        yield Difference("probe.alive", _end(before), _end(after))
    elif before.exit_code != after.exit_code:
        yield Difference("probe.exit", str(before.exit_code), str(after.exit_code))
    old = {answer.port: answer for answer in before.answers}
    new = {answer.port: answer for answer in after.answers}
    for port in sorted(old.keys() | new.keys()):
        was, now = old.get(port), new.get(port)
        if was != now:
            yield Difference(f"probe.answer {port}", _said(was), _said(now))
    if before.health != after.health:
        yield Difference("probe.health", before.health or None, after.health or None)


def _end(probe: Probe) -> str:
    return "stays alive" if probe.alive else f"ends with exit code {probe.exit_code}"


def _said(answer: Answer | None) -> str | None:
    return None if answer is None else str(answer)
