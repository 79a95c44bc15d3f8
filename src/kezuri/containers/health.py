"""Whether a container is well: its health check, when it is due, and what its results mean (as docker has it)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from kezuri.sandbox.step import Probe

_SECOND = 1_000_000_000
_SHELL = ("/bin/sh", "-c")


class HealthOptions(NamedTuple):
    """What the user says of the health check; None and empty leave what the image says. Durations are nanoseconds."""

    disabled: bool = False
    command: str = ""
    interval: int | None = None
    timeout: int | None = None
    start_period: int | None = None
    start_interval: int | None = None
    retries: int | None = None


class Healthcheck(NamedTuple):
    """A command, and how often and how patiently it is asked (seconds)."""

    argv: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    start_interval: float = 5.0
    retries: int = 3


def healthcheck(
    image: Mapping[str, Any] | None, options: HealthOptions, shell: tuple[str, ...] | None
) -> Healthcheck | None:
    """The check of an image whose config has this `Healthcheck` object, as the options change it; None: there is none.

    `shell` is the image's SHELL. What is 0 or missing is docker's default.
    """
    said = dict(image or {})
    test = tuple(str(word) for word in said.get("Test") or ())
    if options.command:
        test = ("CMD-SHELL", options.command)
    if options.disabled or not test or test[0] == "NONE":
        return None
    argv = (*(shell or _SHELL), *test[1:]) if test[0] == "CMD-SHELL" else test[1:] if test[0] == "CMD" else ()
    if not argv:
        return None

    def seconds(asked: int | None, key: str, default: float) -> float:
        value = said.get(key) if asked is None else asked
        return value / _SECOND if isinstance(value, int) and value > 0 else default

    asked = said.get("Retries") if options.retries is None else options.retries
    return Healthcheck(
        argv,
        seconds(options.interval, "Interval", 30.0),
        seconds(options.timeout, "Timeout", 30.0),
        seconds(options.start_period, "StartPeriod", 0.0),
        seconds(options.start_interval, "StartInterval", 5.0),
        asked if isinstance(asked, int) and asked > 0 else 3,
    )


class Health:
    """The state of a container with a health check; it starts as `starting` and becomes `healthy` or `unhealthy`.

    Times are given to it (monotonic seconds). A failure within the start period, before the first success, does not
    count.
    """

    def __init__(self, check: Healthcheck) -> None:
        self._check = check
        self._since = 0.0
        self._due = float("inf")
        self._began = 0.0
        self._failures = 0
        self.status = "starting"

    def start(self, now: float) -> None:
        """The container runs."""
        self._since = now
        self._due = now + self._pause(now)

    def probe(self, now: float) -> Probe | None:
        """What is to be run now, if anything."""
        if now < self._due:
            return None
        self._due = float("inf")
        self._began = now
        return Probe(self._check.argv, self._check.timeout)

    def ended(self, now: float, code: int, output: bytes) -> str:
        """A probe has ended with this exit code (less than 0: it took too long); in words, what has changed (""
        when nothing has)."""
        change = self._judge(code, output)
        self._due = now + self._pause(now)
        return change

    def _judge(self, code: int, output: bytes) -> str:
        before = self.status
        if code == 0:
            self._failures = 0
            self.status = "healthy"
            return "" if before == "healthy" else "healthy"
        if before == "starting" and self._began - self._since < self._check.start_period:
            return ""
        self._failures += 1
        if self._failures < self._check.retries or before == "unhealthy":
            return ""
        self.status = "unhealthy"
        times = "1 failure" if self._failures == 1 else f"{self._failures} failures"
        how = f"exit code {code}" if code >= 0 else f"it took more than {self._check.timeout:g} s"
        words = output.decode("utf-8", "replace").strip().splitlines()
        return f"unhealthy after {times}: {how}" + (f": {words[-1][:200]}" if words else "")

    def _pause(self, now: float) -> float:
        early = self.status == "starting" and now - self._since < self._check.start_period
        return self._check.start_interval if early else self._check.interval
