"""Where the program begins: argv in, exit code out. Every error that a command raises is printed here."""

import gc
import os
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, TextIO, cast

from kezuri.cli.commands import ALIASES, GROUPS, MODULES, load
from kezuri.cli.console import Console
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, Parsed, UsageError, parse
from kezuri.cli.outlet import conclude, standard_outlets
from kezuri.cli.settings import GLOBAL
from kezuri.diagnostics import KezuriError, nearest
from kezuri.linux.descriptors import hold_standard

_USAGE = "kezuri [OPTIONS] COMMAND"
_ALONE = (Option(("--version", "-v"), "flag", "Show the version"),)


class Stopped(BaseException):
    """Raised when SIGTERM or SIGHUP comes, so that every `with` is left as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run() -> None:
    """The console script."""
    from kezuri.linux import filenames

    if not filenames.are_utf8() and not sys.flags.utf8_mode:
        filenames.start_again()
    # The collector would walk every module while they are imported; a build makes few cycles.
    gc.set_threshold(100_000, 20, 20)
    import signal

    # Where our caller ignores it, nobody learns how a program that we start has ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    hold_standard()
    code = main(sys.argv[1:])
    # Everything that is held was let go of in its `with`; taking the interpreter apart costs 8 ms.
    os._exit(code)


def main(argv: Sequence[str]) -> int:
    """Run one command; its exit code (docs/exit-codes.md). Nothing escapes but SystemExit from the interpreter."""
    out, err = standard_outlets()
    code = call(argv, Console(cast(TextIO, out), cast(TextIO, err), os.environ))
    return conclude(code, out, err)


def call(argv: Sequence[str], console: Console) -> int:
    """Run one command on this console; every error is said there and becomes an exit code."""
    usage = _USAGE
    try:
        command, parsed, words = resolve(argv, console)
        if command is None:
            return _without_command(parsed, words, console)
        usage = command.usage
        parsed = _arguments(command, parsed, words, console)
        if parsed.flag("--help"):
            from kezuri.cli.help import command_help

            console.say(command_help(command, console.words))
            return 0
        _operands(command, parsed)
        for option in command.options:
            if option.warned and parsed.given(option.key):
                console.note(f"warning: {option.key} does nothing: {option.warned}")
        _, execute = load(command.name)
        invocation = Invocation(command, parsed, console)
        if not command.holds:
            return execute(invocation)
        with Unwinding():
            return execute(invocation)
    except KezuriError as error:
        return _report(error, usage, console)
    except KeyboardInterrupt:
        console.note("kezuri: interrupted")
        return 130
    except Stopped as stopped:
        console.note(f"kezuri: stopped by signal {stopped.number}")
        return 128 + stopped.number
    except OSError as error:
        return _refused(error, argv, console)
    except Exception as error:
        return _exhausted(error, argv, console)


def resolve(argv: Sequence[str], console: Console) -> tuple[Command | None, Parsed, tuple[str, ...]]:
    """Which command argv names, what stood before the name, and the words after it; without a command these are the
    group whose commands are asked for, if any. UsageError for an unknown one."""
    before = parse(argv, (*GLOBAL, *_ALONE), {}, passthrough=True, others=lambda name: _foreign("", name))
    words = before.operands
    if words[:1] == ("help",):
        words = (*words[1:], "--help") if words[1:] else ()
        before.values["--help"] = ["true"]
    if not words:
        return None, before, ()
    name, rest = words[0], words[1:]
    if name in GROUPS:
        if (before.flag("--help") and not rest) or rest[:1] in (("--help",), ("-h",)):
            return None, before, (name,)
        if not rest or rest[0].startswith("-"):
            raise UsageError.because(f"kezuri {name} needs a command", _verbs(name))
        name, rest = f"{name} {rest[0]}", rest[1:]
        if name == "buildx imagetools" and rest:  # the one group within a group
            name, rest = f"{name} {rest[0]}", rest[1:]
    name = ALIASES.get(name, name)
    if name not in MODULES:
        from kezuri.cli.elsewhere import instead

        answer = instead(name)
        if answer:
            raise UsageError.because(f"kezuri has no command {name}", answer)
        guess = nearest(name, [n for n in (*MODULES, *ALIASES) if not n.startswith("_")])
        group = name.partition(" ")[0]
        hint = f"did you mean kezuri {guess}?" if guess else _verbs(group) if group in GROUPS else "see kezuri --help"
        raise UsageError.because(f"unknown command {name!r}", hint)
    return load(name)[0], before, rest


def _verbs(group: str) -> str:
    verbs = sorted({name.split()[1] for name in (*ALIASES, *MODULES) if name.startswith(group + " ")})
    return f"one of: {', '.join(verbs)}"


def _arguments(command: Command, before: Parsed, words: Sequence[str], console: Console) -> Parsed:
    """The words after the command read by its table and the global one; what stood before the command is kept."""
    own = {name for option in command.options for name in option.names}
    shared = [option._replace(names=tuple(n for n in option.names if n not in own)) for option in GLOBAL]
    return parse(
        words,
        (*command.options, *shared),
        console.environ,
        passthrough=command.passthrough,
        before=before.values,
        others=lambda name: _foreign(command.name, name),
    )


def _foreign(command: str, name: str) -> Option | None:
    from kezuri.cli.foreign_options import foreign_option

    return foreign_option(command, name)


def _operands(command: Command, parsed: Parsed) -> None:
    count = len(parsed.operands)
    if count < command.least:
        raise UsageError.because(f"kezuri {command.name} needs {command.operands}")
    if count > command.most >= 0:
        extra = parsed.operands[command.most]
        raise UsageError.because(
            f"kezuri {command.name} takes no argument {extra!r}"
            if command.most == 0
            else f"kezuri {command.name} takes {command.operands}: {extra!r} is one too many",
            _one_too_many(command, parsed),
        )


def _one_too_many(command: Command, parsed: Parsed) -> str:
    """What was meant by more operands than there may be."""
    if command.name == "load":
        return f"write --input {parsed.operands[0]}"
    if command.name == "ls" and parsed.operands[1].startswith("/"):
        return f"write {parsed.operands[0]}:{parsed.operands[1]}"
    if command.name != "build":
        return ""
    first, second = parsed.operands[:2]
    names = {name for option in command.options for name in option.names}
    glued = next((value for value in parsed.all("--tag") if f"--t{value}" in names), "")
    if glued:
        return f"did you mean --t{glued} {first}? A long option has two dashes"
    if os.path.isdir(first) and not os.path.exists(second):
        return f"did you mean -t {second} {first}?"
    return "words with blanks need quotes; the context is the last one, and the only one without an option"


def _without_command(before: Parsed, words: Sequence[str], console: Console) -> int:
    if before.flag("--version"):
        from kezuri import __version__

        console.say(f"kezuri version {__version__}")
        return 0
    from kezuri.cli.help import group_help, overview

    console.say(group_help(words[0], console.words) if words else overview(console.words))
    return 0


def _report(error: KezuriError, usage: str, console: Console) -> int:
    from kezuri.diagnostics.render import render_all

    colour = console.colour(console.err)
    if error.diagnostics:
        columns = console.columns(console.err)
        console.note(render_all(error.diagnostics, colour, columns=columns, words=console.words), styled=True)
    if isinstance(error, UsageError):
        console.note(f"usage: {usage}")
    return error.exit_code


def _refused(error: OSError, argv: Sequence[str], console: Console) -> int:
    """The machine did not do what it was asked."""
    try:
        if _debugs(argv, console):
            _say_where(error, console)
        from kezuri.linux.refusal import refused

        return _report(refused(error), "", console)
    except OSError:
        # Not even the module that has the words can be read.
        console.note(f"error: {error}")
        return 125


def _exhausted(error: Exception, argv: Sequence[str], console: Console) -> int:
    """The machine has nothing left to give, or a mistake of ours."""
    try:
        from kezuri.linux.refusal import exhausted

        told = exhausted(error)
        if told is None:
            return _apologise(error, argv, console)
        if _debugs(argv, console):
            _say_where(error, console)
        return _report(told, "", console)
    except MemoryError:
        # Not even for the words.
        console.note("error: memory has run out")
        return 125


def _debugs(argv: Sequence[str], console: Console) -> bool:
    return "--debug" in argv or "-D" in argv or console.environ.get("KEZURI_DEBUG", "") not in ("", "0", "false")


def _say_where(error: Exception, console: Console) -> None:
    from traceback import format_exception

    console.note("".join(format_exception(error)).rstrip())


def _apologise(error: Exception, argv: Sequence[str], console: Console) -> int:
    """A mistake of ours: one line, and the whole story for who asks."""
    debug = _debugs(argv, console)
    if debug:
        _say_where(error, console)
    text = " ".join(str(error).split()) or "no message"
    advice = "" if debug else " (--debug shows where)"
    console.note(f"kezuri: sorry, something unexpected went wrong: {type(error).__name__}: {text}{advice}")
    return 125


class Unwinding:
    """While this context is open, SIGTERM and SIGHUP are exceptions in this process, so that every `with` is left.

    Children that are forked meanwhile have the handlers that were there before.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        import signal
        import threading

        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                self._before[number] = signal.signal(number, self._stop)
        os.register_at_fork(after_in_child=self._restore)

    def __exit__(self, *raised: object) -> None:
        self._restore()

    def _restore(self) -> None:
        import signal

        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        import signal

        signal.signal(number, signal.SIG_IGN)
        raise Stopped(number)
