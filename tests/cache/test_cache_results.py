"""Results by key, and what is said of those whose layers are gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kezuri.cache.results import Results
from kezuri.plan.key import digest
from kezuri.store.store import Store

KEY = (("kind", "RUN"), ("command", "x"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path / "store")) as store:
        yield store


def test_a_result_is_lost_when_it_is_known_and_its_layer_is_gone(store: Store) -> None:
    there = {"layer"}
    results = Results(store.database, there.__contains__)
    assert results.find(KEY) is None and not results.lost(digest(KEY)), "never known"
    kept = results.keep(KEY, state="s", layer="layer", kind="RUN", title="RUN x", seconds=1.0)
    found = results.find(KEY)
    assert found is not None and found.layer == kept.layer and not results.lost(digest(KEY))
    assert results.components(found) == KEY
    there.clear()
    assert results.find(KEY) is None and results.lost(digest(KEY))


def test_a_result_that_goes_while_it_is_found_is_none(store: Store) -> None:
    """A prune may remove it between the look and the note that it is in use; then it is not used."""

    def usable(layer: str) -> bool:
        store.database.run("DELETE FROM record")
        return True

    Results(store.database, usable).keep(KEY, state="s", layer="layer", kind="RUN", title="RUN x", seconds=1.0)
    store.database.run("UPDATE record SET used = 1")
    assert Results(store.database, usable).find(KEY) is None


def test_use_is_noted_when_it_was_not_just_noted(store: Store) -> None:
    results = Results(store.database, lambda layer: True)
    store.database.put_layer("layer")
    results.keep(KEY, state="s", layer="layer", kind="RUN", title="RUN x", seconds=1.0)
    store.database.run("UPDATE record SET used = 1")
    assert results.find(KEY) is not None
    (record,) = store.database.records()
    assert record.used > 1 and record.uses == 2
    assert results.find(KEY) is not None and store.database.records() == [record]
