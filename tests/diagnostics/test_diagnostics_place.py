"""Errors are given their place in one way."""

from kezuri.diagnostics import Diagnostic, KezuriError, Place, SourceText, Span
from kezuri.tree.selection import SourceError

SOURCE = SourceText("Dockerfile", "FROM a\nCOPY b c\n")
OTHER = SourceText("ignore", "x")
PLACE = Place(SOURCE, Span(7, 15))


def test_what_has_no_place_is_given_one() -> None:
    error = KezuriError(Diagnostic("error", "one"), Diagnostic("error", "two", hint="help"), exit_code=125)
    placed = error.at(PLACE)
    assert placed.diagnostics == (
        Diagnostic("error", "one", SOURCE, Span(7, 15)),
        Diagnostic("error", "two", SOURCE, Span(7, 15), "help"),
    )
    assert (placed.exit_code, str(placed)) == (125, "one; two")
    assert error.diagnostics[0].source is None, "the error itself stays as it was"


def test_what_has_a_place_keeps_it() -> None:
    there = Diagnostic("error", "one", OTHER, Span(0, 1))
    whole = Diagnostic("error", "two", OTHER)
    assert KezuriError(there, whole).at(PLACE).diagnostics == (there, whole)


def test_a_span_without_a_source_is_one_of_the_source() -> None:
    (found,) = KezuriError.of("x", span=Span(12, 13)).at(PLACE).diagnostics
    assert (found.source, found.span) == (SOURCE, Span(12, 13))


def test_an_error_keeps_its_class_and_what_it_knows() -> None:
    error = SourceError(Diagnostic("error", "not there"))
    error.word = 3
    placed = error.at(PLACE)
    assert type(placed) is SourceError
    assert (placed.word, placed.diagnostics[0].line) == (3, 2)


def test_texts_are_equal_when_name_and_text_are() -> None:
    assert SourceText("a", "x") == SourceText("a", "x") != SourceText("b", "x") != SourceText("b", "y")
    assert len({SourceText("a", "x"), SourceText("a", "x"), SourceText("a", "y")}) == 2
