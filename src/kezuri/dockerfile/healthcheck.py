"""HEALTHCHECK: a command, and how often and how patiently it is asked."""

import re

from kezuri.dockerfile.command import quote
from kezuri.dockerfile.flags import Flags
from kezuri.dockerfile.instructions import Healthcheck
from kezuri.dockerfile.lines import BLANK
from kezuri.dockerfile.sentence import Sentence

_FIRST_WORD = re.compile(rf"[^{BLANK}]*")
_SHORTEST = 1_000_000


def read_healthcheck(sentence: Sentence, flags: Flags) -> Healthcheck | None:
    """HEALTHCHECK NONE, or HEALTHCHECK CMD with its durations."""
    args = sentence.statement.args
    found = _FIRST_WORD.match(args)
    kind = found.group() if found is not None else ""
    rest = args[len(kind) :].lstrip(BLANK)
    if not kind:
        sentence.wants_some("write HEALTHCHECK CMD COMMAND or HEALTHCHECK NONE")
        return None
    if kind.upper() == "NONE":
        if rest and sentence.json(rest) != ():  # an empty array is no argument
            sentence.error("HEALTHCHECK NONE takes no arguments")
            return None
        return Healthcheck(sentence.node, None, None, None, None, None, None)
    if kind.upper() != "CMD":
        meant = sentence.report.suggest(kind, ("CMD", "NONE"))
        sentence.error(
            f"Unknown type {quote(kind.upper())} in HEALTHCHECK (try CMD)",
            f"did you mean {meant}?" if meant else f"write HEALTHCHECK CMD {args.strip(BLANK)[:80]}",
        )
        return None
    before = sentence.report.errors
    command = sentence.command(rest)
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
    from kezuri.scalars.durations import parse_duration

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
