"""Stages laid side by side: what was inserted, taken out or edited does not shift the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.keys.alignment import Line, align

LINES = st.lists(
    st.builds(Line, st.sampled_from(["RUN", "COPY"]), st.sampled_from(["a b c", "a b d", "xyz", "x", ""])), max_size=7
)


def of(text: str) -> list[Line]:
    """Instructions by their texts; the first letter tells their kind."""
    return [Line(word[0], word) for word in text.split()]


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ("", "", ()),
        ("", "ra", (None,)),
        ("ra", "", ()),
        ("ra rb rc", "ra rb rc", (0, 1, 2)),
        ("ra rc", "ra rb rc", (0, None, 1)),
        ("ra rb rc", "ra rc", (0, 2)),
        ("rb rc", "ra rb rc", (None, 0, 1)),
        ("rmake rb", "rmake-j4 rb", (0, 1)),
        ("rmake rb", "cmake rb", (None, 1)),
        ("rmake rinstall", "cx rmake-j4 rinstall", (None, 0, 1)),
        ("ra ra ra", "ra ra", (0, 1)),
        ("rqqqq ra", "rzzzz ra", (None, 1)),
        ("ra rb", "rb ra", (1, None)),
    ],
)
def test_cases(before: str, after: str, expected: tuple[int | None, ...]) -> None:
    assert align(of(before), of(after)) == expected


@given(LINES, LINES)
def test_pairs_keep_order_and_kind(before: list[Line], after: list[Line]) -> None:
    found = align(before, after)
    assert len(found) == len(after)
    taken = [i for i in found if i is not None]
    assert taken == sorted(set(taken))
    assert all(before[i].kind == line.kind for i, line in zip(found, after) if i is not None)


@given(LINES, LINES, LINES)
def test_what_is_put_in_shifts_nothing(head: list[Line], tail: list[Line], more: list[Line]) -> None:
    """Lines that are like no others are new, and the others are what they were."""
    fresh = [Line("ADD", line.text) for line in more]
    found = align([*head, *tail], [*head, *fresh, *tail])
    assert found == (*range(len(head)), *[None] * len(fresh), *range(len(head), len(head) + len(tail)))
