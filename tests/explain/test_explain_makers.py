"""Layers and the steps that made them: found again by their ids, whatever was put below, between or above them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.cache.journal import Asked, Heading, JournalBuild, JournalStage, JournalStep
from kezuri.explain.makers import made_by
from kezuri.oci.config import chain_id
from kezuri.plan.key import state_of
from kezuri.progress.events import StepName

BASE = ("sha256:b0", "sha256:b1")


def step(number: int, stage: int, layer: str) -> JournalStep:
    name = StepName(f"RUN {layer}", number, 9, f"s{stage}")
    return JournalStep(
        number, stage, number - 1, name, "RUN", number + 1, False, "k", (), "ran", 1.0, layer, "", "", True, "", False,
        (), (),
    )  # fmt: skip


def build(number: int, stages: list[tuple[int, list[str]]], base: tuple[str, ...] = BASE) -> JournalBuild:
    """A build: of each stage the number of the one it stands on (-1: the base) and the layers of its steps."""
    found, count = [], 0
    for at, (under, layers) in enumerate(stages):
        steps = []
        for layer in layers:
            count += 1
            steps.append(step(count, at, layer))
        kind = "stage" if under >= 0 else "image"
        state = state_of("base", chain_id(base)) if under < 0 and base else state_of("scratch") if under < 0 else "x"
        found.append(JournalStage(at, "", f"s{at}", "", kind, "debian", under, "", state, tuple(steps)))
    asked = Asked("/app", "/app/Dockerfile", "", (), "/app")
    return JournalBuild(Heading(number, asked, 0.0, 0.0), 1.0, "", tuple(found))


def known(diff_ids: tuple[str, ...]) -> dict[str, list[str]]:
    return {diff_id: [diff_id.replace("sha256:", "layer ")] for diff_id in diff_ids if diff_id not in BASE}


def titles(made: object) -> dict[int, str]:
    return {number: each.title for number, each in made.steps.items()}  # type: ignore[attr-defined]


def test_steps_are_found_by_their_layers() -> None:
    one = build(7, [(-1, ["layer a", "layer b"]), (0, ["layer c"])])
    image = (*BASE, "sha256:a", "sha256:b", "sha256:c")
    made = made_by([build(9, [(-1, ["layer x"])]), one], image, known(image))
    assert made is not None and made.build is one
    assert (made.base_layers, made.base) == (2, "debian")
    assert titles(made) == {2: "RUN layer a", 3: "RUN layer b", 4: "RUN layer c"}
    assert made.whole(5)
    # of two builds with the same layers the first one is it: the latest
    assert made_by([build(9, [(-1, ["layer a", "layer b", "layer c"])]), one], image, known(image)) != made
    # on another base, with a layer between and one above
    other = ("sha256:z", "sha256:a", "sha256:new", "sha256:c", "sha256:top")
    made = made_by([one], other, known(other))
    assert made is not None and made.base_layers == -1 and not made.whole(5)
    assert titles(made) == {1: "RUN layer a", 3: "RUN layer c"}
    # from scratch, and what nobody here has made
    made = made_by([build(1, [(-1, ["layer a"])], ())], ("sha256:a",), known(("sha256:a",)))
    assert made is not None and made.base_layers == 0 and made.whole(1)
    assert made_by([one], ("sha256:q",), known(("sha256:q",))) is None
    assert made_by([], image, known(image)) is None


def test_a_journal_that_goes_in_circles_ends() -> None:
    circle = build(1, [(1, ["layer a"]), (0, ["layer b"]), (5, ["layer c"])])
    image = ("sha256:a", "sha256:b", "sha256:c")
    assert made_by([circle], image, known(image)) is not None


@settings(max_examples=12)
@given(
    st.lists(st.integers(0, 12), max_size=8, unique=True),
    st.lists(st.tuples(st.integers(0, 8), st.integers(20, 30)), max_size=3),
    st.booleans(),
)
def test_every_layer_of_a_build_is_found(numbers: list[int], between: list[tuple[int, int]], split: bool) -> None:
    layers = [f"layer {number}" for number in numbers]
    half = len(layers) // 2 if split else len(layers)
    stages = [(-1, layers[:half]), (0, layers[half:])]
    diff_ids = [f"sha256:{number}" for number in numbers]
    for place, number in between:
        diff_ids.insert(min(place, len(diff_ids)), f"sha256:{number}")
    image = (*BASE, *diff_ids)
    made = made_by([build(1, stages)], image, known(image))
    if not numbers:
        assert made is None
        return
    assert made is not None and made.base_layers == 2
    assert titles(made) == {
        place: f"RUN layer {diff_id.removeprefix('sha256:')}"
        for place, diff_id in enumerate(image)
        if f"layer {diff_id.removeprefix('sha256:')}" in layers
    }
