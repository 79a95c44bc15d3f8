"""The parser: the text of a Dockerfile becomes instructions, and nothing of the text is lost."""

from collections.abc import Iterator
from typing import NamedTuple

from kezuri.diagnostics import Diagnostic, KezuriError, SourceText, Span
from kezuri.dockerfile.directives import read_directives
from kezuri.dockerfile.grammar import read_instruction
from kezuri.dockerfile.heredocs import announced, read_bodies
from kezuri.dockerfile.instructions import Arg, Directive, From, Heredoc, Instruction, Node
from kezuri.dockerfile.lines import LONGEST_LINE, SPACE, Line, Lines, long_lines
from kezuri.dockerfile.sentence import Sentence
from kezuri.dockerfile.statement import KEYWORDS, Report, Statement, read_statement
from kezuri.dockerfile.words import NotStrings, json_words


class Dockerfile(NamedTuple):
    """A parsed Dockerfile: what could be understood, and a diagnostic for everything that could not.

    `instructions` are in file order; one with an error is left out. `diagnostics` are in file order too: errors, and
    warnings of the lexical layer, whose `code` is the name of the build check. `strays` are instructions that belong
    to no stage, because FROM has not come yet: an error each, and still something that can be checked.
    """

    source: SourceText
    directives: tuple[Directive, ...]
    escape: str
    instructions: tuple[Instruction, ...]
    diagnostics: tuple[Diagnostic, ...]
    strays: tuple[Instruction, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that stop a build."""
        return tuple(d for d in self.diagnostics if d.severity == "error")

    def verify(self) -> "Dockerfile":
        """The value itself, or a KezuriError with all its errors."""
        errors = self.errors
        if errors:
            raise KezuriError(*errors)
        return self


class Piece(NamedTuple):
    """A stretch of the source: a directive, an instruction, or what stands between them (None)."""

    span: Span
    text: str
    of: Directive | Instruction | None


def decode(data: bytes) -> str:
    """The text of a file: UTF-8, without a byte order mark; bytes that are no UTF-8 are kept as surrogate escapes."""
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def parse(text: str, name: str) -> Dockerfile:
    """Parse a Dockerfile; `name` is what a user calls it.

    Never raises for what stands in it: every error is a diagnostic, and parsing goes on at the next instruction. Takes
    time linear in the length of the text.
    """
    return _Parser(text, name).parse()


def parse_trigger(text: str, name: str) -> Instruction:
    """The instruction of an ONBUILD trigger, when it fires. Raises KezuriError.

    It is a file of its own: whatever the escape character of the one it was written in, here it is the backslash.
    """
    found = _Parser(text, name, trigger=True).parse()
    errors = [d for d in found.diagnostics if d.severity == "error"]
    if errors:
        raise KezuriError(*errors)
    if len(found.instructions) != 1:
        raise KezuriError.of("onbuild trigger should be a single expression", source=found.source)
    trigger = found.instructions[0]
    if isinstance(trigger, From):
        message = "FROM isn't allowed as an ONBUILD trigger"
        raise KezuriError.of(message, source=found.source, span=trigger.node.keyword_span)
    return trigger


def pieces(dockerfile: Dockerfile) -> Iterator[Piece]:
    """The whole source in order, without gap or overlap."""
    text = dockerfile.source.text
    known: list[tuple[Span, Directive | Instruction]] = [(d.span, d) for d in dockerfile.directives]
    known += [(instruction.node.span, instruction) for instruction in dockerfile.instructions]
    known.sort(key=lambda item: item[0])
    at = 0
    for span, item in known:
        if span.start > at:
            yield Piece(Span(at, span.start), text[at : span.start], None)
        yield Piece(span, text[span.start : span.end], item)
        at = span.end
    if at < len(text):
        yield Piece(Span(at, len(text)), text[at:], None)


def write(dockerfile: Dockerfile) -> str:
    """The text again, byte for byte."""
    return "".join(piece.text for piece in pieces(dockerfile))


class _Parser:
    def __init__(self, text: str, name: str, *, trigger: bool = False) -> None:
        self._source = SourceText(name, text)
        self._report = Report(self._source)
        self._lines = Lines(text)
        self._trigger = trigger
        self._escape = "\\"
        self._instructions: list[Instruction] = []
        self._strays: list[Instruction] = []
        self._number = 0
        self._staged = False
        self._homeless: list[Span] = []
        self._dangling = ""

    def parse(self) -> Dockerfile:
        lines, report = self._lines, self._report
        for span in long_lines(lines.text):
            report.error(
                f"dockerfile line greater than max allowed size of {LONGEST_LINE}",
                span,
                "break the line, or put the text into a file and COPY it",
            )
        directives, self._escape = read_directives(lines, report)
        comment: list[str] = []
        while (line := lines.next()) is not None:
            body = lines.text[line.start : line.end].lstrip(SPACE)
            if not body:
                continue  # a comment stays that of the next instruction
            if body[0] == "#":
                # of an indented comment BuildKit takes off one blank instead of the mark
                remark = lines.text[line.start + 1 : line.end].strip(SPACE)
                if remark:
                    comment.append(remark)
                else:
                    comment.clear()
            else:
                self._instruction(line, tuple(comment))
                comment.clear()
        if not self._trigger:
            self._finish()
        diagnostics = sorted(report.diagnostics, key=lambda d: d.span.start if d.span is not None else 0)
        return Dockerfile(
            self._source,
            directives,
            self._escape,
            tuple(self._instructions),
            tuple(diagnostics),
            tuple(self._strays),
        )

    def _instruction(self, first: Line, comment: tuple[str, ...]) -> None:
        report = self._report
        line = self._lines.join(first, self._escape)
        if line.has_gap:
            span = Span(line.last.start, line.last.end)
            report.warning("NoEmptyContinuation", "Empty continuation line", span, "remove the blank line")
        statement = read_statement(line, 0, self._escape)
        holder = statement
        if statement.keyword == "ONBUILD" and statement.args:
            holder = read_statement(line, statement.at, self._escape)
        found = announced(holder, report)
        heredocs: tuple[Heredoc, ...] | None = ()
        if found:
            heredocs = read_bodies(found, line, self._lines, report)
        node = Node(
            statement.keyword,
            statement.written,
            statement.span,
            statement.keyword_span,
            line.text,
            comment,
            self._number,
            self._source,
        )
        self._number += 1
        instruction = None
        before = len(report.diagnostics)
        if heredocs is not None:
            instruction = read_instruction(Sentence(statement, node, heredocs, report, self._dangling))
        if not statement.line.text.isascii() or statement.args.startswith("["):
            self._look_alikes(statement, before)
        self._dangling = next((mark for mark in ("&&", "||", "|", ",") if line.text.endswith(mark)), "")
        if self._trigger:
            pass
        elif statement.keyword == "FROM" or (instruction is None and self._meant_from(statement.keyword)):
            self._staged = True
        elif not self._staged and instruction is not None and not isinstance(instruction, Arg):
            self._homeless.append(statement.keyword_span)
            self._strays.append(instruction)
            return
        if instruction is not None:
            self._instructions.append(instruction)

    def _look_alikes(self, statement: Statement, before: int) -> None:
        """Where characters that only look like those of the language, or something that only looks like JSON, explain
        an error of the statement, its hint says so; where nothing else is wrong, a warning does."""
        report = self._report
        if statement.args.startswith("["):
            try:
                if json_words(statement.args) is not None:
                    return
            except NotStrings:
                return
        from kezuri.dockerfile import lookalikes

        line, errors = statement.line, [d for d in report.diagnostics[before:] if d.severity == "error"]
        meant = lookalikes.array(statement.args)
        if meant is not None:
            hint = f"JSON has double quotes, and no comma at its end: write {statement.keyword} {meant}"
            found, message = None, "this is no JSON array: it is taken as it stands"
        else:
            shell = statement.keyword in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD")
            found = lookalikes.first_of(line.text) if errors else lookalikes.unseen(statement.args, shell)
            if found is None:
                return
            at = found.at + (0 if errors else statement.at)
            hint, message = found.hint, "a character that only looks like another is taken as it stands"
            span = line.span(at, at + 1)
        span = statement.span if found is None else span
        if not errors:
            report.warning("", message, span, hint)
        elif errors[0].span is not None and errors[0].span.start <= span.start < errors[0].span.end:
            changed = errors[0]._replace(hint=hint, span=span)
            report.diagnostics[report.diagnostics.index(errors[0])] = changed

    def _meant_from(self, keyword: str) -> bool:
        """Whether a FROM that could not be read opens a stage, so that what follows it is not blamed."""
        return not self._staged and len(keyword) < 6 and self._report.suggest(keyword, KEYWORDS) == "FROM"

    def _finish(self) -> None:
        end = Span(len(self._lines.text), len(self._lines.text))
        if self._number == 0:
            self._report.error("file with no instructions", end, "a Dockerfile starts with FROM IMAGE")
        for span in self._homeless if self._staged else self._homeless[:1]:
            hint = "FROM must come first; only ARG may stand before it"
            self._report.error("no build stage in current context", span, hint)
        if self._number and not self._staged and not self._report.errors:
            self._report.error("dockerfile contains no stages to build", end, "add FROM IMAGE")
        if self._report.errors:
            from kezuri.dockerfile.mistaken import mistaken

            other = mistaken(self._lines.text)
            if other is not None:
                kept = [d for d in self._report.diagnostics if d.severity != "error" and d.code]
                self._report.diagnostics[:] = kept
                self._report.error(*other)
