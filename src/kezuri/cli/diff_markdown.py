"""What `kezuri diff` writes as Markdown: tables for a pull request."""

from kezuri.cli.diff_text import DiffText
from kezuri.cli.figures import headings, markdown_table, row
from kezuri.cli.phrase import Phrase
from kezuri.cli.screen_text import one_line
from kezuri.comparison.difference import ImageDifference


class DiffMarkdown:
    """The sections of a difference, each as Markdown. `most` are the rows that a section has at most; 0: all."""

    def __init__(self, found: ImageDifference, phrase: Phrase, most: int) -> None:
        self._found = found
        self._phrase = phrase
        self._text = DiffText(found, phrase, most, False, 0)

    def heading(self) -> str:
        """Which two images these are."""
        before, after = self._found.before, self._found.after
        names = f"### {_code(before.name)} → {_code(after.name)}"
        return (
            f"{names}\n\n{self._phrase('Their settings, packages and files are the same.')}"
            if self._found.same
            else names
        )

    def section(self, name: str) -> str:
        """One of SECTIONS; empty where nothing differs."""
        if name == "sizes":
            rows: list[tuple[str, ...]] = [headings(self._phrase, change=True)]
            return "\n".join(markdown_table([*rows, *(row(f, self._phrase, change=True) for f in self._found.figures)]))
        lines = self._text.section(name)
        if not lines:
            return ""
        # Signs in front of lines are what a code block of the kind `diff` colours.
        body = [line.removeprefix("  ") for line in lines[1:]]
        fence = "`" * max(3, *(_run(line) + 1 for line in body)) if body else "```"
        return f"#### {lines[0]}\n\n{fence}diff\n" + "\n".join(body) + f"\n{fence}"


def _code(text: str) -> str:
    return f"`{one_line(text).replace('`', chr(39))}`"


def _run(line: str) -> int:
    """The longest run of back quotes."""
    longest = run = 0
    for char in line:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest
