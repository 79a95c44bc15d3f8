"""What tests of verbs share: a context with a store of its own, and a registry that can misbehave."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.build.build_workshop import Workshop
from tests.registry.registry_faults import FaultyRegistry

from kezuri.app.request import Settings


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """A context with one file, `f`, and an empty store."""
    shop = Workshop(tmp_path)
    shop.write(f="1")
    return shop


@pytest.fixture
def settings(shop: Workshop) -> Settings:
    """Those of the shop's store."""
    return Settings(str(shop.root))


@pytest.fixture
def server() -> Iterator[FaultyRegistry]:
    """An empty registry."""
    with FaultyRegistry() as registry:
        yield registry
