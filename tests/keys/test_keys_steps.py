"""What keys take from trees and from elsewhere, and what must be given before there is a key: with trees that only
remember."""

from typing import Any, cast

import pytest
from tests.build.test_build_keys import AGENT, BEFORE, BIND, CACHE, NODE, RUN, SECRET, TMPFS
from tests.plan.plan_dockerfiles import last

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.keys.inputs import Inputs
from kezuri.keys.options import Options, RunSettings
from kezuri.keys.state import State, StateOf
from kezuri.keys.stepkeys import StepKeys
from kezuri.plan.inputs import Choice, ContextInput, Remote, StageInput, UrlSource
from kezuri.plan.operation import CopyOperation, RunMount
from kezuri.tree.selection import SourceError


class Asked:
    """Inputs whose digests are what was asked for."""

    def __init__(self) -> None:
        self.listed: list[Choice] = []

    def digest(self, choice: Choice, states: StateOf) -> str:
        return repr(choice)

    def identity(self, source: Remote) -> tuple[str, str]:
        if "nowhere" in repr(source):
            raise KezuriError.of("nobody answers")
        return "url", source.url if isinstance(source, UrlSource) else source.remote

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


ADDED = "FROM scratch\nADD --exclude=x a.txt b* https://e.org/one https://e.org/two c.txt /d/\n"


def copy_of(text: str) -> CopyOperation:
    (operation,) = last(text).operations
    assert isinstance(operation, CopyOperation)
    return operation


def local(*words: str) -> Choice:
    return Choice(ContextInput(), words, False, ("x",))


def test_words_beside_each_other_are_one_choice_and_remote_ones_are_alone() -> None:
    one, two = UrlSource("https://e.org/one", "one"), UrlSource("https://e.org/two", "two")
    pieces = copy_of(ADDED).pieces
    assert pieces == ((0, local("a.txt", "b*")), (2, one), (3, two), (4, local("c.txt")))
    assert copy_of("FROM scratch\nADD https://e.org/one a.txt b /d/\n").pieces[1] == (
        1, Choice(ContextInput(), ("a.txt", "b")),
    )  # fmt: skip
    assert copy_of("FROM scratch\nCOPY --exclude=x a.txt b* /d/\n").pieces == ((0, local("a.txt", "b*")),)
    assert copy_of("FROM scratch\nCOPY <<a /d/\n1\na\n").pieces == ((0, Choice(ContextInput(), ())),)


def test_each_piece_of_an_add_counts_in_the_order_of_the_words() -> None:
    parts = step_keys().components(copy_of(ADDED), BEFORE, state_of)
    assert [part for part in parts if part[0].partition(" ")[0] in ("files", "url")] == [
        ("files", repr(local("a.txt", "b*"))),
        ("url", "https://e.org/one"),
        ("url 2", "https://e.org/two"),
        ("files 2", repr(local("c.txt"))),
    ]


def test_an_error_of_a_remote_word_is_at_the_word() -> None:
    text = "FROM scratch\nADD a.txt https://e.org/nowhere /d/\n"
    with pytest.raises(KezuriError, match="nobody answers") as caught:
        step_keys().components(copy_of(text), BEFORE, state_of)
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.span is not None
    assert text[diagnostic.span.start : diagnostic.span.end] == "https://e.org/nowhere"


def test_an_error_of_local_words_is_at_the_word_that_it_names_or_else_at_the_instruction() -> None:
    text = "FROM scratch\nCOPY a.txt b.txt /d/\n"

    class Broken(Asked):
        def __init__(self, error: KezuriError) -> None:
            super().__init__()
            self.error = error

        def digest(self, choice: Choice, states: StateOf) -> str:
            raise self.error

    def shown(error: KezuriError) -> str:
        with pytest.raises(KezuriError) as caught:
            step_keys(trees=Broken(error)).components(copy_of(text), BEFORE, state_of)
        span = caught.value.diagnostics[0].span
        assert span is not None
        return text[span.start : span.end]

    named = SourceError(Diagnostic("error", "no such file"))
    named.word = 1
    assert shown(named) == "b.txt"
    assert shown(KezuriError.of("the disk is broken")) == "COPY a.txt b.txt /d/"


def test_what_is_written_down_of_a_copy_are_its_local_pieces() -> None:
    trees = Asked()
    step_keys(trees=trees).keep_file_lists(copy_of(ADDED))
    assert trees.listed == [local("a.txt", "b*"), local("c.txt")]


def test_that_a_list_cannot_be_written_is_no_failure() -> None:
    class Full(Asked):
        def keep_file_list(self, choice: Choice) -> None:
            raise KezuriError.of("no space left on the device")

    step_keys(trees=Full()).keep_file_lists(copy_of(ADDED))
