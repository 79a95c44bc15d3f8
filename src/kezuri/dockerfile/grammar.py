"""Statements become instructions: what each one wants, and what is said when it gets something else (section 1.4)."""

import re
from collections.abc import Callable
from typing import NamedTuple

from kezuri.dockerfile.command import quote
from kezuri.dockerfile.copying import read_copy
from kezuri.dockerfile.duration import parse_duration
from kezuri.dockerfile.flags import Flags, read_flags
from kezuri.dockerfile.instructions import (
    Arg,
    Cmd,
    Command,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Heredoc,
    Instruction,
    Label,
    Maintainer,
    Node,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
)
from kezuri.dockerfile.lines import BLANK, SPACE
from kezuri.dockerfile.mounts import check_device, read_mount
from kezuri.dockerfile.statement import KEYWORDS, Report, Statement, read_statement
from kezuri.dockerfile.words import NotStrings, json_words, split_blanks, split_quoted

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*\Z")
_ONBUILD = re.compile(r"^[ \t\n\f\r]*ONBUILD[ \t\n\f\r]*", re.IGNORECASE)
_FIRST_WORD = re.compile(rf"[^{SPACE}]*")
_FIRST_GAP = re.compile(r"[\t\v\f\r ]+")
_SHORTEST = 1_000_000


class Sentence(NamedTuple):
    """A statement with all that is needed to understand it; `dangling` is what the one above seems to have left open."""

    statement: Statement
    node: Node
    heredocs: tuple[Heredoc, ...]
    report: Report
    dangling: str = ""

    def error(self, message: str, hint: str = "") -> None:
        """Something about the whole instruction."""
        self.report.error(message, self.statement.span, hint)


def read_instruction(sentence: Sentence) -> Instruction | None:
    """The typed instruction, or None after reporting what is wrong with it."""
    read = _READERS.get(sentence.statement.keyword)
    if read is None:
        _unknown(sentence)
        return None
    before = sentence.report.errors
    instruction = read(sentence, read_flags(sentence.statement, sentence.report))
    return instruction if sentence.report.errors == before else None


def _unknown(sentence: Sentence) -> None:
    statement = sentence.statement
    meant = sentence.report.suggest(statement.written, KEYWORDS)
    message = f"unknown instruction: {statement.written}"
    if meant is not None:
        sentence.report.error(f"{message} (did you mean {meant}?)", statement.keyword_span)
        return
    mark = sentence.dangling
    if mark:
        hint = f"the instruction above ends in {mark}: put {statement.escape} behind it if this line belongs to it"
    else:
        hint = f"an instruction is one of {', '.join(KEYWORDS)}"
    sentence.report.error(message, statement.keyword_span, hint)


def _at_least_one(sentence: Sentence, hint: str = "") -> None:
    sentence.error(f"{sentence.statement.keyword} requires at least one argument", hint)


def _one(sentence: Sentence, hint: str) -> str | None:
    if not sentence.statement.args:
        sentence.error(f"{sentence.statement.keyword} requires exactly one argument", hint)
        return None
    return sentence.statement.args


def _json(sentence: Sentence, text: str) -> tuple[str, ...] | None:
    try:
        return json_words(text)
    except NotStrings:
        sentence.error(
            "when using JSON array syntax, arrays must be comprised of strings only",
            'put every element in double quotes: "80"',
        )
        return ()


def _command(sentence: Sentence, text: str) -> Command:
    words = _json(sentence, text)
    if words is not None:
        return Command(False, words)
    return Command(True, (text,) if text else ())


def _from(sentence: Sentence, flags: Flags) -> Instruction | None:
    statement = sentence.statement
    words = split_blanks(statement.args, statement.at)
    if len(words) == 3 and words[1].text.lower() == "as":
        name = words[2].text.lower()
        if not _STAGE_NAME.match(name):
            sentence.report.error(
                f"invalid name for build stage: {quote(words[2].text)}, "
                "name can't start with a number or contain symbols",
                statement.line.span(words[2].start, words[2].end),
                "a name is a letter followed by letters, digits, and - _ .",
            )
            return None
    elif len(words) != 1:
        hint = "write FROM IMAGE or FROM IMAGE AS NAME"
        if any(word.text.startswith("#") for word in words):
            hint = "a comment needs a line of its own"
        elif len(words) == 3:
            hint = f"the second word must be AS, not {words[1].text}"
        sentence.error("FROM requires either one or three arguments", hint)
        return None
    else:
        name = ""
    return From(
        sentence.node,
        words[0].text,
        flags.string("platform"),
        name or None,
        words[2].text if name else None,
        words[1].text if name else "",
        statement.line.span(words[0].start, words[0].end),
    )


def _run(sentence: Sentence, flags: Flags) -> Instruction | None:
    statement, report = sentence.statement, sentence.report
    mounts = [read_mount(value, report) for value in flags.values("mount")]
    for value in flags.values("device"):
        check_device(value, report)
    network, security = flags.string("network"), flags.string("security")
    if network not in (None, "default", "none", "host"):
        report.error(
            f"invalid network mode {quote(network)}",
            flags.span("network") or statement.span,
            "known are default, none and host",
        )
    if security not in (None, "sandbox", "insecure"):
        report.error(
            f"security {quote(security)} is not valid",
            flags.span("security") or statement.span,
            "known are sandbox and insecure",
        )
    if not statement.args:
        _at_least_one(sentence, "write the command to run")
        return None
    return Run(
        sentence.node,
        _command(sentence, statement.args),
        sentence.heredocs,
        tuple(mount for mount in mounts if mount is not None),
        network,
        security,
        flags.strings("device"),
    )


def _copy(sentence: Sentence, flags: Flags) -> Instruction | None:
    words = _json(sentence, sentence.statement.args)
    return read_copy(sentence.statement, sentence.node, sentence.heredocs, words, flags, sentence.report)


def _pairs(sentence: Sentence) -> tuple[tuple[tuple[str, str], ...], bool] | None:
    """Names and values of ENV and LABEL, and whether they are in the old form without `=`."""
    statement = sentence.statement
    keyword = statement.keyword
    words = split_quoted(statement.args, statement.at, statement.escape)
    if not words:
        _at_least_one(sentence, f"write {keyword} NAME=VALUE")
        return None
    if "=" not in words[0].text:
        name, *rest = _FIRST_GAP.split(statement.args, maxsplit=1)
        if not rest:
            sentence.error(f"{keyword} must have two arguments", f"write {keyword} {name}=VALUE")
            return None
        if not name:
            sentence.error(f"{keyword} names can not be blank")
            return None
        return ((name, rest[0]),), True
    pairs: list[tuple[str, str]] = []
    for word in words:
        name, equals, value = word.text.partition("=")
        span = statement.line.span(word.start, word.end)
        if not equals:
            sentence.report.error(
                f"Syntax error - can't find = in {quote(word.text)}. Must be of the form: name=value",
                span,
                "put a value with blanks in double quotes",
            )
        elif not name:
            sentence.report.error(f"{keyword} names can not be blank", span, "write a name before the =")
        pairs.append((name, value))
    return tuple(pairs), False


def _env(sentence: Sentence, flags: Flags) -> Instruction | None:
    pairs = _pairs(sentence)
    return None if pairs is None else Env(sentence.node, *pairs)


def _label(sentence: Sentence, flags: Flags) -> Instruction | None:
    pairs = _pairs(sentence)
    return None if pairs is None else Label(sentence.node, *pairs)


def _arg(sentence: Sentence, flags: Flags) -> Instruction | None:
    statement = sentence.statement
    pairs: list[tuple[str, str | None]] = []
    for word in split_quoted(statement.args, statement.at, statement.escape):
        name, equals, value = word.text.partition("=")
        if not name:
            span = statement.line.span(word.start, word.end)
            sentence.report.error("ARG names can not be blank", span, "write a name before the =")
        pairs.append((name, value if equals else None))
    if not pairs:
        _at_least_one(sentence, "write ARG NAME or ARG NAME=DEFAULT")
        return None
    return Arg(sentence.node, tuple(pairs))


def _cmd(sentence: Sentence, flags: Flags) -> Instruction | None:
    return Cmd(sentence.node, _command(sentence, sentence.statement.args))


def _entrypoint(sentence: Sentence, flags: Flags) -> Instruction | None:
    return Entrypoint(sentence.node, _command(sentence, sentence.statement.args))


def _shell(sentence: Sentence, flags: Flags) -> Instruction | None:
    args = sentence.statement.args
    before = sentence.report.errors
    words = _json(sentence, args)
    if sentence.report.errors > before:
        return None
    if words is None and args:
        sentence.error("SHELL requires the arguments to be in JSON form", 'write SHELL ["/bin/sh", "-c"]')
        return None
    if not words:
        _at_least_one(sentence, 'write SHELL ["/bin/sh", "-c"]')
        return None
    return Shell(sentence.node, words)


def _workdir(sentence: Sentence, flags: Flags) -> Instruction | None:
    path = _one(sentence, "write WORKDIR PATH")
    return None if path is None else Workdir(sentence.node, path)


def _user(sentence: Sentence, flags: Flags) -> Instruction | None:
    user = _one(sentence, "write USER NAME or USER UID:GID")
    return None if user is None else User(sentence.node, user)


def _stopsignal(sentence: Sentence, flags: Flags) -> Instruction | None:
    signal = _one(sentence, "write STOPSIGNAL SIGTERM or a number")
    return None if signal is None else Stopsignal(sentence.node, signal)


def _maintainer(sentence: Sentence, flags: Flags) -> Instruction | None:
    name = _one(sentence, "write LABEL org.opencontainers.image.authors=NAME instead")
    return None if name is None else Maintainer(sentence.node, name)


def _expose(sentence: Sentence, flags: Flags) -> Instruction | None:
    ports = tuple(word.text for word in split_blanks(sentence.statement.args, 0))
    if not ports:
        _at_least_one(sentence, "write EXPOSE PORT or EXPOSE PORT/udp")
        return None
    return Expose(sentence.node, ports)


def _volume(sentence: Sentence, flags: Flags) -> Instruction | None:
    args = sentence.statement.args
    before = sentence.report.errors
    words = _json(sentence, args)
    if sentence.report.errors > before:
        return None
    if words is None:
        words = tuple(word.text for word in split_blanks(args, 0))
    paths = tuple(word.strip(SPACE) for word in words)
    if not paths:
        _at_least_one(sentence, 'write VOLUME /path or VOLUME ["/path"]')
        return None
    if not all(paths):
        sentence.error("VOLUME specified can not be an empty string")
        return None
    return Volume(sentence.node, paths)


def _healthcheck(sentence: Sentence, flags: Flags) -> Instruction | None:
    args = sentence.statement.args
    found = _FIRST_WORD.match(args)
    kind = found.group() if found is not None else ""
    rest = args[len(kind) :].strip(SPACE)
    if not kind:
        _at_least_one(sentence, "write HEALTHCHECK CMD COMMAND or HEALTHCHECK NONE")
        return None
    if kind.upper() == "NONE":
        if rest:
            sentence.error("HEALTHCHECK NONE takes no arguments")
            return None
        return Healthcheck(sentence.node, None, None, None, None, None, None)
    if kind.upper() != "CMD":
        sentence.error(
            f"Unknown type {quote(kind.upper())} in HEALTHCHECK (try CMD)",
            f"write HEALTHCHECK CMD {args.strip(BLANK)[:80]}",
        )
        return None
    before = sentence.report.errors
    command = _command(sentence, rest)
    if not command.argv and sentence.report.errors == before:
        sentence.error("Missing command after HEALTHCHECK CMD", "write the command that tells whether all is well")
    return Healthcheck(
        sentence.node,
        command,
        _duration(sentence, flags, "interval"),
        _duration(sentence, flags, "timeout"),
        _duration(sentence, flags, "start-period"),
        _duration(sentence, flags, "start-interval"),
        _retries(sentence, flags),
    )


def _duration(sentence: Sentence, flags: Flags, name: str) -> int | None:
    text = flags.string(name)
    if not text:
        return None
    span = flags.span(name) or sentence.statement.span
    try:
        value = parse_duration(text)
    except ValueError as error:
        sentence.report.error(str(error), span, "write a number and a unit, such as 30s, 1m30s or 500ms")
        return None
    if value != 0 and value < _SHORTEST:
        sentence.report.error(f'Interval "{name}" cannot be less than 1ms', span, "0 means the default")
        return None
    return value


def _retries(sentence: Sentence, flags: Flags) -> int | None:
    text = flags.string("retries")
    if not text:
        return None
    span = flags.span("retries") or sentence.statement.span
    if re.fullmatch(r"[+-]?[0-9]+", text) is None:
        message = f"strconv.ParseInt: parsing {quote(text)}: invalid syntax"
        sentence.report.error(message, span, "--retries wants a number")
        return None
    value = int(text) if len(text) <= 12 else 1 << 40
    if not -(1 << 31) <= value < 1 << 31:
        sentence.report.error(f"strconv.ParseInt: parsing {quote(text)}: value out of range", span)
        return None
    if value < 0:
        sentence.report.error(f"--retries cannot be negative ({value})", span)
        return None
    return value


def _onbuild(sentence: Sentence, flags: Flags) -> Instruction | None:
    statement, report = sentence.statement, sentence.report
    if not statement.args:
        _at_least_one(sentence, "write the instruction that a build FROM this image shall run")
        return None
    trigger = read_statement(statement.line, statement.at, statement.escape)
    if trigger.keyword == "ONBUILD":
        report.error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", trigger.keyword_span)
        return None
    if trigger.keyword in ("FROM", "MAINTAINER"):
        report.error(f"{trigger.keyword} isn't allowed as an ONBUILD trigger", trigger.keyword_span)
        return None
    _check_trigger(sentence, trigger)
    text = _ONBUILD.sub("", statement.line.text, count=1)
    for heredoc in sentence.heredocs:
        text += f"\n{heredoc.body}{heredoc.name}"
    return Onbuild(sentence.node, text)


def _check_trigger(sentence: Sentence, trigger: Statement) -> None:
    """A trigger that cannot work is a warning, since it may be meant for another builder; some are errors at once."""
    silent = Report(sentence.report.source)
    read_instruction(Sentence(trigger, sentence.node, sentence.heredocs, silent))
    for found in silent.diagnostics:
        span = found.span or trigger.span
        if found.message.endswith(_ERRORS_AT_ONCE) or "can't find = in" in found.message:
            sentence.report.error(found.message, span, found.hint)
        else:
            hint = found.hint or "the build FROM this image would fail here"
            sentence.report.warning("", f"this trigger will fail: {found.message}", span, hint)


_ERRORS_AT_ONCE = ("arrays must be comprised of strings only", "must have two arguments")

_READERS: dict[str, Callable[[Sentence, Flags], Instruction | None]] = {
    "ADD": _copy,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
