"""Help made from the tables: for the terminal, and as the page docs/cli.md."""

from collections.abc import Callable, Sequence

from kezuri.cli.commands import ALIASES, MODULES, load
from kezuri.cli.options import Command, Option
from kezuri.cli.settings import GLOBAL

_GUTTER = 34
_HELP = Option(("--help",), "flag", "Show this help")


def overview(words: Callable[[str], str] = str) -> str:
    """`kezuri --help`; `words` says a sentence in the reader's language."""
    commands = [command for name in MODULES if not (command := load(name)[0]).hidden]
    width = max(len(command.name) for command in commands)
    lines = [
        words("kezuri builds container images from Dockerfiles: no daemon, no root needed."),
        "",
        f"{words('usage')}: kezuri [OPTIONS] COMMAND",
        "",
        f"{words('commands')}:",
        *(f"  {command.name:<{width}}  {words(command.summary)}" for command in commands),
        "",
        f"{words('options (before or after the command)')}:",
        *_listed((*GLOBAL, Option(("--version", "-v"), "flag", "Show the version"), _HELP), words),
        "",
        words("kezuri COMMAND --help says more."),
    ]
    return "\n".join(lines)


def group_help(group: str, words: Callable[[str], str] = str) -> str:
    """`kezuri GROUP --help`: the commands that begin with this word, those too that have another name; `words` as in
    `overview`."""
    names = [name for name in (*MODULES, *ALIASES) if name.startswith(group + " ")]
    width = max(map(len, names))
    lines = [f"{words('usage')}: kezuri {group} COMMAND", "", f"{words('commands')}:"]
    lines += [f"  {name:<{width}}  {words(load(ALIASES.get(name, name))[0].summary)}" for name in names]
    return "\n".join((*lines, "", words("kezuri COMMAND --help says more.")))


def command_help(command: Command, words: Callable[[str], str] = str) -> str:
    """`kezuri COMMAND --help`; `words` as in `overview`."""
    lines = [words(command.summary), "", f"{words('usage')}: {command.usage}"]
    if command.aliases:
        lines.append(f"{words('also')}:  {', '.join(f'kezuri {alias}' for alias in command.aliases)}")
    if command.description:
        lines += ["", *words(command.description).split("\n")]
    shown = _shown(command)
    if shown:
        lines += ["", f"{words('options')}:", *_listed(shown, words)]
    lines += ["", f"{words('options of every command')}:", *_listed((*GLOBAL, _HELP), words)]
    return "\n".join(lines)


def page() -> str:
    """docs/cli.md."""
    lines = [
        "# The command line",
        "",
        "This page is made from the tables that the program itself reads "
        "(`python -m kezuri.cli.help > docs/cli.md`); a test compares them.",
        "",
        "The habits are docker's: `--name value`, `--name=value`, `-t value`, `-tvalue`, `-it`, options anywhere "
        "before `--`, `--flag=false`. A flag wins over the environment variable, that over the settings file. "
        "What is wrong in argv ends with [exit code](exit-codes.md) 2.",
        "",
        "## Options of every command",
        "",
        "They may stand before or after the command's name.",
        "",
        *_markdown((*GLOBAL, Option(("--help", "-h"), "flag", "Show the command's options"))),
        "",
        "Settings files are TOML: [configuration](configuration.md) has their keys. `kezuri config` shows each value "
        "and where it came from.",
        "",
        "Other variables that are read: `NO_COLOR`, `CLICOLOR_FORCE`, `TERM`, `CI`, `BUILDKIT_PROGRESS`, "
        "`SOURCE_DATE_EPOCH`, `SSH_AUTH_SOCK`, `XDG_DATA_HOME`, `XDG_CONFIG_HOME`, `KEZURI_CONFIG_SYSTEM`, `HOME`. "
        "`DOCKER_BUILDKIT` and `BUILDX_*` are ignored.",
        "",
        "## Templates",
        "",
        "`--format` takes `json`, or a template as Go's text/template reads it: fields, variables, pipes, parentheses, "
        "`range`, `if`, `with`, `define`, `template`, comments and `{{- -}}`, its functions (and, or, not, eq, ne, "
        "lt, le, gt, ge, len, index, slice, print, printf, println, html, urlquery) and docker's (json, join, split, "
        "upper, lower, title, pad, truncate). Listings also take `table` and `table {{.A}}\\t{{.B}}`.",
        "",
        "```",
        "kezuri inspect --format '{{range .RootFS.Layers}}{{println .}}{{end}}' app",
        "kezuri inspect --format '{{range $name, $value := .Config.Labels}}{{$name}}={{$value}} {{end}}' app",
        "kezuri images --format '{{if eq .Tag \"latest\"}}{{.Repository}}{{end}}'",
        "```",
    ]
    for name in MODULES:
        command = load(name)[0]
        if command.hidden:
            continue
        lines += ["", f"## kezuri {name}", "", f"{command.summary}.", "", "```", command.usage, "```"]
        if command.aliases:
            lines += ["", f"Also: {', '.join(f'`kezuri {alias}`' for alias in command.aliases)}."]
        if command.description:
            lines += ["", " ".join(command.description.split("\n"))]
        shown = _shown(command)
        if shown:
            lines += ["", *_markdown(shown)]
        ignored = [option for option in command.options if option.ignored]
        if ignored:
            lines += ["", "Accepted without effect: " + ", ".join(f"`{option.key}`" for option in ignored) + "."]
        warned = [option for option in command.options if option.warned]
        if warned:
            lines += ["", "Accepted without effect, with a warning: "]
            lines[-1] += "; ".join(f"`{option.key}` ({option.warned})" for option in warned) + "."
        refused = [option for option in command.options if option.refused]
        if refused:
            lines += ["", "Known, and refused with a clear error because they are not supported yet:", ""]
            lines += [f"- {_names(option)}: {option.refused}" for option in refused]
    return "\n".join(lines)


def _shown(command: Command) -> list[Option]:
    """The options that do something."""
    return [option for option in command.options if not (option.refused or option.ignored or option.warned)]


def _listed(options: Sequence[Option], words: Callable[[str], str]) -> list[str]:
    """Two columns; a long left side gets a line of its own."""
    out = []
    for option in options:
        short = next((name for name in option.names if len(name) == 2), "")
        long = [name for name in option.names if len(name) > 2][:1]
        left = f"  {short + ',' if short else '   '} {long[0]}" + _value(option, " ")
        text = words(option.help) + _choices(option)
        if option.variable:
            text += f" [${option.variable}]"
        if len(left) < _GUTTER:
            out.append(f"{left:<{_GUTTER}}{text}")
        else:
            out += [left, f"{'':<{_GUTTER}}{text}"]
    return out


def _choices(option: Option) -> str:
    if option.kind != "choice" or all(choice in option.help for choice in option.choices):
        return ""
    return f": {', '.join(option.choices)}"


def _value(option: Option, sign: str) -> str:
    if option.kind == "flag" or not option.metavar:
        return ""
    return f"[={option.metavar}]" if option.kind == "optional" else f"{sign}{option.metavar}"


def _markdown(options: Sequence[Option]) -> list[str]:
    out = ["| option | | variable |", "|---|---|---|"]
    for option in options:
        many = " Repeatable." if option.kind == "repeated" else ""
        text = (option.help + _choices(option)).replace("|", "\\|")
        variable = f"`{option.variable}`" if option.variable else ""
        out.append(f"| {_names(option)} | {text}.{many} | {variable} |")
    return out


def _names(option: Option) -> str:
    value = _value(option, " ").replace("|", "\\|")
    return ", ".join(f"`{name}`" for name in option.names) + (f" `{value.strip()}`" if value else "")


if __name__ == "__main__":
    print(page())
