"""Slips: which of several words was meant."""

from kezuri.diagnostics import nearest


def test_a_slip_is_found_and_another_word_is_not() -> None:
    assert nearest("CPOY", ["COPY", "CMD", "ENV"]) == "COPY"
    assert nearest("ls", ["lsx", "zz"]) == "lsx"
    assert nearest("APP", ["app"]) == "app"
    assert nearest("alpine", ["busybox"]) is None


def test_of_one_letter_no_other_one_is_a_slip() -> None:
    assert nearest("a", ["k", "b"]) is None
    assert nearest("a", ["k", "A"]) == "A"
