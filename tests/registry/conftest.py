"""What tests of the client share: registries that can misbehave."""

from collections.abc import Iterator

import pytest
from tests.registry.registry_faults import FaultyRegistry


@pytest.fixture
def server() -> Iterator[FaultyRegistry]:
    """An empty registry."""
    with FaultyRegistry() as registry:
        yield registry


@pytest.fixture
def second() -> Iterator[FaultyRegistry]:
    """Another one: a mirror, or where somebody is sent to."""
    with FaultyRegistry() as registry:
        yield registry
