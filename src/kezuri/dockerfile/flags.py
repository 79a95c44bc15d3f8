"""The flags of each instruction: which there are, of what kind, and what they were given."""

from typing import Literal, NamedTuple

from kezuri.diagnostics import Span
from kezuri.dockerfile.statement import RawFlag, Report, Statement, first_word

Kind = Literal["string", "boolean", "list"]

_NONE: dict[str, Kind] = {}

# Instructions that are missing here (ARG, STOPSIGNAL) never look at their flags, nor does HEALTHCHECK NONE: they are
# dropped in silence, as BuildKit does.
FLAGS: dict[str, dict[str, Kind]] = {
    "ADD": {
        "checksum": "string",
        "chmod": "string",
        "chown": "string",
        "exclude": "list",
        "keep-git-dir": "boolean",
        "link": "boolean",
        "unpack": "boolean",
    },
    "CMD": _NONE,
    "COPY": {
        "chmod": "string",
        "chown": "string",
        "exclude": "list",
        "from": "string",
        "link": "boolean",
        "parents": "boolean",
    },
    "ENTRYPOINT": _NONE,
    "ENV": _NONE,
    "EXPOSE": _NONE,
    "FROM": {"platform": "string"},
    "HEALTHCHECK": {
        "interval": "string",
        "retries": "string",
        "start-interval": "string",
        "start-period": "string",
        "timeout": "string",
    },
    "LABEL": _NONE,
    "MAINTAINER": _NONE,
    "ONBUILD": _NONE,
    "RUN": {"device": "list", "mount": "list", "network": "string", "security": "string"},
    "SHELL": _NONE,
    "USER": _NONE,
    "VOLUME": _NONE,
    "WORKDIR": _NONE,
}


class FlagValue(NamedTuple):
    """What a flag was given, and where it stands."""

    text: str
    span: Span


class Flags:
    """The flags of one instruction by name."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, list[FlagValue]]) -> None:
        self._values = values

    def string(self, name: str) -> str | None:
        """The value of a flag that is given once; None where it is not given."""
        values = self._values.get(name)
        return values[0].text if values else None

    def value(self, name: str) -> str | None:
        """The same, where an empty value means that the flag is not given."""
        return self.string(name) or None

    def boolean(self, name: str) -> bool | None:
        """Whether a switch is on; None where it is not given."""
        values = self._values.get(name)
        return values[0].text == "true" if values else None

    def strings(self, name: str) -> tuple[str, ...]:
        """The values of a flag that may be repeated."""
        return tuple(value.text for value in self._values.get(name, ()))

    def values(self, name: str) -> list[FlagValue]:
        """The same with their spans."""
        return self._values.get(name, [])

    def span(self, name: str) -> Span | None:
        """Where the flag stands, or None."""
        values = self._values.get(name)
        return values[0].span if values else None


def read_flags(statement: Statement, report: Report) -> Flags:
    """Check the flags of an instruction against what it knows, and report all that is wrong with them."""
    known = FLAGS.get(statement.keyword)
    values: dict[str, list[FlagValue]] = {}
    if known is None or (statement.keyword == "HEALTHCHECK" and first_word(statement.args).upper() == "NONE"):
        return Flags(values)
    for flag in statement.flags:
        _read(flag, known, values, statement, report)
    return Flags(values)


def _read(
    flag: RawFlag, known: dict[str, Kind], values: dict[str, list[FlagValue]], statement: Statement, report: Report
) -> None:
    span = statement.line.span(flag.start, flag.end)
    name, equals, value = flag.text[2:].partition("=")
    kind = known.get(name)
    if kind is None:
        _unknown(name, known, statement, span, report)
        return
    if name in values and kind != "list":
        report.error(f"duplicate flag specified: --{name}", span, f"{statement.keyword} takes --{name} once")
        return
    if kind == "boolean":
        if equals and not value:
            report.error(f"missing a value on flag: --{name}", span, f"write --{name} or --{name}=true")
            return
        value = value.lower() or "true"
        if value not in ("true", "false"):
            report.error(
                f"expecting boolean value for flag --{name}, not: {value}",
                span,
                f"write --{name}=true or --{name}=false",
            )
            return
    elif not equals:
        report.error(f"missing a value on flag: --{name}", span, f"write --{name}=VALUE, without blanks around the =")
        return
    values.setdefault(name, []).append(FlagValue(value, span))


def _unknown(name: str, known: dict[str, Kind], statement: Statement, span: Span, report: Report) -> None:
    meant = report.suggest(name, known)
    message = f"unknown flag: --{name}"
    if meant is not None:
        report.error(f"{message} (did you mean --{meant}?)", span)
        return
    owners = [keyword for keyword, flags in FLAGS.items() if name in flags]
    if owners:
        hint = f"--{name} is a flag of {' and '.join(owners)}, not of {statement.keyword}"
    elif known:
        hint = f"{statement.keyword} knows {', '.join('--' + flag for flag in known)}"
    elif statement.keyword in ("CMD", "ENTRYPOINT"):
        hint = f'{statement.keyword} has no flags; to start a program with this word, write ["--{name}"]'
    else:
        hint = f"{statement.keyword} has no flags"
    report.error(message, span, hint)
