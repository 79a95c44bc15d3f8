"""Keys by law: a change of anything that can change the result changes the key, and nothing else does."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.diagnostics import SourceText, Span
from kezuri.dockerfile.instructions import Node
from kezuri.keys.components import copy_components, run_components, workdir_components
from kezuri.keys.options import RunSettings
from kezuri.keys.state import SCRATCH, State, base_state, next_state
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor, digest_of
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, ContextInput, ImageSource, StageInput
from kezuri.plan.key import Components, decode, digest, encode
from kezuri.plan.operation import (
    AgentMount,
    BindMount,
    CacheMount,
    CopyOperation,
    RunOperation,
    SecretMount,
    TmpfsMount,
    WorkdirOperation,
)

NODE = Node("RUN", "RUN", Span(0, 3), Span(0, 3), "RUN x", (), 0, SourceText("Dockerfile", "RUN x"))
AMD64 = Platform("linux", "amd64")
BEFORE = State("before", ("l1",))
CACHE = CacheMount("/c", "id", "shared", None, "/", None, None, None, False)
SECRET = SecretMount("s", "/run/secrets/s", "", False, 0o400, 0, 0)
AGENT = AgentMount("default", "/run/a", False, 0o600, 0, 0)
BIND = BindMount("/b", ContextInput(), "src", False)
TMPFS = TmpfsMount("/t", 0)
RUN = RunOperation(
    title="RUN x",
    history="RUN x # buildkit",
    node=NODE,
    argv=("/bin/sh", "-c", "x"),
    env=(("PATH", "/bin"), ("A", "1")),
    proxy=(),
    cwd="/",
    user="",
    mounts=(BIND, CACHE, SECRET, AGENT, TMPFS),
    network="default",
    insecure=False,
    script_name="",
    script=b"",
    platform=AMD64,
)
COPY = CopyOperation(
    title="COPY a b",
    history="COPY a b # buildkit",
    node=NODE,
    add=False,
    input=ContextInput(),
    sources=("a",),
    heredocs=(("f", b"data"),),
    order=(0, -1),
    destination="/b",
    chown="",
    chmod="",
    link=False,
    parents=False,
    excludes=(),
    unpack=None,
    source_spans=(),
)
HOSTS = RunSettings(hosts=(("db", "10.0.0.1"),), ulimits=(("nofile", 1, 2),), shm_size=5, hostname="h")


def run_key(operation: RunOperation = RUN, before: State = BEFORE, **more: Any) -> str:
    return digest(run_components(operation, before, more.get("hosts", HOSTS), more.get("bound", {0: "sha256:0"})))


def around(**change: Any) -> RunSettings:
    return RunSettings(
        **{name: change.get(name, getattr(HOSTS, name)) for name in ("hosts", "ulimits", "shm_size", "hostname")}
    )


@pytest.mark.parametrize(
    "other",
    [
        RUN._replace(argv=("/bin/sh", "-c", "y")),
        RUN._replace(argv=("/bin/sh", "-c x")),
        RUN._replace(env=(("PATH", "/bin"), ("A", "2"))),
        RUN._replace(env=(("PATH", "/bin"),)),
        RUN._replace(env=(*RUN.env, ("B", ""))),
        RUN._replace(cwd="/w"),
        RUN._replace(user="app"),
        RUN._replace(network="none"),
        RUN._replace(platform=Platform("linux", "arm64")),
        RUN._replace(insecure=True),
        RUN._replace(script=b"#!/x\n", script_name="EOF"),
        RUN._replace(mounts=RUN.mounts[1:]),
        RUN._replace(mounts=(BIND._replace(writable=True), *RUN.mounts[1:])),
        RUN._replace(mounts=(BIND._replace(target="/b2"), *RUN.mounts[1:])),
        RUN._replace(mounts=(BIND, CACHE._replace(target="/c2"), SECRET, AGENT, TMPFS)),
        RUN._replace(mounts=(BIND, CACHE._replace(readonly=True), SECRET, AGENT, TMPFS)),
        RUN._replace(mounts=(BIND, CACHE, SECRET._replace(id="s2"), AGENT, TMPFS)),
        RUN._replace(mounts=(BIND, CACHE, SECRET._replace(mode=0o444), AGENT, TMPFS)),
        RUN._replace(mounts=(BIND, CACHE, SECRET._replace(uid=1), AGENT, TMPFS)),
        RUN._replace(mounts=(BIND, CACHE, SECRET._replace(env="S"), AGENT, TMPFS)),
        RUN._replace(mounts=(BIND, CACHE, SECRET, AGENT._replace(id="k"), TMPFS)),
        RUN._replace(mounts=(BIND, CACHE, SECRET, AGENT, TMPFS._replace(size=1))),
    ],
    ids=str,
)
def test_what_can_change_the_result_of_a_step_changes_its_key(other: RunOperation) -> None:
    assert run_key(other) != run_key()


@pytest.mark.parametrize(
    "other",
    [
        around(hosts=(("db2", "10.0.0.1"),)),
        around(hosts=()),
        around(ulimits=()),
        around(ulimits=(("nofile", 1, 3),)),
        around(shm_size=6),
        around(hostname="i"),
    ],
)
def test_what_can_change_the_result_of_every_step_changes_all_keys(other: RunSettings) -> None:
    assert run_key(hosts=other) != run_key()


def test_the_state_before_and_the_files_bound_count() -> None:
    assert run_key(before=State("other", ("l1",))) != run_key()
    assert run_key(bound={0: "sha256:1"}) != run_key()


@pytest.mark.parametrize(
    "other",
    [
        RUN._replace(title="RUN  x", history="another", node=NODE._replace(number=7, span=Span(5, 8), written="run")),
        RUN._replace(proxy=(("HTTP_PROXY", "http://user:pw@p"),)),
        RUN._replace(mounts=(BIND, CACHE._replace(id="other"), SECRET, AGENT, TMPFS)),
        RUN._replace(mounts=(BIND, CACHE._replace(sharing="locked"), SECRET, AGENT, TMPFS)),
        # Where bound files lie is not what they are.
        RUN._replace(mounts=(BIND._replace(input=StageInput(3)), *RUN.mounts[1:])),
    ],
    ids=str,
)
def test_what_cannot_change_the_result_of_a_step_leaves_its_key(other: RunOperation) -> None:
    assert run_key(other) == run_key()


def test_addresses_of_extra_hosts_and_their_order_do_not_count() -> None:
    two = around(hosts=(("a", "1"), ("b", "2")))
    assert run_key(hosts=around(hosts=(("db", "10.9.9.9"),))) == run_key()
    assert run_key(hosts=around(hosts=(("b", "9"), ("a", "8")))) == run_key(hosts=two)


def copy_key(operation: CopyOperation = COPY, before: State = BEFORE, files: str = "sha256:0") -> str:
    return digest(copy_components(operation, before, (("files", files),)))


@pytest.mark.parametrize(
    "other",
    [
        COPY._replace(add=True),
        COPY._replace(destination="/b/"),
        COPY._replace(chown="1:1"),
        COPY._replace(chmod="644"),
        COPY._replace(link=True),
        COPY._replace(parents=True),
        COPY._replace(excludes=("*.md",)),
        COPY._replace(unpack=True),
        COPY._replace(unpack=False),
        COPY._replace(heredocs=(("g", b"data"),)),
        COPY._replace(heredocs=(("f", b"datb"),)),
        COPY._replace(heredocs=(), order=(0,)),
        COPY._replace(order=(-1, 0)),
    ],
    ids=str,
)
def test_what_can_change_the_result_of_a_copy_changes_its_key(other: CopyOperation) -> None:
    assert copy_key(other) != copy_key()


def test_files_and_the_state_before_count_for_a_copy() -> None:
    assert copy_key(files="sha256:1") != copy_key()
    assert copy_key(before=State("other", ())) != copy_key()


def test_a_linked_copy_does_not_know_what_lies_below() -> None:
    linked = COPY._replace(link=True)
    assert copy_key(linked, State("other", ())) == copy_key(linked)


@pytest.mark.parametrize(
    "other",
    [
        COPY._replace(title="copy", history="x", node=NODE._replace(number=4), source_spans=(Span(1, 2),)),
        # The files' own digest tells; where they lie does not count.
        COPY._replace(input=StageInput(1)),
        COPY._replace(sources=("elsewhere/a",)),
    ],
)
def test_what_cannot_change_the_result_of_a_copy_leaves_its_key(other: CopyOperation) -> None:
    assert copy_key(other) == copy_key()


def test_a_working_directory() -> None:
    operation = WorkdirOperation("WORKDIR /w", "WORKDIR /w", NODE, "/w", "")
    key = digest(workdir_components(operation, BEFORE))
    assert digest(workdir_components(operation._replace(title="workdir /w", history=""), BEFORE)) == key
    for other in (operation._replace(path="/x"), operation._replace(user="u")):
        assert digest(workdir_components(other, BEFORE)) != key
    assert digest(workdir_components(operation, SCRATCH)) != key


TEXT = st.text(st.characters(codec=None, max_codepoint=0x2FF), max_size=6) | st.sampled_from(
    ["", "\0", "\udc80", '"', "\\", ","]
)
COMPONENTS = st.lists(st.tuples(TEXT, TEXT), max_size=4).map(tuple)


@given(COMPONENTS, COMPONENTS)
def test_different_components_never_share_a_key(one: Components, two: Components) -> None:
    assert (digest(one) == digest(two)) == (one == two)


@given(COMPONENTS)
def test_components_survive_being_kept(components: Components) -> None:
    assert decode(encode(components)) == components


@given(
    st.lists(st.tuples(TEXT, TEXT), max_size=3, unique_by=lambda p: p[0]),
    st.lists(st.tuples(TEXT, TEXT), max_size=3, unique_by=lambda p: p[0]),
    st.lists(TEXT, min_size=1, max_size=3),
    st.lists(TEXT, min_size=1, max_size=3),
)
def test_environment_and_command_cannot_stand_for_each_other(
    env: list[tuple[str, str]], other: list[tuple[str, str]], argv: list[str], words: list[str]
) -> None:
    one = RUN._replace(env=tuple(env), argv=tuple(argv))
    two = RUN._replace(env=tuple(other), argv=tuple(words))
    assert (run_key(one) == run_key(two)) == (one == two)


class TestStates:
    def image(self, *contents: bytes, name: str = "a") -> BaseImage:
        ids = tuple(digest_of(c) for c in contents)
        layers = tuple(Descriptor("application/x", digest_of(name.encode() + c), 1) for c in contents)
        return BaseImage(name, digest_of(name.encode()), ImageConfig(AMD64, ids), layers, ImageSource("registry", name))

    def test_a_retagged_or_recompressed_base_is_the_same(self) -> None:
        assert base_state(self.image(b"1", b"2", name="a")) == base_state(self.image(b"1", b"2", name="b"))

    def test_other_layers_or_another_order_are_not(self) -> None:
        assert base_state(self.image(b"1", b"2")).id != base_state(self.image(b"2", b"1")).id
        assert base_state(self.image(b"1")).id != base_state(self.image(b"1", b"2")).id

    def test_an_image_without_layers_is_scratch(self) -> None:
        assert base_state(self.image()) == SCRATCH

    @given(st.lists(TEXT, max_size=3), st.lists(TEXT, max_size=3))
    def test_states_follow_from_all_layers(self, one: list[str], two: list[str]) -> None:
        states = []
        for layers in (one, two):
            state = SCRATCH
            for layer in layers:
                state = next_state(state, layer.replace("\0", ""))
            states.append(state)
        assert (states[0].id == states[1].id) == (states[0].layers == states[1].layers)


# Laws over generated steps. A field says here whether it counts: one that is new in an operation has to be put into
# one of the two lists, or these tests fail.

WORD = st.text(st.characters(codec="utf-8", min_codepoint=32, max_codepoint=0x17F), min_size=1, max_size=4)
PATH = st.lists(st.sampled_from(["a", "b", "c d"]), min_size=1, max_size=2).map(lambda parts: "/" + "/".join(parts))
SMALL = st.integers(0, 2)
INPUTS = st.sampled_from([ContextInput(), ContextInput("other"), StageInput(0), StageInput(1)])
MOUNTS_BY_KIND: dict[Any, st.SearchStrategy[Any]] = {
    BindMount: st.builds(BindMount, PATH, INPUTS, PATH, st.booleans()),
    CacheMount: st.builds(
        CacheMount,
        PATH,
        WORD,
        st.sampled_from(["shared", "private", "locked"]),
        st.none() | INPUTS,
        PATH,
        st.none() | SMALL,
        st.none() | SMALL,
        st.none() | SMALL,
        st.booleans(),
    ),
    TmpfsMount: st.builds(TmpfsMount, PATH, SMALL),
    SecretMount: st.builds(SecretMount, WORD, st.just("") | PATH, WORD, st.booleans(), SMALL, SMALL, SMALL),
    AgentMount: st.builds(AgentMount, WORD, PATH, st.booleans(), SMALL, SMALL, SMALL),
}
MOUNTS = st.one_of(*MOUNTS_BY_KIND.values())
PLATFORMS = st.sampled_from([AMD64, Platform("linux", "arm64"), Platform("linux", "arm", "v7")])
NODES = st.builds(lambda n, s: NODE._replace(number=n, span=Span(s, s + 3)), SMALL, SMALL)
RUNS = st.builds(
    RunOperation,
    title=WORD,
    history=WORD,
    node=NODES,
    argv=st.lists(WORD, min_size=1, max_size=3).map(tuple),
    env=st.lists(st.tuples(WORD, WORD), max_size=3, unique_by=lambda p: p[0]).map(tuple),
    proxy=st.lists(st.tuples(WORD, WORD), max_size=1).map(tuple),
    cwd=PATH,
    user=st.just("") | WORD,
    mounts=st.lists(MOUNTS, max_size=3).map(tuple),
    network=st.sampled_from(["default", "none", "host"]),
    insecure=st.booleans(),
    script_name=st.just(""),
    script=st.just(b"") | st.binary(min_size=1, max_size=3),
    platform=PLATFORMS,
    arguments=st.lists(WORD, max_size=2).map(tuple),
)
COPIES = st.builds(
    CopyOperation,
    title=WORD,
    history=WORD,
    node=NODES,
    add=st.booleans(),
    input=INPUTS,
    sources=st.lists(WORD, max_size=2).map(tuple),
    heredocs=st.lists(st.tuples(WORD, st.binary(max_size=3)), max_size=2).map(tuple),
    order=st.lists(SMALL, max_size=2).map(tuple),
    destination=PATH,
    chown=st.just("") | WORD,
    chmod=st.just("") | WORD,
    link=st.booleans(),
    parents=st.booleans(),
    excludes=st.lists(WORD, max_size=2).map(tuple),
    unpack=st.sampled_from([None, True, False]),
    source_spans=st.just(()),
    remotes=st.just(()),
)
WORKDIRS = st.builds(WorkdirOperation, WORD, WORD, NODES, PATH, st.just("") | WORD)
STATES = st.sampled_from([BEFORE, State("other", ("l1",))])

FREE_IN_RUN = {"title", "history", "node", "proxy", "script_name", "arguments"}
"""The script's name is in the command that runs it, and what an ARG gives is in the environment."""
FREE_IN_COPY = {"title", "history", "node", "input", "sources", "source_spans", "remotes"}
"""What the sources are is told by the components of the files."""
FREE_IN_MOUNT: dict[type, set[str]] = {
    BindMount: {"input"},
    CacheMount: {"id", "sharing", "input", "source"},
    TmpfsMount: set(),
    SecretMount: set(),
    AgentMount: set(),
}
"""Files that are bound or seed a cache are components of their own; what a cache holds never counts."""


def _counting(operation: Any, free: set[str]) -> tuple[object, ...]:
    """Everything of an operation that has to count."""
    kept = []
    for name, value in zip(operation._fields, operation):
        if name == "mounts":
            kept.append(tuple((type(m), _counting(m, FREE_IN_MOUNT[type(m)])) for m in value))
        elif name not in free:
            kept.append(value)
    return tuple(kept)


def _bound(operation: RunOperation) -> dict[int, str]:
    return {i: "sha256:0" for i, m in enumerate(operation.mounts) if getattr(m, "input", None) is not None}


def _seeds(operation: RunOperation) -> tuple[bool, ...]:
    return tuple(getattr(m, "input", None) is not None for m in operation.mounts)


@given(RUNS, RUNS, STATES, STATES)
def test_steps_have_one_key_exactly_when_all_that_counts_is_equal(
    one: RunOperation, two: RunOperation, first: State, second: State
) -> None:
    same = _counting(one, FREE_IN_RUN) == _counting(two, FREE_IN_RUN)
    same = same and _seeds(one) == _seeds(two) and first == second
    keys = [run_key(o, b, bound=_bound(o)) for o, b in ((one, first), (two, second))]
    assert (keys[0] == keys[1]) == same


@pytest.mark.parametrize("name", RunOperation._fields)
@settings(max_examples=30)
@given(one=RUNS, two=RUNS)
def test_each_field_of_a_step_counts_or_does_not(name: str, one: RunOperation, two: RunOperation) -> None:
    """Two steps that differ in one field only: random ones hardly ever do."""
    other = one._replace(**{name: getattr(two, name)})
    same = _counting(one, FREE_IN_RUN) == _counting(other, FREE_IN_RUN) and _seeds(one) == _seeds(other)
    assert (run_key(one, bound=_bound(one)) == run_key(other, bound=_bound(other))) == same


@pytest.mark.parametrize("kind, name", [(kind, name) for kind in MOUNTS_BY_KIND for name in kind._fields])
@settings(max_examples=30)
@given(data=st.data())
def test_each_field_of_a_mount_counts_or_does_not(kind: Any, name: str, data: st.DataObject) -> None:
    one, two = data.draw(MOUNTS_BY_KIND[kind]), data.draw(MOUNTS_BY_KIND[kind])
    other = one._replace(**{name: getattr(two, name)})
    first, second = RUN._replace(mounts=(one,)), RUN._replace(mounts=(other,))
    same = _counting(first, FREE_IN_RUN) == _counting(second, FREE_IN_RUN) and _seeds(first) == _seeds(second)
    assert (run_key(first, bound=_bound(first)) == run_key(second, bound=_bound(second))) == same


@pytest.mark.parametrize("name", CopyOperation._fields)
@settings(max_examples=30)
@given(one=COPIES, two=COPIES, first=STATES, second=STATES)
def test_each_field_of_a_copy_counts_or_does_not(
    name: str, one: CopyOperation, two: CopyOperation, first: State, second: State
) -> None:
    other = one._replace(**{name: getattr(two, name)})
    ours, theirs = _counting(one, FREE_IN_COPY), _counting(other, FREE_IN_COPY)
    if name == "order" and not one.heredocs:
        theirs = ours
    same = ours == theirs and (one.link or first == second)
    assert (copy_key(one, first) == copy_key(other, second)) == same


@given(WORKDIRS, WORKDIRS, STATES, STATES)
def test_working_directories_have_one_key_exactly_when_all_that_counts_is_equal(
    one: WorkdirOperation, two: WorkdirOperation, first: State, second: State
) -> None:
    same = (one.path, one.user, first) == (two.path, two.user, second)
    assert (digest(workdir_components(one, first)) == digest(workdir_components(two, second))) == same


@given(RUNS, COPIES, WORKDIRS, STATES)
def test_steps_of_different_kinds_never_share_a_key(
    run: RunOperation, copy: CopyOperation, workdir: WorkdirOperation, before: State
) -> None:
    added = copy._replace(add=not copy.add)
    keys = {
        run_key(run, before, bound=_bound(run)),
        copy_key(copy, before),
        copy_key(added, before),
        digest(workdir_components(workdir, before)),
    }
    assert len(keys) == 4


@given(RUNS)
def test_what_is_bound_and_what_seeds_counts(run: RunOperation) -> None:
    bound = _bound(run)
    for position in bound:
        assert run_key(run, bound=bound | {position: "sha256:1"}) != run_key(run, bound=bound)
