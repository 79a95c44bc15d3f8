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
    """The scripts of an instruction in shell form: its line, and the here-documents that a shell reads (a RUN whose
    line is nothing but `<<NAME`, without a `#!` of another program). None for the exec form."""
    command: Command | None = instruction.command
    if command is None or not command.shell or not command.argv:
        return ()
    node = instruction.node
    text = command.argv[0]
    if isinstance(instruction, Run) and len(instruction.heredocs) == 1 and text.strip().startswith("<<"):
        heredoc = instruction.heredocs[0]
        first = heredoc.text.split("\n", 1)[0]
        if first.startswith("#!") and not first.split("/")[-1].split()[-1].endswith("sh"):
            return ()
        return (ShellText(read(heredoc.text), None, 0, heredoc),)
    lines = Lines(node.source.text)
    lines.position = node.span.start
    first_line = lines.next()
    if first_line is None:
        return ()
    line = lines.join(first_line, escape)
    start = line.text.rfind(text)
    return (ShellText(read(text), line, start),) if start >= 0 else ()
