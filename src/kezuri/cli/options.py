"""What a command accepts, as a table of frozen values, and argv read by that table.

The same table serves parsing, `--help`, docs/cli.md and shell completion. The habits are docker's (that is, pflag's):
`--name value`, `--name=value`, `-t value`, `-tvalue`, `-it`, options anywhere before `--`, `--flag=false`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.scalars import parse_bool

LIMITS = (
    "memory",
    "memory-swap",
    "cpus",
    "cpu-shares",
    "cpu-period",
    "cpu-quota",
    "cpuset-cpus",
    "cpuset-mems",
    "pids-limit",
)
"""What limits steps and containers, as docker names it; `cli.limits` reads it."""

Kind = Literal["flag", "text", "repeated", "choice", "optional"]


class Option(NamedTuple):
    """One option: `names` with their dashes, the canonical long one first.

    `kind`: `flag` takes no value (but `=true|false`), `text` one, `repeated` one each time, `choice` one of
    `choices`, `optional` none or `=value`. The `choices` of a `repeated` one are for completion: it may have several,
    with commas. `variable` is the environment variable that stands in for it. `refused` says why the option is not
    supported; it may still have one of the `harmless` values or, without these, be switched off (`=false`). `ignored`
    options are accepted and do nothing. `completes` says what its value is: a file, directory, image or stage.
    `warned` options are accepted and do nothing either, but a warning says so, with this text.
    `foreign` options are those of other programs.
    """

    names: tuple[str, ...]
    kind: Kind
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    variable: str = ""
    refused: str = ""
    harmless: tuple[str, ...] = ()
    ignored: bool = False
    completes: str = ""
    warned: str = ""
    foreign: bool = False

    @property
    def key(self) -> str:
        """The canonical name, with dashes: what Parsed is asked for."""
        return self.names[0]


class Command(NamedTuple):
    """One command: `operands` is its usage text after the options, `least` and `most` how many it takes (-1: any).

    With `passthrough` everything after the first operand is an operand too. `completes` says what the operands are. One
    that `holds` something for long, or a terminal without echo, is unwound by SIGTERM and SIGHUP, so that it puts
    everything back.
    """

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    operands: str = ""
    least: int = 0
    most: int = 0
    passthrough: bool = False
    aliases: tuple[str, ...] = ()
    description: str = ""
    completes: str = ""
    hidden: bool = False
    holds: bool = False

    @property
    def usage(self) -> str:
        """One line: `kezuri build [OPTIONS] PATH | -`."""
        return f"kezuri {self.name} [OPTIONS] {self.operands}".rstrip()


def limit_options(of: str) -> tuple[Option, ...]:
    """The options, for a command that limits what `of` says ("a step", "the container")."""
    return (
        Option(("--memory", "-m"), "text", f"The most memory that {of} may use", "BYTES"),
        Option(("--memory-swap",), "text", "The most memory and swap together; -1: all swap (default: twice)", "BYTES"),
        Option(("--cpus",), "text", f"How many processors' time {of} may use", "N"),
        Option(("--cpu-shares", "-c"), "text", "Weight against others for processor time (usual: 1024)", "N"),
        Option(("--cpu-period",), "text", "Period of --cpu-quota (default 100000)", "MICROSECONDS"),
        Option(("--cpu-quota",), "text", "Processor time in each period", "MICROSECONDS"),
        Option(("--cpuset-cpus",), "text", "Which processors may be used, like 0-3,6", "LIST"),
        Option(("--cpuset-mems",), "text", "Which memory nodes may be used", "LIST"),
        Option(("--pids-limit",), "text", f"How many processes {of} may have; -1: no limit", "N"),
    )


class UsageError(KezuriError):
    """Something that the command line does not understand: exit code 2, printed with the one-line usage."""

    @classmethod
    def because(cls, message: str, hint: str = "") -> "UsageError":
        """The error with one diagnostic."""
        from kezuri.diagnostics import Diagnostic

        return cls(Diagnostic("error", message, hint=hint), exit_code=2)


class Parsed:
    """What argv said: the values of the options by canonical name, and the operands."""

    __slots__ = ("operands", "values")

    def __init__(self, values: dict[str, list[str]], operands: tuple[str, ...]) -> None:
        self.values = values
        self.operands = operands

    def given(self, key: str) -> bool:
        """Whether the option was there at all."""
        return key in self.values

    def flag(self, key: str, default: bool = False) -> bool:
        """The last value of a flag."""
        values = self.values.get(key)
        return parse_bool(values[-1]) is True if values else default

    def text(self, key: str, default: str = "") -> str:
        """The last value of an option that takes one."""
        values = self.values.get(key)
        return values[-1] if values else default

    def all(self, key: str) -> tuple[str, ...]:
        """Every value of a repeated option, in order."""
        return tuple(self.values.get(key, ()))


def parse(
    argv: Sequence[str],
    options: Sequence[Option],
    environ: Mapping[str, str],
    *,
    passthrough: bool = False,
    before: Mapping[str, list[str]] | None = None,
    others: Callable[[str], Option | None] | None = None,
) -> Parsed:
    """argv (without the command's name) read by the table; UsageError naming what is wrong. `others` is asked for an
    option that the table does not have.

    With `passthrough` the first operand ends the options. `--help` and, unless the table uses the letter otherwise,
    `-h` are always known, under the key `--help`. `before` are values given before the command's name.
    """
    known: dict[str, Option] = {}
    for option in options:
        for name in option.names:
            known[name] = option
    known.setdefault("--help", _HELP)
    known.setdefault("-h", _HELP)
    values = {key: list(given) for key, given in before.items()} if before else {}
    operands: list[str] = []
    words = list(argv)
    at, end = 0, len(words)
    while at < end:
        word = words[at]
        at += 1
        if word == "--":
            operands += words[at:]
            break
        if len(word) < 2 or word[0] != "-":
            operands.append(word)
            if passthrough:
                operands += words[at:]
                break
        elif word[1] == "-":
            name, equals, value = word.partition("=")
            found = known.get(name) or (others(name) if others else None)
            if found is None:
                raise _unknown(name, known)
            if not equals and found.kind not in ("flag", "optional"):
                if at >= end:
                    raise UsageError.because(f"option {name} needs a value", f"write {name} {found.metavar or 'VALUE'}")
                value, equals = words[at], "="
                at += 1
            _take(found, name, value if equals else None, values)
        else:
            at = _letters(word, words, at, known, values, others)
    for option in options:
        if option.variable and option.key not in values:
            value = environ.get(option.variable, "")
            if value:
                _take(option, option.variable, value, values)
    return Parsed(values, tuple(operands))


def _letters(
    word: str,
    words: list[str],
    at: int,
    known: dict[str, Option],
    values: dict[str, list[str]],
    others: Callable[[str], Option | None] | None,
) -> int:
    """A word of one-letter options; gives back where argv goes on."""
    rest = word[1:]
    while rest:
        name, rest = "-" + rest[0], rest[1:]
        found = known.get(name) or (others(name) if others else None)
        if found is None:
            if name == word or not word[1:].isalpha():
                raise _unknown(word if len(word) == 2 else name, known)
            hint = nearest("--" + word[1:], [n for n in known if n.startswith("--")])
            raise UsageError.because(
                f"unknown option {name} in {word}", f"did you mean {hint}?" if hint else "see kezuri COMMAND --help"
            )
        if rest.startswith("="):
            _take(found, name, rest[1:], values)
            break
        if found.kind in ("flag", "optional"):
            _take(found, name, None, values)
            continue
        if rest:
            _take(found, name, rest, values)
            break
        if at >= len(words):
            raise UsageError.because(f"option {name} needs a value", f"write {name} {found.metavar or 'VALUE'}")
        _take(found, name, words[at], values)
        at += 1
        break
    return at


def _take(option: Option, name: str, value: str | None, values: dict[str, list[str]]) -> None:
    """Note one occurrence; `name` is how it was written."""
    if option.kind == "flag":
        if value is None:
            value = "true"
        elif parse_bool(value) is None:
            raise UsageError.because(f"option {name} is true or false, not {value!r}")
    elif option.kind == "optional" and value is None:
        value = "true"
    assert value is not None
    if option.refused:
        off = option.kind in ("flag", "optional") and parse_bool(value) is False
        if value in option.harmless or (off and not option.harmless):
            return
        if option.foreign:
            raise UsageError.because(f"kezuri has no option {name}", option.refused)
        raise UsageError.because(f"{name} is not supported yet", option.refused)
    if option.kind == "choice" and value not in option.choices:
        guess = nearest(value, option.choices)
        hint = f"did you mean {guess}?" if guess else f"one of: {', '.join(option.choices)}"
        raise UsageError.because(f"{name} cannot be {value!r}", hint)
    if not option.ignored:
        values.setdefault(option.key, []).append(value)


def _unknown(name: str, known: Mapping[str, Option]) -> UsageError:
    guess = nearest(name, [n for n in known if n.startswith("--")]) if name.startswith("--") else None
    return UsageError.because(
        f"unknown option {name}", f"did you mean {guess}?" if guess else "see kezuri COMMAND --help for the options"
    )


_HELP = Option(("--help", "-h"), "flag", "Show this help")
