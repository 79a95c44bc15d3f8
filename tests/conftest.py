"""No test may change the device nodes of the machine: the one that did is named, whoever runs it."""

import os
from collections.abc import Iterator

import pytest
from tests.machine.machine_state import differences, given_devices


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


@pytest.fixture(autouse=True)
def same_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an ordinary user kezuri enters a user namespace before it removes or runs anything, which would change the ids
    of this process for all tests that follow. Quick tests have no files of other owners and need none."""
    if os.geteuid() != 0 and request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr("kezuri.linux.userns.enter", lambda: None)


def _user_namespace() -> str:
    return os.readlink("/proc/self/ns/user")
