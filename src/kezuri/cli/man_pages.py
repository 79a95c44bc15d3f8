"""Manual pages made from the tables: kezuri.1 and one for each command, as man(7) has them.

`python -m kezuri.cli.man_pages DIRECTORY` writes them.
"""

import os
import sys
from collections.abc import Iterator, Sequence

from kezuri.cli.commands import MODULES, load
from kezuri.cli.options import Command, Option
from kezuri.cli.settings import GLOBAL

_HELP = Option(("--help", "-h"), "flag", "Show this help")
_CODES = (
    ("0", "It went well."),
    ("1", "The build failed, what was asked for is not there, or a check found an error."),
    ("2", "The command line, an environment variable or the settings file cannot be understood."),
    ("125", "kezuri itself could not work."),
    ("128+n", "kezuri, or the process that it ran, was ended by signal n."),
)


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    commands = [command for command in (load(name)[0] for name in MODULES) if not command.hidden]
    made = {"kezuri.1": _overview(commands)}
    for command in commands:
        made[f"{_name(command)}.1"] = _command(command)
    return made


def _overview(commands: Sequence[Command]) -> str:
    lines = [
        *_head("kezuri", "builds container images from Dockerfiles"),
        ".SH SYNOPSIS",
        r".B kezuri",
        r"[\fIOPTIONS\fR] \fICOMMAND\fR",
        ".SH DESCRIPTION",
        "kezuri builds container images from Dockerfiles, without a daemon and without root, and runs them.",
        "Flags and habits are docker's.",
        ".SH COMMANDS",
    ]
    for command in commands:
        lines += [".TP", rf"\fBkezuri\-{_text(command.name.replace(' ', '-'))}\fR(1)", f"{_text(command.summary)}."]
    lines += [".SH OPTIONS", *_options((*GLOBAL, Option(("--version", "-v"), "flag", "Show the version"), _HELP))]
    lines += [".SH EXIT STATUS", *_listed(_CODES)]
    lines += [
        ".SH FILES",
        ".TP",
        r"\fI$XDG_CONFIG_HOME/kezuri/config.toml\fR",
        "The settings file, in TOML.",
        ".TP",
        r"\fI$XDG_DATA_HOME/kezuri\fR",
        "The store: an OCI image layout with what belongs to it.",
    ]
    return "\n".join(lines) + "\n"


def _command(command: Command) -> str:
    name = _name(command)
    lines = [
        *_head(name, command.summary[:1].lower() + command.summary[1:]),
        ".SH SYNOPSIS",
        rf".B kezuri {_text(command.name)}",
        _text(command.usage.removeprefix(f"kezuri {command.name}").strip()),
        ".SH DESCRIPTION",
        f"{_text(command.summary)}.",
    ]
    if command.description:
        lines += [".PP", *(_text(line) for line in command.description.split("\n"))]
    shown = [option for option in command.options if not option.refused and not option.ignored]
    if shown:
        lines += [".SH OPTIONS", *_options(shown)]
    ignored = [option.key for option in command.options if option.ignored]
    if ignored:
        lines += [".PP", f"Accepted without effect: {_text(', '.join(ignored))}."]
    lines += [".SH OPTIONS OF EVERY COMMAND", *_options((*GLOBAL, _HELP))]
    if command.aliases:
        lines += [".SH OTHER NAMES", _text(", ".join(f"kezuri {alias}" for alias in command.aliases))]
    lines += [".SH SEE ALSO", r"\fBkezuri\fR(1)"]
    return "\n".join(lines) + "\n"


def _name(command: Command) -> str:
    return f"kezuri-{command.name.replace(' ', '-')}"


def _head(name: str, summary: str) -> list[str]:
    # No date and no version: the page is the same whenever it is made.
    return [
        f'.TH {name.upper().replace("-", chr(92) + "-")} 1 "" kezuri',
        ".SH NAME",
        rf"{_text(name)} \- {_text(summary)}",
    ]


def _options(options: Sequence[Option]) -> Iterator[str]:
    for option in options:
        names = ", ".join(rf"\fB{_text(name)}\fR" for name in sorted(option.names, key=len))
        value = ""
        if option.metavar and option.kind != "flag":
            value = (
                rf"[=\fI{_text(option.metavar)}\fR]"
                if option.kind == "optional"
                else rf" \fI{_text(option.metavar)}\fR"
            )
        said = option.help
        if option.kind == "choice" and not all(choice in option.help for choice in option.choices):
            said += f": {', '.join(option.choices)}"
        said += "." + (" Repeatable." if option.kind == "repeated" else "")
        yield ".TP"
        yield names + value
        yield _text(said)
        if option.variable:
            yield rf"Environment variable: \fB{_text(option.variable)}\fR."


def _listed(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, said in pairs:
        yield from (".TP", rf"\fB{_text(name)}\fR", _text(said))


def _text(text: str) -> str:
    """A line as roff takes it: backslashes, hyphens and what is not ASCII written out, no request by accident."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    text = "".join(c if c.isascii() else rf"\[u{ord(c):04X}]" for c in text)
    return rf"\&{text}" if text.startswith((".", "'")) else text


def write(directory: str) -> None:
    """Write every page, and remove those of commands that are gone."""
    os.makedirs(directory, exist_ok=True)
    made = pages()
    for name in os.listdir(directory):
        if name.startswith("kezuri") and name.endswith(".1") and name not in made:
            os.unlink(os.path.join(directory, name))
    for name, text in made.items():
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    write(sys.argv[1])
