"""What changed between two measurements: steps found again though they were edited, packages by their names."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.growth.change import Change, change
from kezuri.growth.values import Measurement, PackageSize, StepSize


def compared(
    before: Sequence[StepSize],
    after: Sequence[StepSize],
    packages: tuple[Sequence[PackageSize], Sequence[PackageSize]] = ((), ()),
    counted: tuple[int, int] = (0, 0),
) -> Change:
    one, two = (
        Measurement("app", "t", "", "", "", "", {"wire": len(steps), "packages": count}, tuple(steps), tuple(owned))
        for steps, owned, count in zip((before, after), packages, counted)
    )
    return change(one, two)


def told(found: Change) -> list[tuple[int, str | None, str | None]]:
    return [(s.more, s.before and s.before.text, s.after and s.after.text) for s in found.steps]


def test_an_edited_step_is_the_same_step() -> None:
    base = StepSize("base", 100, of_base=True)
    before = [base, StepSize("RUN apt-get install -y curl", 10), StepSize("COPY . .", 5), StepSize("RUN old", 3)]
    after = [base, StepSize("RUN apt-get install -y curl git", 40), StepSize("COPY . .", 9), StepSize("USER app", 0)]
    assert told(compared(before, after)) == [
        (30, "RUN apt-get install -y curl", "RUN apt-get install -y curl git"),
        (4, "COPY . .", "COPY . ."),
        (0, None, "USER app"),
        (-3, "RUN old", None),
    ]


def test_layers_of_another_base_are_compared_in_turn() -> None:
    before = [StepSize("ADD one", 100, of_base=True), StepSize("COPY . .", 5)]
    after = [StepSize("something else", 70, of_base=True), StepSize("COPY . .", 5)]
    assert told(compared(before, after)) == [(-30, "ADD one", "something else")]


def test_packages_by_name_with_their_versions() -> None:
    before = [PackageSize("deb", "curl", "1", 10), PackageSize("npm", "ms", "1", 2), PackageSize("npm", "ms", "2", 3)]
    after = [PackageSize("deb", "curl", "2", 15), PackageSize("npm", "ms", "2", 3), PackageSize("pypi", "six", "1", 1)]
    found = compared([], [], (before, after), (3, 3)).packages
    assert [(p.name, p.before, p.after, p.more) for p in found] == [
        ("curl", ("1",), ("2",), 5),
        ("six", (), ("1",), 1),
        ("ms", ("1", "2"), ("2",), -2),
    ]


def test_what_a_short_list_leaves_out_is_not_called_new() -> None:
    """Only the largest packages are recorded."""
    before = [PackageSize("deb", "big", "1", 100), PackageSize("deb", "middle", "1", 50)]
    after = [
        PackageSize("deb", "big", "1", 100),
        PackageSize("deb", "other", "1", 49),
        PackageSize("deb", "new", "1", 60),
    ]
    found = compared([], [], (before, after), (9, 3)).packages
    assert [(p.name, p.more) for p in found] == [("new", 60), ("middle", -50)]


STEPS = st.lists(
    st.tuples(st.sampled_from(["RUN a", "RUN a b", "COPY x y", "ADD z"]), st.integers(0, 99)).map(
        lambda step: StepSize(*step)
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, STEPS)
def test_the_growth_of_the_steps_is_that_of_the_image(before: list[StepSize], after: list[StepSize]) -> None:
    """Every step is in one pair, so that nothing grows that nobody is told of."""
    found = compared(before, after)
    assert sum(step.more for step in found.steps) == sum(s.size for s in after) - sum(s.size for s in before)
    assert compared(before, before).steps == ()
