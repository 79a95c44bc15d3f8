"""Keys compared: no difference exactly when they are equal, and the same differences from either side."""

from hypothesis import given
from hypothesis import strategies as st

from kezuri.keys.difference import ORDER, Difference, differences
from kezuri.plan.key import Components, digest

NAMES = st.sampled_from(["kind", "state before", "env A", "env B", "files", "mount /x", "command", "other"])
COMPONENTS = st.lists(st.tuples(NAMES, st.sampled_from(["", "1", "2"])), max_size=5).map(tuple)


@given(COMPONENTS)
def test_nothing_differs_from_itself(components: Components) -> None:
    assert differences(components, components) == ()


@given(COMPONENTS, COMPONENTS)
def test_something_differs_exactly_when_the_keys_do(one: Components, two: Components) -> None:
    assert bool(differences(one, two)) == (digest(one) != digest(two))


@given(COMPONENTS, COMPONENTS)
def test_it_is_the_same_from_the_other_side(one: Components, two: Components) -> None:
    assert tuple(d.reverse for d in differences(two, one)) == differences(one, two)


@given(COMPONENTS, COMPONENTS)
def test_each_difference_is_one(one: Components, two: Components) -> None:
    for difference in differences(one, two):
        assert difference.before != difference.after
        if difference.name != ORDER:
            assert difference.before is None or (difference.name, difference.before) in one
            assert difference.after is None or (difference.name, difference.after) in two


def test_what_stands_for_much_comes_first() -> None:
    before = (("kind", "RUN"), ("user", "a"), ("env A", "1"), ("command", "x"), ("state before", "s"))
    after = (("kind", "RUN"), ("user", "b"), ("env B", "1"), ("command", "y"), ("state before", "t"))
    assert [d.name for d in differences(before, after)] == ["state before", "command", "env A", "env B", "user"]
    assert differences(before, after)[2] == Difference("env A", "1", None)


def test_the_order_of_components_is_a_difference() -> None:
    one, two = (("env A", "1"), ("env B", "2")), (("env B", "2"), ("env A", "1"))
    assert differences(one, two) == (Difference(ORDER, "env A, env B", "env B, env A"),)
