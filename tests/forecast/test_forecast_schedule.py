"""The critical path by law: no schedule is faster, and with a slot for every stage none is needed that is slower."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.forecast.schedule import Lane, critical_path, makespan


@st.composite
def lanes_of(draw: st.DrawFn) -> dict[int, Lane]:
    """Lanes, each after those that it needs."""
    lanes: dict[int, Lane] = {}
    for number in range(draw(st.integers(0, 5))):
        after = draw(st.integers(-1, number - 1))
        needs = st.lists(st.integers(0, number - 1), max_size=2).map(tuple) if number else st.just(())
        steps = draw(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0, 5.0]), needs), max_size=4))
        lanes[number] = Lane(after, tuple(steps))
    return lanes


@given(lanes_of())
def test_it_takes_as_long_as_the_whole_with_slots_for_all(lanes: dict[int, Lane]) -> None:
    path = critical_path(lanes)
    seconds = sum(lanes[number].steps[position][0] for number, position in path)
    assert seconds == makespan(lanes, max(1, len(lanes)))
    assert seconds <= makespan(lanes, 1) and len(set(path)) == len(path)
    assert all(lanes[number].steps[position][0] > 0 for number, position in path)


@given(lanes_of())
def test_each_step_of_it_waits_for_the_one_before(lanes: dict[int, Lane]) -> None:
    def complete(number: int) -> set[int]:
        """The lanes that have ended when this one has, itself among them."""
        lane = lanes[number]
        before = {lane.after, *(need for _, needs in lane.steps for need in needs)} - {-1}
        return {number}.union(*map(complete, before))

    def waited(number: int, position: int) -> set[int]:
        """The lanes that have ended when this step begins."""
        lane = lanes[number]
        before = {lane.after, *(need for _, needs in lane.steps[: position + 1] for need in needs)} - {-1}
        return set().union(*map(complete, before))

    path = critical_path(lanes)
    for (number, position), (later, at) in pairwise(path):
        assert (number == later and position < at) or number in waited(later, at)


def test_a_step_that_needs_another_lane_comes_after_it() -> None:
    lanes = {0: Lane(-1, ((3.0, ()), (2.0, ()))), 1: Lane(-1, ((4.0, ()),)), 2: Lane(1, ((0.0, ()), (1.0, (0,))))}
    assert critical_path(lanes) == ((0, 0), (0, 1), (2, 1))
    assert critical_path({}) == critical_path({0: Lane(-1, ((0.0, ()),))}) == ()


@pytest.mark.parametrize("slots", [1, 2])
def test_fewer_slots_are_never_faster(slots: int) -> None:
    lanes = {number: Lane(-1, ((1.0, ()),)) for number in range(3)}
    assert makespan(lanes, slots) >= makespan(lanes, 3) == 1.0
