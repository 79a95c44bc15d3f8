"""Runs the suites side by side, the longest first, and tells at the end what took long and what was skipped.

    python -m tests.suites.suites_run            # all of them
    python -m tests.suites.suites_run quick peers   # some
    python -m tests.suites.suites_run --list

The exit code is 0 when every suite ran and no test failed. What each suite printed stays in .venv/tests.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.suites.suites_facts import Facts, together
from tests.suites.suites_list import PROJECT, Suite, suites

SLOWEST = 30
NOTHING_RAN = 5
"""pytest's exit code when it found no tests."""
PATIENCE = 20
"""Seconds for a suite to take down what it started, when the run is called off."""


_PROGRESS = re.compile(r"[.FEsxX]+ +\[ *\d+%\]")
"""What pytest prints of tests while they run."""


class Ended(NamedTuple):
    """A suite that has run."""

    suite: Suite
    code: int
    seconds: float
    facts: Facts | None
    """None where pytest did not get to the end."""

    @property
    def nothing_ran(self) -> bool:
        """Whether it found no tests and may: another suite runs them, too, and this machine lacks the user for this."""
        return self.code == NOTHING_RAN and self.suite.again

    @property
    def failed(self) -> bool:
        """Whoever did not write facts did not get to the end, whatever the exit code says."""
        return not self.nothing_ran and (self.code != 0 or self.facts is None)

    def line(self) -> str:
        """How it went, in a line."""
        said = self.facts.counted() if self.facts is not None else "no tests were counted"
        how = f"FAILED ({self.code})" if self.failed else "nothing ran" if self.nothing_ran else "passed"
        return f"{self.suite.name:<30} {how:<11} {spoken(self.seconds):>10}   {said}"


class Running(NamedTuple):
    """A suite that runs."""

    suite: Suite
    process: subprocess.Popen[bytes]
    started: float


class CalledOff(BaseException):
    """A signal asked the run to end."""


class Runner:
    """Runs suites in processes of their own."""

    def __init__(self, directory: Path, scratch: Path, at_once: int) -> None:
        """`directory` keeps what the suites print; `scratch` is theirs while they run."""
        self._directory = directory
        self._scratch = scratch
        self._at_once = at_once

    def run(self, wanted: Sequence[Suite]) -> Iterator[Ended]:
        """Each suite as it ends. Raises CalledOff, after the suites that run were ended."""
        waiting, running = list(wanted), list[Running]()
        try:
            while waiting or running:
                while waiting and len(running) < self._at_once:
                    running.append(self._start(waiting.pop(0)))
                time.sleep(0.1)
                for one in [one for one in running if one.process.poll() is not None]:
                    running.remove(one)
                    yield self._ended(one)
        finally:
            self._end(running)

    def log(self, suite: Suite) -> Path:
        """What the suite printed."""
        return self._directory / f"{_file_name(suite)}.log"

    def _start(self, suite: Suite) -> Running:
        facts = self._facts(suite)
        # A suite may run as another user.
        facts.touch()
        facts.chmod(0o666)
        argv = [sys.executable, "-m", *suite.command, "-q", "-p", "no:cacheprovider"]
        argv += ["-p", "tests.suites.suites_facts", "--facts", str(facts)]
        if suite.command == ("pytest",):
            argv += ["--basetemp", str(self._scratch / _file_name(suite))]
        environ = {**os.environ, **dict(suite.environ)}
        if suite.store:
            environ.setdefault("KEZURI_TEST_ROOT", str(self._scratch / f"store-{suite.store}"))
        # Most tests start kezuri: each start would compile it again.
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        with open(self.log(suite), "wb") as log:
            process = subprocess.Popen(
                [*argv, *suite.arguments, *suite.existing()],
                cwd=PROJECT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(suite, process, time.monotonic())

    def _ended(self, one: Running) -> Ended:
        try:
            facts = Facts.read(str(self._facts(one.suite)))
        except (OSError, ValueError):
            facts = None
        shutil.rmtree(self._scratch / _file_name(one.suite), ignore_errors=True)
        return Ended(one.suite, one.process.returncode, time.monotonic() - one.started, facts)

    def _facts(self, suite: Suite) -> Path:
        return self._scratch / f"{_file_name(suite)}.json"

    def _end(self, running: Sequence[Running]) -> None:
        """pytest takes an interrupt for the end, and its fixtures end the daemons that they started."""
        for one in running:
            one.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + PATIENCE
        for one in running:
            try:
                one.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(one.process.pid, signal.SIGKILL)
                one.process.wait()


def _file_name(suite: Suite) -> str:
    return re.sub(r"\W+", "-", suite.name)


def spoken(seconds: float) -> str:
    """`75 s` as `1 min 15 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:2} s" if minutes else f"{rest} s"


def summary(ended: Sequence[Ended], seconds: float) -> list[str]:
    """The lines at the end of a run; the last one says it all."""
    facts = together([one.facts for one in ended if one.facts is not None])
    lines = [f"the slowest {SLOWEST} tests:"]
    whose = {test: one.suite.name for one in ended if one.facts is not None for test in one.facts.seconds}
    slowest = sorted(facts.seconds.items(), key=lambda item: -item[1])[:SLOWEST]
    lines += [f"  {taken:7.1f} s  {test}  ({whose[test]})" for test, taken in slowest]
    if facts.skipped:
        lines += ["", "skipped, and why:"]
        lines += [f"  {count:5}  {reason}" for reason, count in sorted(facts.skipped.items())]
    lines += ["", "the suites:", *(f"  {one.line()}" for one in sorted(ended, key=lambda one: -one.seconds))]
    failed = [one.suite.name for one in ended if one.failed]
    verdict = f"FAILED: {', '.join(failed)}" if failed else "passed"
    return [*lines, f"{verdict}: {facts.counted()} in {spoken(seconds)}"]


def with_known_times(known: Path, wanted: Sequence[Suite]) -> list[Suite]:
    """The suites with the seconds that they took the last time, the longest first."""
    try:
        taken = json.loads(known.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        taken = {}
    renewed = [suite._replace(seconds=taken.get(suite.name, suite.seconds)) for suite in wanted]
    return sorted(renewed, key=lambda suite: -suite.seconds)


def remember_times(known: Path, ended: Sequence[Ended]) -> None:
    """For the order of the next run."""
    try:
        taken = json.loads(known.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        taken = {}
    taken |= {one.suite.name: round(one.seconds, 1) for one in ended if one.facts is not None}
    known.write_text(json.dumps(taken), encoding="utf-8")


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def _called_off_by_signals() -> Iterator[None]:
    def raises(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise CalledOff

    before = {number: signal.signal(number, raises) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(wanted: Sequence[Suite], directory: Path, at_once: int) -> int:
    """Runs the suites, and prints how it went. 0 when all passed, 1 when not, 130 when a signal ended it."""
    directory.mkdir(parents=True, exist_ok=True)
    known = directory / "seconds"
    ordered = with_known_times(known, wanted)
    print(f"{len(ordered)} suites, {at_once} at a time; what they print is in {directory}", flush=True)
    started, ended = time.monotonic(), list[Ended]()
    # A socket's path has 107 bytes, and tests make some: the name is short. podman takes none that ends in "_".
    scratch = Path(tempfile.mkdtemp(prefix="kt", suffix="s"))
    scratch.chmod(0o711)
    runner = Runner(directory, scratch, at_once)
    try:
        with _called_off_by_signals():
            for one in runner.run(ordered):
                ended.append(one)
                if one.failed:
                    text = runner.log(one.suite).read_text(encoding="utf-8", errors="replace")
                    print(*(line for line in text.splitlines() if not _PROGRESS.fullmatch(line)), sep="\n")
                print(one.line(), flush=True)
    except CalledOff:
        print(f"called off after {spoken(time.monotonic() - started)}", flush=True)
        return 130
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        remember_times(known, ended)
    print(*("", *summary(ended, time.monotonic() - started)), sep="\n", flush=True)
    return 1 if any(one.failed for one in ended) else 0


def main(words: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.suites.suites_run", description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="a suite's name; all of them without one")
    parser.add_argument("--list", action="store_true", help="name the suites and about how long each takes")
    parser.add_argument("--at-once", type=int, default=0, metavar="N", help="default: one more than processors, as "
                        "the examples wait for the network")  # fmt: skip
    options = parser.parse_args(words)
    there = suites()
    if options.list:
        for suite in there:
            print(f"{suite.name:<30} about {suite.seconds:.0f} s")
        return 0
    unknown = set(options.suites) - {suite.name for suite in there}
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(suite.name for suite in there)}")
    wanted = [suite for suite in there if not options.suites or suite.name in options.suites]
    return run(wanted, PROJECT / ".venv" / "tests", options.at_once or processors() + 1)


if __name__ == "__main__":
    sys.exit(main())
