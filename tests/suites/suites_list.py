"""The suites that `./try test` runs, and how they are cut out of the tests.

A suite is one run of pytest, in a process of its own. Together the suites hold each test once: what no other suite
names is in `rest`, so that a new room under tests/ runs without being entered here. A room gets a suite of its own when
it takes minutes: then it runs beside the others instead of after them.
"""

from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[2]
TESTS = PROJECT / "tests"
QUICK = "not slow"
"""The expression of pytest's -m for tests that need neither root nor the network."""


class Suite(NamedTuple):
    """One run of pytest."""

    name: str
    paths: tuple[str, ...]
    """Relative to the project; what does not exist is left out, and so is a suite of which nothing exists."""
    seconds: float
    """About how long it takes on two cores beside two others: the longest suites start first. The last run's figure is
    used if there is one."""
    arguments: tuple[str, ...] = ()
    """For pytest, besides the paths."""
    environ: tuple[tuple[str, str], ...] = ()
    store: str = ""
    """Suites that name the same one share a store of kezuri's: what one has built, and what it built on, serves the
    others, whichever comes first."""
    again: bool = False
    """Whether its tests run in another suite, too, and here under other circumstances."""
    command: tuple[str, ...] = ("pytest",)
    """The module to run, and words for it before those for pytest."""

    def existing(self) -> tuple[str, ...]:
        """The paths that are there; none where its command is not there."""
        if self.command[0] != "pytest" and not (PROJECT / f"{self.command[0].replace('.', '/')}.py").exists():
            return ()
        return tuple(path for path in self.paths if (PROJECT / path).exists())


PARTS = 3
"""Into how many suites the examples are cut."""
_EXAMPLES = "tests/integration/test_integration_examples.py"

_NAMED = (
    *(
        Suite(f"examples {number}", (_EXAMPLES,), 550, ("--examples", f"{number}/{PARTS}"), store="examples")
        for number in range(1, PARTS + 1)
    ),
    Suite(
        "without ../shared",
        ("tests/integration",),
        110,
        ("-k", "test_program_answers and (external-copy-app or go-scratch-004-alpine or express-000 or fastapi-uv)"),
        (("KEZURI_TEST_WITHOUT_SHARED", "1"),),
        again=True,
    ),
    Suite("broken recipes", ("tests/integration",), 330, ("--ignore", _EXAMPLES), store="examples"),
    Suite("bases", ("tests/bases",), 470, ("-m", "slow")),
    Suite("builds", ("tests/build",), 190, ("-m", "slow")),
    Suite(
        "builds as a user",
        ("tests/build",),
        220,
        ("-m", "slow"),
        again=True,
        command=("tests.users.users_run", "subordinate"),
    ),
    Suite(
        "builds without ids",
        (
            "tests/build/test_build_copies.py",
            "tests/build/test_build_runs.py",
            "tests/build/test_build_reference_steps.py",
            "tests/app/test_app_doors.py",
        ),
        100,
        (),
        again=True,
        command=("tests.users.users_run", "single"),
    ),
    Suite("peers", ("tests/peers",), 90),
    Suite("command line", ("tests/cli",), 480, ("-m", "slow")),
    Suite("report", ("tests/report",), 60, ("-m", "slow")),
    Suite(
        "measured",
        ("tests/anatomy", "tests/comparison", "tests/growth", "tests/packages", "tests/reproduction"),
        240,
        ("-m", "slow"),
    ),
    Suite(
        "scan",
        ("tests/advisories", "tests/alternatives", "tests/sbom", "tests/scan", "tests/versions"),
        200,
        ("-m", "slow"),
    ),
)


def suites() -> tuple[Suite, ...]:
    """All suites of which there is something, the longest first."""
    found = [suite for suite in _NAMED if suite.existing()]
    own = [suite for suite in found if not suite.again]
    taken = {path for suite in own for path in suite.existing()}
    whole = {path for suite in own if "-m" not in suite.arguments for path in suite.existing()}
    rooms = sorted(f"tests/{path.name}" for path in TESTS.iterdir() if any(path.glob("test_*.py")))
    found.append(Suite("rest", tuple(room for room in rooms if room not in taken), 1100, ("-m", "slow")))
    found.append(Suite("quick", tuple(room for room in rooms if room not in whole), 170, ("-m", QUICK)))
    return tuple(sorted(found, key=lambda suite: -suite.seconds))
