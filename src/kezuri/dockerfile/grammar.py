"""Statements become instructions: which arguments each one takes, and the errors for others."""

import re
from collections.abc import Callable

from kezuri.dockerfile.command import quote
from kezuri.dockerfile.copying import read_copy
from kezuri.dockerfile.flags import Flags, read_flags
from kezuri.dockerfile.instructions import (
    Cmd,
    Entrypoint,
    Expose,
    From,
    Instruction,
    Maintainer,
    MountOption,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
)
from kezuri.dockerfile.lines import SPACE
from kezuri.dockerfile.pairs import read_arg, read_env, read_label
from kezuri.dockerfile.sentence import Sentence
from kezuri.dockerfile.statement import KEYWORDS, Report, Statement, lower, read_statement
from kezuri.dockerfile.words import split_blanks

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*\Z")
_ONBUILD = re.compile(r"^[ \t\n\f\r]*ONBUILD[ \t\n\f\r]*", re.IGNORECASE | re.ASCII)


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
    elif f" {statement.written} " in _PROGRAMS or statement.written.startswith(("./", "/")):
        hint = f"a command is run by RUN: write RUN {statement.written}" + (" …" if statement.args else "")
    else:
        hint = sentence.report.once(f"an instruction is one of {', '.join(KEYWORDS)}")
    sentence.report.error(message, statement.keyword_span, hint)


def _from(sentence: Sentence, flags: Flags) -> Instruction | None:
    statement = sentence.statement
    words = split_blanks(statement.args, statement.at)
    if len(words) == 3 and words[1].text.lower() in ("as", "a\u017f"):  # the long s folds to s
        name = lower(words[2].text)
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
        flags.value("platform"),
        name or None,
        words[2].text if name else None,
        words[1].text if name else "",
        statement.line.span(words[0].start, words[0].end),
    )


def _healthcheck(sentence: Sentence, flags: Flags) -> Instruction | None:
    # Loaded for the files that have one.
    from kezuri.dockerfile.healthcheck import read_healthcheck

    return read_healthcheck(sentence, flags)


def _run(sentence: Sentence, flags: Flags) -> Instruction | None:
    statement, report = sentence.statement, sentence.report
    mounts: list[MountOption | None] = []
    if flags.values("mount") or flags.values("device"):
        # Loaded for the files that have some.
        from kezuri.dockerfile.mounts import check_device, read_mount

        mounts += [read_mount(value, report) for value in flags.values("mount")]
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
    return Run(
        sentence.node,
        sentence.command(statement.args),
        sentence.heredocs,
        tuple(mount for mount in mounts if mount is not None),
        network,
        security,
        flags.strings("device"),
    )


def _copy(sentence: Sentence, flags: Flags) -> Instruction | None:
    before = sentence.report.errors
    words = sentence.json(sentence.statement.args)
    if sentence.report.errors > before:
        return None
    return read_copy(sentence.statement, sentence.node, sentence.heredocs, words, flags, sentence.report)


def _cmd(sentence: Sentence, flags: Flags) -> Instruction | None:
    return Cmd(sentence.node, sentence.command(sentence.statement.args))


def _entrypoint(sentence: Sentence, flags: Flags) -> Instruction | None:
    return Entrypoint(sentence.node, sentence.command(sentence.statement.args))


def _shell(sentence: Sentence, flags: Flags) -> Instruction | None:
    args = sentence.statement.args
    before = sentence.report.errors
    words = sentence.json(args)
    if sentence.report.errors > before:
        return None
    if words is None and args:
        sentence.error("SHELL requires the arguments to be in JSON form", 'write SHELL ["/bin/sh", "-c"]')
        return None
    if not words:
        sentence.wants_some('write SHELL ["/bin/sh", "-c"]')
        return None
    return Shell(sentence.node, words)


def _workdir(sentence: Sentence, flags: Flags) -> Instruction | None:
    path = sentence.one("write WORKDIR PATH")
    return None if path is None else Workdir(sentence.node, path)


def _user(sentence: Sentence, flags: Flags) -> Instruction | None:
    user = sentence.one("write USER NAME or USER UID:GID")
    return None if user is None else User(sentence.node, user)


def _stopsignal(sentence: Sentence, flags: Flags) -> Instruction | None:
    signal = sentence.one("write STOPSIGNAL SIGTERM or a number")
    return None if signal is None else Stopsignal(sentence.node, signal)


def _maintainer(sentence: Sentence, flags: Flags) -> Instruction | None:
    name = sentence.one("write LABEL org.opencontainers.image.authors=NAME instead")
    return None if name is None else Maintainer(sentence.node, name)


def _expose(sentence: Sentence, flags: Flags) -> Instruction | None:
    ports = tuple(word.text for word in split_blanks(sentence.statement.args, 0))
    if not ports:
        sentence.wants_some("write EXPOSE PORT or EXPOSE PORT/udp")
        return None
    return Expose(sentence.node, ports)


def _volume(sentence: Sentence, flags: Flags) -> Instruction | None:
    args = sentence.statement.args
    before = sentence.report.errors
    words = sentence.json(args)
    if sentence.report.errors > before:
        return None
    if words is None:
        words = tuple(word.text for word in split_blanks(args, 0))
    paths = tuple(word.strip(SPACE) for word in words)
    if not paths:
        sentence.wants_some('write VOLUME /path or VOLUME ["/path"]')
        return None
    if not all(paths):
        sentence.error("VOLUME specified can not be an empty string")
        return None
    return Volume(sentence.node, paths)


def _onbuild(sentence: Sentence, flags: Flags) -> Instruction | None:
    statement, report = sentence.statement, sentence.report
    if not statement.args:
        sentence.wants_some("write the instruction that a build FROM this image shall run")
        return None
    trigger = read_statement(statement.line, statement.at, statement.escape)
    keyword = trigger.written.strip(SPACE).upper()
    if keyword == "ONBUILD":
        report.error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", trigger.keyword_span)
        return None
    if keyword in ("FROM", "MAINTAINER"):
        report.error(f"{keyword} isn't allowed as an ONBUILD trigger", trigger.keyword_span)
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


_PROGRAMS = (
    " apk apt apt-get bash bun bundle cargo cat cd chmod chown composer corepack cp curl dnf echo export gem git go "
    "gradle java ln ls make mkdir mvn mv node npm npx pip pip3 pnpm poetry python python3 rm sed set sh source sudo "
    "tar touch useradd adduser unzip uv wget yarn yum "
)
"""Names that begin a line of a shell, between blanks."""

_ERRORS_AT_ONCE = ("arrays must be comprised of strings only", "must have two arguments")

_READERS: dict[str, Callable[[Sentence, Flags], Instruction | None]] = {
    "ADD": _copy,
    "ARG": read_arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": read_env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _healthcheck,
    "LABEL": read_label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
