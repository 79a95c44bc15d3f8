"""The shell text of an instruction, with the place in the Dockerfile of each of its characters."""

from typing import NamedTuple

from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Cmd, Command, Entrypoint, Healthcheck, Heredoc, Run
from kezuri.dockerfile.lines import Lines, LogicalLine
from kezuri.shell.reader import read
from kezuri.shell.script import Script


class ShellText(NamedTuple):
    """A script and where it stands. The text of a RUN is its logical line from `start` on: continuations are joined,
    comment lines within it dropped. The text of a here-document is that document's."""

    script: Script
    line: LogicalLine | None
    start: int
    heredoc: Heredoc | None = None

    def span(self, span: Span) -> Span:
        """Where a part of the text stands in the Dockerfile, from its first to its last character. Of a here-document
        whose tabs are stripped the whole body is meant."""
        if self.line is not None:
            return self.line.span(self.start + span.start, self.start + span.end)
        assert self.heredoc is not None
        if self.heredoc.strip_tabs:
            return self.heredoc.body_span
        return Span(self.heredoc.body_span.start + span.start, self.heredoc.body_span.start + span.end)


def shell_texts(instruction: Run | Cmd | Entrypoint | Healthcheck, escape: str) -> tuple[ShellText, ...]:
    """The scripts of an instruction in shell form: its line, and the here-document that a shell reads: that of a RUN
    whose line is nothing but `<<NAME`, without a `#!` of another program, or of `bash <<NAME`. None for the exec
    form."""
    command: Command | None = instruction.command
    if command is None or not command.shell or not command.argv:
        return ()
    node = instruction.node
    text = command.argv[0]
    heredocs = instruction.heredocs if isinstance(instruction, Run) else ()
    program = _before_and_behind(text) if len(heredocs) == 1 else None
    if program == "":
        return (_script_of(heredocs[0]),) if _is_shell(_interpreter(heredocs[0].text)) else ()
    fed = program is not None and _is_shell(program) and _only_options(text)
    if fed and text.startswith("<<"):
        return (_script_of(heredocs[0]),)
    lines = Lines(node.source.text)
    lines.position = node.span.start
    first_line = lines.next()
    if first_line is None:
        return ()
    line = lines.join(first_line, escape)
    start = line.text.rfind(text)
    if start < 0:
        return ()
    said = ShellText(_with_bodies(text, heredocs), line, start)
    return (said, _script_of(heredocs[0])) if fed else (said,)


def _script_of(heredoc: Heredoc) -> ShellText:
    return ShellText(read(heredoc.text), None, 0, heredoc)


def _with_bodies(text: str, heredocs: tuple[Heredoc, ...]) -> Script:
    """The script of a line: read together with its here-documents, without which it is not complete."""
    if not heredocs:
        return read(text)
    bodies = "".join(f"{heredoc.text.removesuffix(chr(10))}\n{heredoc.name}\n" for heredoc in heredocs)
    script = read(f"{text}\n{bodies}")
    commands = tuple(command for command in script.commands if command.span.end <= len(text))
    return Script(text, commands, script.broken or any(h.strip_tabs for h in heredocs))


def _before_and_behind(text: str) -> str | None:
    """The program of a line with one `<<NAME`: empty where there is nothing else, None where it is no simple one."""
    words = [word for word in text.split() if not word.startswith("<<")]
    if any(sign in word for word in words for sign in "<>|&;"):
        return None
    return words[0] if words else ""


def _only_options(text: str) -> bool:
    """Whether nothing but options stands behind the program, so that it reads the here-document."""
    words = [word for word in text.split() if not word.startswith("<<")][1:]
    return all(word.startswith("-") and not word.startswith("--") and "c" not in word for word in words)


def _interpreter(text: str) -> str:
    """The program that a `#!` names, or sh."""
    first = text.split("\n", 1)[0]
    if not first.startswith("#!"):
        return "sh"
    words = first[2:].split()
    if words and words[0].rsplit("/", 1)[-1] == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return words[0] if words else ""


def _is_shell(program: str) -> bool:
    return program.rsplit("/", 1)[-1] in ("sh", "bash", "ash", "dash", "zsh", "ksh")
