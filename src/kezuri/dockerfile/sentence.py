"""A statement with its surroundings, and the ways in which all instructions read their argument."""

from typing import NamedTuple

from kezuri.dockerfile.instructions import Command, Heredoc, Node
from kezuri.dockerfile.statement import Report, Statement
from kezuri.dockerfile.words import NotStrings, json_words


class Sentence(NamedTuple):
    """A statement with all that is needed to understand it.

    `dangling` is what the instruction above it seems to have left open, such as `&&`.
    """

    statement: Statement
    node: Node
    heredocs: tuple[Heredoc, ...]
    report: Report
    dangling: str = ""

    def error(self, message: str, hint: str = "") -> None:
        """Something about the whole instruction."""
        self.report.error(message, self.statement.span, hint)

    def wants_some(self, hint: str) -> None:
        """Report that there is no argument at all."""
        self.error(f"{self.statement.keyword} requires at least one argument", hint)

    def one(self, hint: str) -> str | None:
        """The whole argument as one, or None after reporting that there is none."""
        if not self.statement.args:
            self.error(f"{self.statement.keyword} requires exactly one argument", hint)
            return None
        return self.statement.args

    def json(self, text: str) -> tuple[str, ...] | None:
        """The strings of a JSON array, or None if `text` is none. An element of another kind is an error."""
        try:
            return json_words(text)
        except NotStrings:
            self.error(
                "when using JSON array syntax, arrays must be comprised of strings only",
                'put every element in double quotes: "80"',
            )
            return ()

    def command(self, text: str) -> Command:
        """The command in exec form if `text` is a JSON array, else in shell form: invalid JSON is for the shell."""
        words = self.json(text)
        if words is not None:
            return Command(False, words)
        return Command(True, (text,) if text else ())
