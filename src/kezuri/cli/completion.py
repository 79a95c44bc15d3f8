"""What may come next on a command line: commands, options, values, image names, stages."""

import os
from collections.abc import Iterable, Sequence

from kezuri.cli.commands import ALIASES, MODULES, load
from kezuri.cli.console import Console
from kezuri.cli.options import Command, Option, Parsed, UsageError, parse
from kezuri.cli.settings import GLOBAL, settings

_BASH = r"""# bash completion for kezuri
_kezuri() {
    local line=${COMP_LINE:0:COMP_POINT} candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(kezuri __complete bash "$line" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o bashdefault -o default -F _kezuri kezuri"""

_ZSH = r"""#compdef kezuri
_kezuri() {
    local -a candidates
    candidates=("${(@f)$(kezuri __complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    candidates=(${candidates:#})
    if (( ${#candidates} )); then
        compadd -Q -- "${candidates[@]}"
    else
        _files
    fi
}
if [ "$funcstack[1]" = "_kezuri" ]; then
    _kezuri "$@"
else
    compdef _kezuri kezuri
fi"""

_FISH = r"""# fish completion for kezuri
function __kezuri_complete
    set -l words (commandline -opc)
    set -l candidates (kezuri __complete fish $words[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $candidates) -gt 0
        printf '%s\n' $candidates
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c kezuri -f -a '(__kezuri_complete)'"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

_BREAKS = "=:"
"""Characters at which bash cuts the word that it completes."""


def answer(shell: str, words: Sequence[str], console: Console) -> list[str]:
    """The candidates for a shell's call. bash gives the whole line, the others the words; the last is incomplete."""
    if shell == "bash":
        words = _split(words[0] if words else "")[1:]
    words = list(words) or [""]
    try:
        found = candidates(words[:-1], words[-1], console)
    except Exception:
        return []
    if shell == "fish":
        return [f"{word}\t{note}" if note else word for word, note in found]
    plain = [word for word, _ in found]
    if shell == "bash":
        cut = max(words[-1].rfind(sign) for sign in _BREAKS) + 1
        plain = [word[cut:] for word in plain]
    return plain


def candidates(before: Sequence[str], word: str, console: Console) -> list[tuple[str, str]]:
    """What `word` may become after the words `before`, with a note on each; empty where file names are meant."""
    command, rest = _command(before)
    if command is None:
        prefix = " ".join(w for w in rest) + " " if rest else ""
        if word.startswith("-"):
            return _options(GLOBAL, word)
        return _commands(prefix, word)
    own = {name for option in command.options for name in option.names}
    options = [*command.options, *(o for o in GLOBAL if not own & set(o.names))]
    known = {name: option for option in options for name in option.names}
    if "--" not in rest:
        if rest and rest[-1] in known and known[rest[-1]].kind not in ("flag", "optional"):
            return _values(known[rest[-1]], word, "", rest, options, console)
        name, equals, value = word.partition("=")
        if equals and name in known:
            return _values(known[name], value, name + "=", rest, options, console)
        parsed = _read(rest, options, console, command.passthrough)
        if word.startswith("-") and not (command.passthrough and parsed.operands):
            return _options(options, word)
    else:
        parsed = _read(rest, options, console, command.passthrough)
    if command.passthrough and parsed.operands:
        return []
    return _matching(_things(command.completes, parsed, console), word)


def _command(words: Sequence[str]) -> tuple[Command | None, list[str]]:
    """The command that the words name, and the words after it; without one, a group's first word."""
    at = 0
    valued = {name for option in GLOBAL if option.kind != "flag" for name in option.names}
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in valued else 1
    rest = list(words[at:])
    for count in (2, 1):
        name = " ".join(rest[:count])
        name = ALIASES.get(name, name)
        if len(rest) >= count and name in MODULES:
            return load(name)[0], rest[count:]
    return None, rest


def _commands(prefix: str, word: str) -> list[tuple[str, str]]:
    names: dict[str, str] = {}
    for name in (*MODULES, *ALIASES):
        if name.startswith("_") or not name.startswith(prefix):
            continue
        first, _, more = name[len(prefix) :].partition(" ")
        if first.startswith(word):
            names.setdefault(first, "" if more or prefix else load(ALIASES.get(name, name))[0].summary)
    return list(names.items())


def _options(options: Iterable[Option], word: str) -> list[tuple[str, str]]:
    shown = [option for option in options if not (option.refused or option.ignored or option.warned)]
    long = [(option.key, option.help) for option in (*shown, Option(("--help",), "flag", "Show this help"))]
    return [(name, note) for name, note in long if name.startswith(word)]


def _values(
    option: Option, word: str, prefix: str, rest: Sequence[str], options: Sequence[Option], console: Console
) -> list[tuple[str, str]]:
    if option.choices:
        found: Iterable[str] = option.choices
    elif option.kind == "flag":
        found = ("true", "false")
    else:
        found = _things(option.completes, _read(rest, options, console, False), console)
    return [(prefix + value, note) for value, note in _matching(found, word)]


def _things(kind: str, parsed: Parsed, console: Console) -> Iterable[str]:
    """The names of a kind; none for files and directories, which the shell knows better."""
    if kind == "image":
        from kezuri.app.images import images
        from kezuri.oci import Reference

        names = dict.fromkeys(image.name for image in images(settings(parsed, console.environ), ()))
        return [Reference.parse(name).familiar for name in names if name and not name.startswith("<")]
    if kind == "volume":
        from kezuri.app.volumes import volumes

        return [volume["Name"] for volume in volumes(settings(parsed, console.environ))]
    if kind == "stage":
        return stages(parsed)
    if kind == "rule":
        from kezuri.check.catalogue import every_rule

        return [name for rule in every_rule() for name in (rule.name, *rule.aliases)]
    if kind == "origin":
        from kezuri.advisories.origins import ORIGINS

        return [origin.name for origin in ORIGINS]
    if kind == "data set":
        from kezuri.app.advisories import status

        return [data.name for data in status(settings(parsed, console.environ), 0.0).data]
    if kind == "on-error":
        return ("shell", "export,path=")
    if kind == "shell":
        return SCRIPTS
    if kind == "base":
        from kezuri.app.bases import names as bases

        return [name for name, _ in bases()]
    return ()


def stages(parsed: Parsed) -> list[str]:
    """The stage names of the Dockerfile that the command line names."""
    context = parsed.operands[0] if parsed.operands else "."
    path = parsed.text("--file") or os.path.join(context, "Dockerfile")
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read(1 << 20)
    except OSError:
        return []
    out = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 4 and words[0].upper() == "FROM" and words[-2].upper() == "AS":
            out.append(words[-1])
    return out


def _matching(names: Iterable[str], word: str) -> list[tuple[str, str]]:
    return [(name, "") for name in dict.fromkeys(names) if name.startswith(word)]


def _read(rest: Sequence[str], options: Sequence[Option], console: Console, passthrough: bool) -> Parsed:
    """What has been typed so far, as far as it can be understood."""
    words = list(rest)
    while True:
        try:
            return parse(words, options, console.environ, passthrough=passthrough)
        except UsageError:
            if not words:
                return Parsed({}, ())
            words.pop()


def _split(line: str) -> list[str]:
    """The words of a line as a shell sees them; the last one is what the cursor stands in, perhaps empty."""
    import shlex

    for close in ("", '"', "'"):
        try:
            words = shlex.split(line + close)
        except ValueError:
            continue
        if not close and (not line or line[-1].isspace()):
            words.append("")
        return words
    return line.split(" ")
