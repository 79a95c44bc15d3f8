"""What tests of the forms of layers need of the process that they run in."""

import os

import pytest


@pytest.fixture
def entered() -> None:
    """For a test that has threads of its own, or makes files of root's itself: the process of an ordinary user enters
    its user namespace first, which no process with several threads can do."""
    if os.geteuid() != 0:
        from kezuri.linux.userns import enter

        enter()
