"""Laws that hold for every Dockerfile that is laid out."""

from hypothesis import HealthCheck, given, settings
from tests.format.format_files import broken, corpus, files, laws

from kezuri.dockerfile.parser import parse
from kezuri.format.formatter import formatted

quick = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


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


def test_a_file_of_many_lines_takes_time_in_proportion() -> None:
    def calls(count: int) -> int:
        import sys

        seen = 0

        def count_call(frame: object, event: str, arg: object) -> None:
            nonlocal seen
            seen += event == "call"

        dockerfile = parse("FROM a\n" + "RUN a  \\\n  b \\\n # c\n && d\n# e\nENV a=1 b=2\n" * count, "Dockerfile")
        sys.setprofile(count_call)
        try:
            formatted(dockerfile)
        finally:
            sys.setprofile(None)
        return seen

    assert calls(200) < calls(50) * 5


def test_one_instruction_of_many_rows_takes_time_in_proportion() -> None:
    text = "FROM a\nRUN a \\\n" + " && b \\\n # c\n" * 10_000 + " && d\nENV a=1" + " b=2" * 10_000 + "\n"
    assert laws(text)
