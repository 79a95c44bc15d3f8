"""A forecast with caches of other machines, held against the build that reads the same caches."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.build.build_foreseen import agree, came, forecast, outcomes
from tests.build.build_machines import machine_of
from tests.build.build_workshop import Workshop, asked

from kezuri.app.forecast import foresee
from kezuri.app.request import Settings
from kezuri.forecast.foresight import Foresight
from kezuri.progress.events import Event, Warned
from kezuri.travel.places import CacheSource, CacheTarget


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Workshop]:
    """Another machine with the same context: a store of its own."""
    return partial(machine_of, tmp_path)


def source(tmp_path: Path) -> tuple[CacheSource, ...]:
    return (CacheSource("local", str(tmp_path / "cache")),)


def export(shop: Workshop, tmp_path: Path, mode: str = "max") -> None:
    shop.build(cache_to=(CacheTarget("local", str(tmp_path / "cache"), mode="min" if mode == "min" else "max"),))


def caches(foresight: Foresight) -> set[str]:
    return {step.cache for step in foresight.steps}


@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_a_cache_has_is_foretold_as_cached_and_nothing_comes(
    machine: Callable[[str], Workshop], tmp_path: Path, mode: str
) -> None:
    export(machine("one"), tmp_path, mode)
    two = machine("two")
    foresight = forecast(two, cache_from=source(tmp_path))
    assert set(outcomes(foresight).values()) == {"cached"}
    assert caches(foresight) == {str(tmp_path / "cache")}
    assert all(step.reason == f"in the cache {step.cache}" and step.past is not None for step in foresight.steps)
    assert list((two.root / "blobs" / "sha256").iterdir()) == [] == two.leftovers()
    two.build(cache_from=source(tmp_path))
    assert agree(foresight, came(two))
    # What came is this machine's own.
    assert "" in caches(forecast(two, cache_from=source(tmp_path)))


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("changed", ["parts/a", "parts/b", "more", "top", "end"])
def test_a_change_is_foretold_as_the_build_then_goes(
    machine: Callable[[str], Workshop], tmp_path: Path, mode: str, changed: str
) -> None:
    export(machine("one"), tmp_path, mode)
    two = machine("two")
    (two.context / changed).write_text("other")
    foresight = forecast(two, cache_from=source(tmp_path))
    assert "runs" in outcomes(foresight).values()
    two.build(cache_from=source(tmp_path))
    assert agree(foresight, came(two))


def test_what_a_change_would_cause_is_told_past_a_cache(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    export(machine("one"), tmp_path)
    two = machine("two")
    change = forecast(two, (str(two.context / "end"),), cache_from=source(tmp_path)).change
    assert change is not None and change.something
    assert [step.title for step in change.steps if step.outcome == "runs"] == ["COPY end /end"]
    change = forecast(two, (str(two.context / "Dockerfile.other"),), cache_from=source(tmp_path)).change
    assert change is not None and not change.something


def test_earlier_results_are_not_used_where_that_is_said(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    export(machine("one"), tmp_path)
    foresight = forecast(machine("two"), cache_from=source(tmp_path), no_cache=True)
    assert caches(foresight) == {""} and "cached" not in outcomes(foresight).values()


def test_a_cache_that_is_not_there_is_one_warning(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    shop = machine("one")
    heard: list[Event] = []
    request = asked(context=str(shop.context), cache_from=source(tmp_path))
    foresight = foresee(request, Settings(str(shop.root)), heard.append)
    assert set(outcomes(foresight).values()) == {"runs"}
    said = [event.diagnostic.message for event in heard if isinstance(event, Warned)]
    assert len(said) == 1 and said[0].startswith(f"the cache {tmp_path / 'cache'} is not used: ")


def test_a_cache_that_is_not_needed_is_not_opened(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    shop = machine("one")
    shop.build()
    heard: list[Event] = []
    request = asked(context=str(shop.context), cache_from=source(tmp_path))
    foresight = foresee(request, Settings(str(shop.root)), heard.append)
    assert set(outcomes(foresight).values()) == {"cached"} and caches(foresight) == {""}
    assert not any(isinstance(event, Warned) for event in heard)
