"""`kezuri doctor`: what this machine lets kezuri do, and what is missing."""

from collections.abc import Sequence

from kezuri.app.answers import Check
from kezuri.cli.console import Console
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option
from kezuri.diagnostics import visible

FORMAT = Option(("--format",), "choice", "How to print", "FORMAT", ("table", "json"))
COMMAND = Command(
    "doctor",
    "Check what this machine lets kezuri do, and say what is missing",
    (FORMAT,),
    description="Makes a small build with the settings of the moment, of which nothing stays, and looks at what\n"
    "explains how it went. Exit code 1 when a build would fail. docs/places.md says what must be given where.",
)

_COLOURS = {"ok": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}


def execute(invocation: Invocation) -> int:
    """Exit code 1 when a check found an error."""
    from kezuri.app.doctor import doctor

    return show(invocation.console, doctor(invocation.settings), invocation.parsed.text("--format"))


def show(console: Console, checks: Sequence[Check], form: str) -> int:
    """Print the findings; 1 when one of them is an error."""
    if form == "json":
        from kezuri.cli.json_text import json_text

        console.say(json_text([check._asdict() for check in checks], 2))
    else:
        colour = console.colour(console.out)
        from kezuri.cli.screen_text import width

        names = [console.words(check.name) for check in checks]
        wide = max(map(width, names), default=0)
        for name, check in zip(names, checks):
            state = check.state.ljust(7)
            if colour:
                state = f"{_COLOURS.get(check.state, '')}{state}\x1b[0m"
            detail = visible(console.words(check.detail))
            console.say(f"{state}  {name}{' ' * (wide - width(name))}  {detail}".rstrip(), styled=True)
            for line in console.words(check.remedy).split("\n") if check.remedy else ():
                console.say(f"{' ' * (wide + 11)}-> {line}")
    return 1 if any(check.state == "error" for check in checks) else 0
