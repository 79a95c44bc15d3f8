"""Offsets and points are each other's reverse, in every unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.diagnostics import Span
from kezuri.editor.positions import Point, Positions, Unit

texts = st.text(st.sampled_from("a é😀\u2028\n\r\x0c\t\ud83d"), max_size=40)
units = st.sampled_from(["utf-8", "utf-16", "utf-32"])


@given(texts, units, st.integers(-5, 60))
def test_an_offset_comes_back(text: str, unit: Unit, offset: int) -> None:
    positions = Positions(text, unit)
    point = positions.point(offset)
    back = positions.offset(point)
    assert positions.point(back) == point
    if 0 <= offset <= len(text) and text[offset - 1 : offset + 1] != "\r\n":
        assert back == offset


@given(texts, units, st.integers(-3, 60), st.integers(-3, 60))
def test_whatever_is_asked_there_is_an_offset(text: str, unit: Unit, line: int, column: int) -> None:
    assert 0 <= Positions(text, unit).offset(Point(line, column)) <= len(text)


@pytest.mark.parametrize(("unit", "column"), [("utf-8", 7), ("utf-16", 4), ("utf-32", 3)])
def test_widths(unit: Unit, column: int) -> None:
    positions = Positions("x\r\né😀y", unit)
    assert positions.point(5) == Point(1, column - 1)
    assert positions.point(6) == Point(1, column)
    assert positions.offset(Point(1, column)) == 6
    assert positions.span(Span(0, 3)) == (Point(0, 0), Point(1, 0))
    assert positions.whole() == (Point(0, 0), Point(1, column))


def test_a_point_within_a_character_is_its_beginning() -> None:
    assert Positions("é😀y", "utf-16").offset(Point(0, 2)) == 1
    assert Positions("é😀y", "utf-8").offset(Point(0, 4)) == 1


def test_a_line_ending_belongs_to_its_line() -> None:
    positions = Positions("ab\r\ncd")
    assert positions.point(3) == Point(0, 2)
    assert positions.offset(Point(0, 99)) == 2
