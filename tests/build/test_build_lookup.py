"""Results looked up and kept in a real database: which may be used, which are kept, and why nothing was found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.keys.test_keys_steps import Given
from tests.plan.plan_dockerfiles import last

from kezuri.build.lookup import KeyedLookup
from kezuri.build.turn import Found, Turn
from kezuri.cache.results import Results
from kezuri.keys.options import Options, RunSettings
from kezuri.keys.state import SCRATCH
from kezuri.keys.stepkeys import StepKeys
from kezuri.plan.key import digest
from kezuri.plan.operation import Operation
from kezuri.step.task import Outcome
from kezuri.store.store import Store

STAGE = last("FROM scratch AS one\nRUN a\n")
COMPONENTS = (("kind", "RUN"), ("command", "a"))
TURN = Turn(STAGE, 0, SCRATCH, COMPONENTS, digest(COMPONENTS))
FIRST_LOOK = TURN._replace(key="")


class Written:
    """Keys that remember of which operations the files were written down."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def keep_file_lists(self, operation: Operation) -> None:
        self.written.append(operation.title)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path / "store")) as store:
        yield store


@pytest.fixture
def gone() -> set[str]:
    """Layers that are not there any more."""
    return set()


def lookup(store: Store, gone: set[str], keys: Written | None = None, **options: Any) -> KeyedLookup:
    """The lookup of another build on the same store."""
    results = Results(store.database, lambda layer: layer not in gone)
    given = Options(RunSettings(), Given(), {})._replace(**options)
    return KeyedLookup(cast(StepKeys, keys or Written()), results, given)


def test_what_may_be_believed_serves_later_builds(store: Store, gone: set[str]) -> None:
    first = lookup(store, gone)
    assert first.find(TURN) is None
    first.keep(TURN, Outcome("run-1", 1.0), 2.5)
    assert first.find(TURN) == Found("run-1") and first.find(FIRST_LOOK) is not None
    later = lookup(store, gone).find(FIRST_LOOK)
    assert later is not None and later.layer == "run-1" and later.created > 0
    record = store.database.record(TURN.key)
    assert record is not None and (record.kind, record.title, record.seconds) == ("RUN", "RUN a", 2.5)


def test_what_may_not_serves_its_build_alone(store: Store, gone: set[str]) -> None:
    first = lookup(store, gone)
    first.keep(TURN, Outcome("run-1", 1.0, gave_up=True), 1.0)
    assert first.find(TURN) == Found("run-1")
    assert lookup(store, gone).find(TURN) is None


@pytest.mark.parametrize("options", [{"no_cache": True}, {"no_cache_stages": {"one"}}, {"no_cache_stages": {"0"}}])
def test_ignored_results_are_those_of_earlier_builds(store: Store, gone: set[str], options: dict[str, Any]) -> None:
    lookup(store, gone).keep(TURN, Outcome("run-1", 1.0), 1.0)
    ignoring = lookup(store, gone, **options)
    assert ignoring.ignored(STAGE) and ignoring.find(TURN) is None
    assert ignoring.missed(TURN) == ("no-cache" if "no_cache" in options else "no-cache-filter")
    ignoring.keep(TURN, Outcome("run-2", 1.0), 1.0)
    assert ignoring.find(TURN) == Found("run-2")
    assert not lookup(store, gone, no_cache_stages={"two", "1"}).ignored(STAGE)


def test_why_nothing_was_found(store: Store, gone: set[str]) -> None:
    keys = Written()
    assert lookup(store, gone, keys).missed(TURN) == "absent" and keys.written == ["RUN a"]
    lookup(store, gone).keep(TURN, Outcome("run-1", 1.0), 1.0)
    gone.add("run-1")
    again = lookup(store, gone)
    assert again.find(TURN) is None and again.missed(TURN) == "lost"
