"""A law of owners: whatever packages come, change and go, each file belongs to what its own layer's database said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.anatomy.anatomy_images import dissected

from kezuri.anatomy.naming import recorded_names
from kezuri.anatomy.records import LayerRecords
from kezuri.anatomy.summary import summarise
from kezuri.anatomy.values import Maker
from kezuri.check.image.rule import ExampleLayer, Made

NAMES = ("one", "two", "three")
PATHS = ("usr/a", "usr/b", "usr/lib/c", "opt/d")
State = dict[str, tuple[int, frozenset[str]]]
"""Installed packages: their version and their files."""

packages = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.integers(1, 3), st.frozensets(st.sampled_from(PATHS), max_size=3)), max_size=3
)
layers = st.lists(st.tuples(packages, st.frozensets(st.sampled_from(PATHS), max_size=2)), min_size=1, max_size=4)
"""By layer what is installed afterwards, and files that somebody writes without a package."""


def disjoint(state: State) -> State:
    """Without the files that an earlier package has: no two packages of a system have one file."""
    taken: set[str] = set()
    found: State = {}
    for name, (version, files) in state.items():
        found[name] = version, files - taken
        taken |= files
    return found


def layer_of(before: State, after: State, own: frozenset[str]) -> ExampleLayer:
    """What a step leaves that makes one state of the other: changed packages write their files and their list anew."""
    made: ExampleLayer = {}
    if before == after:
        return {path: Made(b"own") for path in own}
    for name, (_, files) in before.items():
        if after.get(name) != before[name]:
            made |= {path: Made(kind="whiteout") for path in files}
            made[f"var/lib/dpkg/info/{name}.list"] = Made(kind="whiteout")
    for name, (version, files) in after.items():
        if before.get(name) != (version, files):
            made |= {path: Made(f"{name}{version}".encode()) for path in files}
            text = "/.\n/usr\n" + "".join(f"/{path}\n" for path in sorted(files))
            made[f"var/lib/dpkg/info/{name}.list"] = Made(text.encode())
    made |= {path: Made(b"own") for path in own}
    status = "\n".join(f"Package: {n}\nStatus: install ok installed\nVersion: {v}\n" for n, (v, _) in after.items())
    made["var/lib/dpkg/status"] = Made(status.encode() or b"\n")
    return made


def owner_in(state: State, path: str) -> str:
    return next((f"{name} {version}" for name, (version, files) in state.items() if path in files), "")


def check(steps: list[tuple[State, frozenset[str]]]) -> None:
    states = [disjoint(state) for state, _ in steps]
    before: State = {}
    stack: list[ExampleLayer] = []
    for state, (_, own) in zip(states, steps):
        stack.append(layer_of(before, state, own))
        before = state
    image = dissected(*stack, makers=[Maker("", of_base=True)])
    names = recorded_names(image)
    kept = [LayerRecords() for _ in stack]
    for number, layer in enumerate(image.layers):
        for item in image.items():
            if item.layer == number and kept[number].wants(item.entry):
                for _, _, data in layer.form.read([item.path]):  # type: ignore[attr-defined]
                    kept[number].look(item.entry, data)
    known = recorded_names(image, known=kept)
    for item in image.items():
        if not item.file or item.path not in PATHS:
            continue
        # Where the layer's own database does not name it, a higher one may: some builders write it last.
        said = [owner_in(state, item.path) for state in states[item.layer :]]
        expected = next(filter(None, said), "no package" if not item.layer else "the application")
        assert str(names.owners[names.owner(item)]) == expected, (item.path, item.layer)
        assert str(known.owners[known.owner(item)]) == expected
    figures = summarise(image)
    assert sum(share.size for share in figures.owners) == figures.useful
    assert sum(share.wasted for share in figures.owners) <= figures.wasted


@settings(max_examples=25, deadline=None)
@given(layers)
def test_a_file_belongs_to_the_package_that_its_layer_had(steps: list[tuple[State, frozenset[str]]]) -> None:
    check(steps)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(layers)
def test_a_file_always_belongs_to_the_package_that_its_layer_had(steps: list[tuple[State, frozenset[str]]]) -> None:
    check(steps)
