"""Folded cases are all tried, and each one that fails is named."""

import pytest
from tests.suites.suites_folded import folded


def test_every_case_is_tried_and_those_that_fail_are_named() -> None:
    tried = []

    @folded([3, 0, 1, 0], lambda number: f"case {number}")
    def each(number: int) -> None:
        tried.append(number)
        assert 1 // number, "it is none"

    with pytest.raises(AssertionError, match=r"(?s)^3 of 4 fail:\n\[case 3\] .*none.*\n\[case 0\] ZeroDivisionError"):
        each()
    assert tried == [3, 0, 1, 0]
    folded([1])(lambda number: None)()
    with pytest.raises(AssertionError):
        folded([])
