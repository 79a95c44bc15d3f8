"""Layers are unpacked in this room: an ordinary user needs the ids of their owners for it, as a build does."""

import pytest

from kezuri.linux.ownership import Privilege


@pytest.fixture
def ids_of_owners() -> None:
    """As root nothing happens; an ordinary user's process enters a user namespace, once, and is root there."""
    Privilege().own()
