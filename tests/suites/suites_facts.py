"""What a run of pytest was: how long each test took, which were skipped and why, as a JSON file for the runner.

pytest -p tests.suites.suites_facts --facts FILE
"""

import json
from collections import Counter
from typing import NamedTuple

import pytest


class Facts(NamedTuple):
    """One run of pytest."""

    outcomes: dict[str, int]
    """How many tests passed, failed or were skipped; `error` is a failure outside of the test itself."""
    seconds: dict[str, float]
    """By test: with its fixtures, the time that it took."""
    skipped: dict[str, int]
    """By reason: how many tests."""

    @classmethod
    def read(cls, path: str) -> "Facts":
        """Raises OSError where pytest has ended before it wrote them."""
        with open(path, encoding="utf-8") as file:
            return cls(**json.load(file))

    def counted(self) -> str:
        """In words: `412 passed, 3 skipped`."""
        order = ("failed", "error", "passed", "skipped", "xfailed", "xpassed")
        return ", ".join(f"{self.outcomes[one]} {one}" for one in order if self.outcomes.get(one)) or "no tests"


def together(runs: list[Facts]) -> Facts:
    """Several runs as one."""
    outcomes: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    for run in runs:
        outcomes.update(run.outcomes)
        skipped.update(run.skipped)
        for test, taken in run.seconds.items():
            seconds[test] = max(taken, seconds.get(test, 0.0))
    return Facts(dict(outcomes), seconds, dict(skipped))


class _Recorder:
    """Listens to pytest, and writes at the end."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._outcomes: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = round(self._seconds.get(report.nodeid, 0.0) + report.duration, 3)
        expected = hasattr(report, "wasxfail")
        if report.failed:
            self._outcomes["failed" if report.when == "call" else "error"] += 1
        elif report.skipped:
            self._outcomes["xfailed" if expected else "skipped"] += 1
            if not expected:
                reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
                self._skipped[reason.removeprefix("Skipped: ")] += 1
        elif report.when == "call":
            self._outcomes["xpassed" if expected else "passed"] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._outcomes["error"] += 1

    def pytest_sessionfinish(self) -> None:
        with open(self._path, "w", encoding="utf-8") as file:
            json.dump(Facts(self._outcomes, self._seconds, self._skipped)._asdict(), file)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--facts", metavar="FILE", help="write how long each test took, and what was skipped, there")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--facts")
    if path:
        config.pluginmanager.register(_Recorder(path))
