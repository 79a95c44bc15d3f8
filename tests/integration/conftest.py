"""What the integration tests share: base images, one store, the command line, and a word about what was skipped."""

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.integration_bases import Bases, made_by_kezuri, made_by_stand_in_maker
from tests.integration.integration_command import Kezuri
from tests.integration.integration_entries import Copier, Entry, absent, examples, in_ci, part

SKIPPED = pytest.StashKey[dict[str, list[str]]]()


@pytest.fixture(scope="session")
def bases(kezuri: Kezuri) -> Bases:
    """Base images: those that $KEZURI_BASES names, stand-ins, or what kezuri can make itself."""
    given = os.environ.get("KEZURI_BASES", "")
    if given and "KEZURI_TEST_WITHOUT_SHARED" not in os.environ:
        if not (Path(given) / "index.json").is_file():
            pytest.fail(f"KEZURI_BASES={given} is not an OCI image layout", pytrace=False)
        return Bases(Path(given).resolve(), f"KEZURI_BASES={given}")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    cache = Path(home, "kezuri-test-bases")
    cache.mkdir(parents=True, exist_ok=True)
    reasons = []
    for directory, said in (made_by_stand_in_maker(cache), made_by_kezuri(cache, kezuri)):
        if directory is not None:
            return Bases(directory, said)
        reasons.append(said)
    absent("no base images: KEZURI_BASES is not set; " + "; ".join(reasons))
    raise AssertionError


@pytest.fixture(scope="session")
def kezuri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kezuri]:
    """The command line. All tests of a session share one store, so that they share bases and steps; it is gone
    afterwards, unless $KEZURI_TEST_ROOT names a directory to keep it in."""
    given = os.environ.get("KEZURI_TEST_ROOT", "")
    root = Path(given).resolve() if given else tmp_path_factory.mktemp("store")
    yield Kezuri(root, tmp_path_factory.mktemp("empty"))
    if not given:
        shutil.rmtree(root, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the examples of other parts (`--examples`)."""
    wanted = config.getoption("--examples")
    if not wanted:
        return
    number, _, of = wanted.partition("/")
    names = {entry.name for entry in part(examples(), int(number), int(of))}
    others = [item for item in items if _example(item) not in (None, *names)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def _example(item: pytest.Item) -> str | None:
    """The name of the example that a test builds, if it builds one."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    entry = parameters.get("built")
    return entry.name if isinstance(entry, Entry) else None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Remembers why a test was skipped; in CI a skipped test is a failed one, whoever skipped it."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if in_ci():
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped in CI: {reason}"
        return
    item.config.stash.setdefault(SKIPPED, {}).setdefault(reason, []).append(item.name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """How many integration tests were skipped, and why."""
    skipped = config.stash.get(SKIPPED, {})
    if not skipped:
        return
    terminalreporter.section("integration tests that were skipped")
    for reason, names in sorted(skipped.items()):
        terminalreporter.write_line(f"{len(names):4} {reason}")
    terminalreporter.write_line(f"{sum(map(len, skipped.values())):4} in all")


@pytest.fixture(scope="session")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Copier:
    """Copies the context of an entry to a directory of the test's own, where it may be changed."""

    def copy(entry: Entry) -> Path:
        target = tmp_path_factory.mktemp("context") / "context"
        ignored = shutil.ignore_patterns("node_modules", ".venv", "__pycache__", ".next", "target", "dist")
        shutil.copytree(entry.context, target, symlinks=True, ignore=ignored)
        return target

    return copy
