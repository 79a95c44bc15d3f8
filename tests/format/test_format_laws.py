"""Laws that hold for every Dockerfile that is laid out."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from tests.format.format_files import broken, corpus, files, laws

from kezuri.dockerfile.parser import parse
from kezuri.format.formatter import formatted

quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
thorough = settings(quick, max_examples=1500)


def test_a_part_of_the_corpora_keeps_the_laws() -> None:
    kept = [laws(text) for text in list(corpus())[::5]]
    assert sum(kept) > 60


@pytest.mark.slow
def test_the_corpora_keep_the_laws() -> None:
    kept = [laws(text) for text in corpus()]
    assert sum(kept) > 300


@quick
@given(files)
def test_random_files_keep_the_laws(text: str) -> None:
    laws(text)


@quick
@given(broken)
def test_files_with_something_odd_keep_the_laws(text: str) -> None:
    laws(text)


@pytest.mark.slow
@thorough
@given(files | broken)
def test_many_more_files_keep_the_laws(text: str) -> None:
    laws(text)


def lines_of(count: int) -> str:
    return "FROM a\n" + "RUN a  \\\n  b \\\n # c\n && d\n# e\nENV a=1 b=2\n" * count


def rows_of(count: int) -> str:
    return "FROM a\nRUN a \\\n" + " && b \\\n # c\n" * count + " && d\nENV a=1" + " b=2" * count + "\n"


@pytest.mark.parametrize("text", [lines_of, rows_of])
def test_what_is_large_takes_time_in_proportion(text: Callable[[int], str]) -> None:
    def calls(count: int) -> int:
        import sys

        seen = 0

        def count_call(frame: object, event: str, arg: object) -> None:
            nonlocal seen
            seen += event == "call"

        dockerfile = parse(text(count), "Dockerfile")
        sys.setprofile(count_call)
        try:
            formatted(dockerfile)
        finally:
            sys.setprofile(None)
        return seen

    assert calls(200) < calls(50) * 5


@pytest.mark.slow
@pytest.mark.parametrize("text", [lines_of, rows_of])
def test_what_is_very_large_keeps_the_laws(text: Callable[[int], str]) -> None:
    """This took minutes with anything quadratic; there is no clock here, only patience."""
    assert laws(text(10_000))
