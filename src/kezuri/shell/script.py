"""A shell text as values: its simple commands in the order of the text, their words, and how they hang together."""

from typing import Literal, NamedTuple

from kezuri.diagnostics import Span

Joint = Literal["", ";", "&&", "||", "|", "|&", "&"]
Within = Literal["subshell", "group", "loop", "branch", "function", "substitution", "negation"]


class Word(NamedTuple):
    """One word as written. `loose` is the word without its quotes and escapes, expansions left as they are written;
    `value` is the same where nothing in it is expanded by the shell, None otherwise. `quoted` tells that some part of
    it stood in quotes."""

    text: str
    span: Span
    loose: str
    value: str | None
    quoted: bool


class Assignment(NamedTuple):
    """`NAME=value` before a command or alone, `export NAME=value` too; `value` is None for `export NAME`."""

    name: str
    value: Word | None
    span: Span


class Redirect(NamedTuple):
    """`2>/dev/null`; `operator` with its descriptor (`2>`), `target` None for a here-document."""

    operator: str
    target: Word | None
    span: Span


class SimpleCommand(NamedTuple):
    """A command and its words; `words` is empty for assignments alone.

    `joint` is the operator between the command before and this one, empty for the first of its surroundings. `follows`
    is the operator after it, empty for the last. `within` are the compound commands around it, outermost first: a
    command of a substitution comes after the command whose word it is in. `pipeline` and `chain` are numbers: those of
    one pipeline (`a | b`), and of one list of pipelines joined by `&&` and `||`, have the same one. `span` is from its
    first assignment or word to its last word or redirection.
    """

    words: tuple[Word, ...]
    assignments: tuple[Assignment, ...]
    redirects: tuple[Redirect, ...]
    span: Span
    joint: Joint
    follows: Joint
    within: tuple[Within, ...]
    pipeline: int
    chain: int

    @property
    def name(self) -> str:
        """The program as written without quotes (`apt-get`, `/usr/bin/apt-get`); empty where there is none."""
        return self.words[0].loose if self.words else ""

    @property
    def program(self) -> str:
        """The last part of the program's path."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def arguments(self) -> tuple[Word, ...]:
        """The words after the first."""
        return self.words[1:]

    @property
    def plain(self) -> tuple[str, ...]:
        """The arguments that are no options (do not begin with `-`), without quotes."""
        return tuple(word.loose for word in self.arguments if not word.loose.startswith("-"))

    def has(self, *options: str) -> bool:
        """Whether one of the options is given: `--yes` as that word or as `--yes=…`, `-y` alone or among joined letters
        (`-qy`)."""
        for option in options:
            for word in self.arguments:
                said = word.loose
                if option.startswith("--"):
                    if said == option or said.startswith(f"{option}="):
                        return True
                elif said.startswith("-") and not said.startswith("--") and option[1:] in said[1:]:
                    return True
        return False


class Script(NamedTuple):
    """A shell text that was read; spans are spans of `text`. `broken` tells that the grammar could not make sense of a
    part of it: what was recovered is here, and a rule that would change it must not."""

    text: str
    commands: tuple[SimpleCommand, ...]
    broken: bool

    def named(self, *programs: str) -> tuple[SimpleCommand, ...]:
        """The commands of these programs, by the last part of their paths."""
        return tuple(command for command in self.commands if command.program in programs)
