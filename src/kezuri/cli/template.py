"""`--format`: the part of Go's text/template that people write after docker commands.

Supported: text, `{{.Field}}`, `{{.A.B}}`, `{{.}}`, string literals, the functions json, upper, lower, title, join,
split, len, index, println, print and truncate, pipes between them, and `{{- -}}` trimming. Everything else is refused
by name.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kezuri.cli.json_text import json_text
from kezuri.cli.options import UsageError
from kezuri.diagnostics import nearest

_CONTROL = ("range", "if", "else", "end", "with", "define", "template", "block", "break", "continue")
_OPTIONAL = frozenset(
    {"User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "Healthcheck"}
    | {"Shell", "OnBuild", "ArgsEscaped", "Variant", "Author", "Comment", "Parent", "DockerVersion", "Hostname"}
)
"""Fields that an image may lack: they print as nothing, as docker prints them."""

_Term = tuple[str, Any]
_Step = tuple[_Term, ...]
_Action = tuple[_Step, ...]


class Template:
    """A parsed template. UsageError at construction for what is not understood."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts: list[str | _Action] = []
        at, trim = 0, False
        while True:
            start = text.find("{{", at)
            piece = text[at:] if start < 0 else text[at:start]
            if trim:
                piece = piece.lstrip()
            if start < 0:
                self._parts.append(piece)
                return
            stop = _close(text, start + 2)
            inner = text[start + 2 : stop]
            if inner.startswith("- "):
                piece, inner = piece.rstrip(), inner[1:]
            trim = inner.endswith(" -")
            inner = inner.removesuffix(" -")
            self._parts.append(piece)
            if not inner.strip().startswith("/*"):
                self._parts.append(_action(inner))
            at = stop + 2

    def render(self, value: Any) -> str:
        """The text for one value: a mapping or list as JSON has them. UsageError naming a field that is not there."""
        return "".join(part if isinstance(part, str) else show(self._run(part, value)) for part in self._parts)

    def fields(self) -> tuple[str, ...]:
        """The first field of every action that is a field: the headings of a table."""
        out = []
        for part in self._parts:
            if not isinstance(part, str):
                out += [value[0] for step in part for kind, value in step if kind == "field" and value][:1]
        return tuple(out)

    def _run(self, action: _Action, value: Any) -> Any:
        result: Any = None
        for number, step in enumerate(action):
            (kind, what), *rest = step
            arguments = [self._term(term, value) for term in rest] + ([result] if number else [])
            if kind == "call":
                result = _call(what, arguments)
            elif len(step) > 1 or number:
                raise UsageError.because(f"--format: {{{{{_written(step)}}}}} calls something that is no function")
            else:
                result = self._term((kind, what), value)
        return result

    def _term(self, term: _Term, value: Any) -> Any:
        kind, what = term
        if kind == "field":
            return _field(value, what)
        if kind == "call":
            return _call(what, [])
        return what


def show(value: Any) -> str:
    """A value as Go prints it: `[a b]` for a list, `map[k:v]` for a mapping."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{show(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(show, value)) + "]"
    return str(value)


def as_json(value: Any) -> str:
    """One line of JSON, as the template function writes it."""
    return json_text(value)


def escapes(text: str) -> str:
    r"""`\t` and `\n` as people write them in a shell's single quotes."""
    return text.replace("\\t", "\t").replace("\\n", "\n")


def _close(text: str, at: int) -> int:
    """Where the `}}` is that closes an action: not one inside a string."""
    quote = ""
    i = at
    while i < len(text):
        char = text[i]
        if quote:
            if char == "\\" and quote == '"':
                i += 1
            elif char == quote:
                quote = ""
        elif char in '"`':
            quote = char
        elif text.startswith("}}", i):
            return i
        i += 1
    raise UsageError.because(f"--format: {{{{ is not closed in {text!r}")


def _action(text: str) -> _Action:
    return tuple(_step(words, text) for words in _pipe(_words(text), text))


def _pipe(words: list[str], text: str) -> list[list[str]]:
    out: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            out.append([])
        else:
            out[-1].append(word)
    if not all(out):
        raise UsageError.because(f"--format: {{{{{text}}}}} has a missing value")
    return out


def _words(text: str) -> list[str]:
    words: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char.isspace():
            at += 1
            continue
        if char in '"`':
            stop = at + 1
            while text[stop] != char:
                stop += 2 if text[stop] == "\\" and char == '"' else 1
            stop += 1
        elif char == "|":
            stop = at + 1
        else:
            stop = at
            while stop < len(text) and not text[stop].isspace() and text[stop] not in '|"`':
                stop += 1
        words.append(text[at:stop])
        at = stop
    return words


def _step(words: list[str], text: str) -> _Step:
    return tuple(_parse_term(word, text, first=not i) for i, word in enumerate(words))


def _parse_term(word: str, text: str, *, first: bool) -> _Term:
    if word.startswith("`"):
        return "literal", word[1:-1]
    if word.startswith('"'):
        try:
            return "literal", json.loads(word)
        except ValueError:
            raise UsageError.because(f"--format: {word} is not a string in {{{{{text}}}}}") from None
    if word == ".":
        return "field", ()
    if word.startswith(".") and all(word[1:].split(".")) and not any(c in "()$" for c in word):
        return "field", tuple(word[1:].split("."))
    if word.lstrip("-").isdecimal():
        return "literal", int(word)
    if word in _CONTROL:
        raise UsageError.because(
            f"--format: {{{{{word}}}}} is not supported yet", "use --format json and a JSON tool such as jq"
        )
    if word in _FUNCTIONS:
        return "call", word
    if word.startswith(("$", "(")) or "(" in word:
        raise UsageError.because(f"--format: {word!r} is not supported yet in {{{{{text}}}}}", "use --format json")
    guess = nearest(word, _FUNCTIONS)
    hint = f"did you mean {guess}?" if guess else f"write .{word} for a field; functions: {', '.join(_FUNCTIONS)}"
    kind = "function" if first else "value"
    raise UsageError.because(f"--format: unknown {kind} {word!r} in {{{{{text}}}}}", hint)


def _field(value: Any, path: Sequence[str]) -> Any:
    for depth, name in enumerate(path):
        if isinstance(value, Mapping):
            if name in value:
                value = value[name]
            elif depth and (path[depth - 1] in ("Labels", "Annotations")):
                value = ""
            elif name in _OPTIONAL:
                return ""
            else:
                guess = nearest(name, map(str, value)) or next((k for k in value if k.lower() == name.lower()), None)
                known = ", ".join(f".{k}" for k in list(value)[:20])
                where = ".".join(("", *path[:depth])) or "."
                raise UsageError.because(
                    f"--format: {where} has no field {name!r}",
                    f"did you mean .{guess}?" if guess else f"it has {known}" if known else "it is empty",
                )
        elif value is None or value == "":
            return ""
        else:
            raise UsageError.because(
                f"--format: .{'.'.join(path[:depth])} is no object: it has no field {name!r}",
                "use index for the elements of a list",
            )
    return value


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key, "")
        elif isinstance(value, list | tuple) and isinstance(key, int):
            if not 0 <= key < len(value):
                raise UsageError.because(f"--format: index {key} is out of range: there are {len(value)}")
            value = value[key]
        elif value is None or value == "":
            return ""
        else:
            raise UsageError.because(f"--format: cannot index {show(value)[:60]!r} with {key!r}")
    return value


def _truncate(value: Any, length: int) -> str:
    return show(value)[: max(0, length)]


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": as_json,
    "upper": lambda value: show(value).upper(),
    "lower": lambda value: show(value).lower(),
    "title": lambda value: show(value).title(),
    "join": lambda values, sign: show(sign).join(map(show, values or ())),
    "split": lambda value, sign: show(value).split(show(sign)),
    "len": lambda value: len(value or ()),
    "index": _index,
    "truncate": _truncate,
    "print": lambda *values: " ".join(map(show, values)),
    "println": lambda *values: " ".join(map(show, values)) + "\n",
}


def _call(name: str, arguments: list[Any]) -> Any:
    try:
        return _FUNCTIONS[name](*arguments)
    except TypeError:
        raise UsageError.because(
            f"--format: {name} cannot take {', '.join(map(show, arguments)) or 'nothing'}"
        ) from None


def _written(step: _Step) -> str:
    return " ".join(f".{'.'.join(what)}" if kind == "field" else str(what) for kind, what in step)
