"""No test may change the device nodes of the machine: the one that did is named, whoever runs it."""

import gc
import os
from collections.abc import Iterator

import pytest
from tests.machine.machine_state import differences, given_devices

os.environ["KEZURI_DB"] = "/proc/nowhere/advisories.db"
"""The advisories of whoever runs the tests are not the tests': a build would say what they tell of its image."""

_OWN_IDS = ("tests/export/test_export_root", "tests/source/test_source_shared", "tests/store/")


@pytest.fixture(autouse=True)
def untouched_devices() -> Iterator[None]:
    """As root a sandbox that shows the machine's own nodes can change them. `.ci/run` compares all the rest of the
    machine, too; elsewhere a person's own work would be taken for a difference."""
    before, seen_from = given_devices(), _user_namespace()
    yield
    if _user_namespace() != seen_from:
        return  # As an ordinary user kezuri enters one of its own, from which the same owners have other numbers.
    found = differences({"device": before}, {"device": given_devices()})
    assert not found, "this test, or one that ran at the same time, changed the machine: " + "; ".join(found)


@pytest.fixture
def entered() -> None:
    """For a test that has threads of its own, or makes files of root's itself: the process of an ordinary user enters
    its user namespace first, which no process with several threads can do."""
    if os.geteuid() != 0:
        from kezuri.linux.userns import enter

        enter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", metavar="N/M", help="of the examples only the N-th of M parts of about equal weight")
    parser.addoption("--record", metavar="PEER", action="append", help="ask an installed peer, and keep its answers")


def pytest_collection_finish() -> None:
    """Thousands of tests stay to the end: the garbage collector need not look through them, which was a sixth of the
    quick tests' time."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """As an ordinary user kezuri enters a user namespace before it builds or removes anything, which changes the ids of
    this process for all tests that follow: those that compare them with files come first."""
    if os.geteuid() != 0:
        items.sort(key=lambda item: not item.nodeid.startswith(_OWN_IDS))


def _user_namespace() -> str:
    return os.readlink("/proc/self/ns/user")
