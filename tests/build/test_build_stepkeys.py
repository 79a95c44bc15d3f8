"""What a RUN's key takes from trees, and what must be given before there is a key: with trees that only remember."""

from typing import Any, cast

import pytest
from tests.build.test_build_keys import AGENT, BEFORE, BIND, CACHE, NODE, RUN, SECRET, TMPFS

from kezuri.diagnostics import KezuriError
from kezuri.keys.inputs import Choice, Inputs, StateOf
from kezuri.keys.options import Options, RunSettings
from kezuri.keys.state import State
from kezuri.keys.stepkeys import StepKeys
from kezuri.plan.operation import ContextInput, RunMount, StageInput


class Asked:
    """Inputs whose digests are what was asked for."""

    def __init__(self) -> None:
        self.listed: list[Choice] = []

    def digest(self, choice: Choice, states: StateOf) -> str:
        return repr(choice)

    def keep_file_list(self, choice: Choice) -> None:
        self.listed.append(choice)


class Given:
    """The secrets of a build: those that it was given, by id."""

    def __init__(self, *ids: str) -> None:
        self._ids = ids

    def get(self, id: str) -> bytes | None:
        return b"value" if id in self._ids else None


def state_of(stage: StageInput) -> State:
    return BEFORE


def step_keys(*secrets: str, trees: Asked | None = None, **more: Any) -> StepKeys:
    options = Options(RunSettings(), Given(*secrets), **{"agents": {}, **more})
    return StepKeys(cast(Inputs, trees or Asked()), options)


def files(*mounts: RunMount) -> dict[str, str]:
    """The components of a RUN with these mounts that are about files."""
    parts = step_keys("s").components(RUN._replace(mounts=mounts), BEFORE, state_of)
    return {name: value for name, value in parts if name.startswith("files ")}


STAGE = StageInput(0)


def test_what_a_bind_mount_shows_counts() -> None:
    assert files(BIND) == {"files bound at /b": repr(Choice(ContextInput(), ("src",), whole=True, literal=True))}
    shown = BIND._replace(input=STAGE, source="/")
    assert files(shown) == {"files bound at /b": repr(Choice(STAGE, ("/",), whole=True, literal=True))}


def test_the_contexts_own_directory_is_not_what_a_mount_shows() -> None:
    for source in ("", "/", ".", "./"):
        choice = Choice(ContextInput(), (source,), whole=False, literal=True)
        assert files(BIND._replace(source=source)) == {"files bound at /b": repr(choice)}


def test_what_seeds_a_cache_counts_and_nothing_else_of_it() -> None:
    assert files(CACHE) == {}
    seeded = CACHE._replace(input=STAGE, source="/seed")
    assert files(seeded) == {"files seeding /c": repr(Choice(STAGE, ("/seed",), literal=True))}
    assert files(CACHE, TMPFS, SECRET, BIND, AGENT) == files(BIND)


def test_what_a_mount_takes_from_a_context_is_written_down() -> None:
    trees = Asked()
    step_keys(trees=trees).keep_file_lists(RUN._replace(mounts=(BIND, CACHE)))
    assert trees.listed == [Choice(ContextInput(), ("src",), whole=True, literal=True)]


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (SECRET._replace(required=True), "secret s: not found"),
        (AGENT._replace(required=True), "ssh agent default: not found"),
    ],
)
def test_what_is_required_must_be_given(missing: RunMount, named: str) -> None:
    operation = RUN._replace(mounts=(missing,))
    with pytest.raises(KezuriError) as caught:
        step_keys("another", agents={"another": "/s"}).components(operation, BEFORE, state_of)
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.message == named and diagnostic.hint.startswith("give it with --s")
    assert diagnostic.source is NODE.source and diagnostic.span == NODE.span
    assert step_keys("s", agents={"default": "/s"}).components(operation, BEFORE, state_of)
    assert step_keys().components(RUN._replace(mounts=(SECRET, AGENT)), BEFORE, state_of)


@pytest.mark.parametrize(
    ("change", "word"), [({"network": "host"}, "network.host"), ({"insecure": True}, "security.insecure")]
)
def test_entitlements_must_be_allowed(change: dict[str, Any], word: str) -> None:
    operation = RUN._replace(mounts=(), **change)
    with pytest.raises(KezuriError, match=f"{word} is not allowed"):
        step_keys(allow=frozenset(["network.host", "security.insecure"]) - {word}).components(
            operation, BEFORE, state_of
        )
    assert step_keys(allow=frozenset([word])).components(operation, BEFORE, state_of)
