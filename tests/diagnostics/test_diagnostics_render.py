"""Diagnostics as text: in the order in which they are read, and as wide as the terminal."""

import pytest

from kezuri.diagnostics import Diagnostic, SourceText, Span
from kezuri.diagnostics.render import render

LINE = "RUN " + " && ".join(f"step-{i}" for i in range(40))


def shown(text: str, span: Span, columns: int, output: str = "", hint: str = "") -> list[str]:
    found = Diagnostic("error", "it failed", SourceText("Dockerfile", text), span, hint, output=output)
    return render(found, columns=columns).split("\n")


def test_what_a_program_printed_stands_above_what_is_wrong() -> None:
    lines = shown("FROM a\nRUN b\n", Span(7, 12), 0, output="one\ntwo\n", hint="do this")
    assert lines[:3] == ["output:", "  | one", "  | two"] and lines[3] == "error: it failed"
    assert lines[-1] == "  help: do this"


@pytest.mark.parametrize("columns", [41, 60, 80, 120, 200])
@pytest.mark.parametrize("word", ["step-0", "step-20", "step-39"])
def test_a_long_line_takes_one_row(columns: int, word: str) -> None:
    start = LINE.index(word)
    lines = shown(LINE + "\n", Span(start, start + len(word)), columns)
    assert max(map(len, lines)) <= columns
    quoted, marked = lines[3], lines[4]
    assert word in quoted and quoted.index(word) == marked.index("^") and marked.count("^") == len(word)


@pytest.mark.parametrize("columns", [41, 80, 200])
def test_a_long_line_of_wide_characters_takes_one_row(columns: int) -> None:
    text = "RUN echo " + "日本語" * 80 + " END"
    start = text.index("END")
    quoted, marked = shown(text, Span(start, start + 3), columns)[3:5]
    assert sum(2 if char > "\u3000" else 1 for char in quoted if char != "…") < columns
    assert marked.endswith("^^^")


def test_without_a_terminal_lines_are_long() -> None:
    assert max(map(len, shown(LINE, Span(0, 3), 0))) > 200
    assert "…" not in shown(LINE[:200], Span(0, 3), 20)[3]
