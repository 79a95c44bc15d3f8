"""What may stand where the cursor is: instructions, flags and their values, stages, variables, rules, files."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from kezuri.dockerfile.flags import FLAGS
from kezuri.dockerfile.instructions import Arg, Env
from kezuri.dockerfile.lines import SPACE, continued
from kezuri.dockerfile.parser import Dockerfile
from kezuri.dockerfile.statement import KEYWORDS
from kezuri.plan.stages import split_stages

Kind = Literal["keyword", "flag", "value", "stage", "variable", "rule", "file"]
Names = Callable[[str], Iterable[str]]

_RULES = re.compile(
    r"#\s*(?:check\s*=\s*(?:\w+=[^;]*;)*(?:skip|experimental)=|(?:hadolint|kezuri)\s.*?ignore\s*=)", re.I
)
_DIRECTIVES = ("syntax=docker/dockerfile:1", "escape=`", "check=skip=")
_MOUNT_KEYS = {
    "bind": ("target", "source", "from", "rw"),
    "cache": ("target", "id", "sharing", "from", "source", "mode", "uid", "gid", "ro"),
    "tmpfs": ("target", "size"),
    "secret": ("id", "target", "env", "required", "mode", "uid", "gid"),
    "ssh": ("id", "target", "required", "mode", "uid", "gid"),
}
_VALUES = {
    "network": ("default", "none", "host"),
    "security": ("sandbox", "insecure"),
    "platform": ("$BUILDPLATFORM", "$TARGETPLATFORM", "linux/amd64", "linux/arm64"),
    "sharing": ("shared", "private", "locked"),
    "type": tuple(_MOUNT_KEYS),
    "link": ("true", "false"),
}
_AUTOMATIC = (
    *("TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT", "TARGETSTAGE"),
    *("BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT"),
)
_LONGEST = 100
"""Rows of one instruction that are looked at above the cursor."""


class Choice(NamedTuple):
    """Something that may stand there. `text` takes the place of what is between `start` and the cursor."""

    label: str
    kind: Kind
    text: str
    start: int
    detail: str = ""


def complete(dockerfile: Dockerfile, offset: int, names: Names, rules: Callable[[], Iterable[str]]) -> list[Choice]:
    """The choices at an offset. `names` lists a directory of the context, `rules` are the names of the rules."""
    text = dockerfile.source.text
    for instruction in dockerfile.instructions:
        for heredoc in getattr(instruction, "heredocs", ()):
            if heredoc.body_span.start <= offset < heredoc.body_span.end:
                return []
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    if line.lstrip(SPACE).startswith("#"):
        return list(_comment(dockerfile, line, offset, rules))
    logical = _logical(text, offset, dockerfile.escape).lstrip(SPACE)
    if logical[:8].upper().startswith("ONBUILD ") or logical[:8].upper().startswith("ONBUILD\t"):
        logical = logical[8:].lstrip(SPACE)
    word = re.split(r"[ \t]", logical)[-1]
    start = offset - len(word)
    if word == logical:
        lower = word.islower()
        return [Choice(name, "keyword", (name.lower() if lower else name) + " ", start) for name in KEYWORDS]
    keyword = logical.split(None, 1)[0].upper()
    return list(_argument(dockerfile, keyword, logical, word, offset, names))


def _argument(
    dockerfile: Dockerfile, keyword: str, logical: str, word: str, offset: int, names: Names
) -> Iterator[Choice]:
    start = offset - len(word)
    words = logical.split()[1 : None if word == "" else -1]
    if variable := re.search(r"\$\{?(\w*)$", word):
        opened = offset - len(variable.group(1))
        for name in _variables(dockerfile, offset):
            yield Choice(name, "variable", name, opened)
        return
    if word.startswith("--"):
        yield from _flag(dockerfile, keyword, words, word, offset)
        return
    values = [said for said in words if not said.startswith("--")]
    if keyword == "FROM":
        if not values:
            yield from (Choice(name, "stage", name, start) for name in (*_stages(dockerfile, offset), "scratch"))
        elif len(values) == 1:
            yield Choice("AS", "keyword", "AS ", start)
    elif keyword == "HEALTHCHECK" and not values:
        yield from (Choice(name, "keyword", name, start) for name in ("CMD", "NONE"))
    elif keyword == "STOPSIGNAL":
        yield from (Choice(name, "value", name, start) for name in ("SIGTERM", "SIGINT", "SIGQUIT", "SIGKILL"))
    elif keyword in ("COPY", "ADD") and not any(said.startswith("--from") for said in words):
        yield from _files(word, offset, names)


def _flag(dockerfile: Dockerfile, keyword: str, words: list[str], word: str, offset: int) -> Iterator[Choice]:
    name, equals, value = word[2:].partition("=")
    known = FLAGS.get(keyword, {})
    if not equals:
        given = {said[2:].partition("=")[0] for said in words if said.startswith("--")}
        for flag, kind in known.items():
            if kind == "list" or flag not in given:
                yield Choice(
                    f"--{flag}", "flag", f"--{flag}" if kind == "boolean" else f"--{flag}=", offset - len(word)
                )
        return
    if name == "mount" and keyword == "RUN":
        yield from _mount(dockerfile, value, offset)
    elif name == "from":
        yield from (Choice(n, "stage", n, offset - len(value)) for n in _stages(dockerfile, offset))
    else:
        yield from (Choice(v, "value", v, offset - len(value)) for v in _VALUES.get(name, ()))


def _mount(dockerfile: Dockerfile, value: str, offset: int) -> Iterator[Choice]:
    *before, last = value.split(",")
    key, equals, said = last.partition("=")
    if equals:
        start = offset - len(said)
        choices = _stages(dockerfile, offset) if key == "from" else _VALUES.get(key, ())
        yield from (Choice(v, "stage" if key == "from" else "value", v, start) for v in choices)
        return
    given = dict(part.partition("=")[::2] for part in before)
    if "type" not in given:
        yield Choice("type", "flag", "type=", offset - len(last))
    for name in _MOUNT_KEYS.get(given.get("type", "bind"), ()):
        if name not in given:
            yield Choice(name, "flag", name if name in ("rw", "ro") else f"{name}=", offset - len(last))


def _files(word: str, offset: int, names: Names) -> Iterator[Choice]:
    directory, _, name = word.removeprefix("./").rpartition("/")
    for found in names(directory.lstrip("/")):
        yield Choice(found, "file", found, offset - len(name))


def _comment(dockerfile: Dockerfile, line: str, offset: int, rules: Callable[[], Iterable[str]]) -> Iterator[Choice]:
    if _RULES.match(line.lstrip(SPACE)):
        word = re.split(r"[=, ]", line)[-1]
        yield from (Choice(name, "rule", name, offset - len(word)) for name in rules())
    elif not dockerfile.instructions or offset < dockerfile.instructions[0].node.span.start:
        word = line.lstrip(SPACE)[1:].lstrip(SPACE)
        yield from (Choice(name, "value", name, offset - len(word)) for name in _DIRECTIVES if "=" not in word)


def _logical(text: str, offset: int, escape: str) -> str:
    """The instruction up to the cursor, its lines joined."""
    lines = text[:offset].split("\n")[-_LONGEST:]
    parts = [lines[-1]]
    for raw in reversed(lines[:-1]):
        raw = raw.rstrip("\r")
        if (parts and raw.lstrip(SPACE)[:1] == "#") or not raw.strip(SPACE):
            continue
        body, goes_on = continued(raw, escape)
        if not goes_on:
            break
        parts.append(body)
    return "".join(reversed(parts))


def _stages(dockerfile: Dockerfile, offset: int) -> list[str]:
    _, stages = split_stages(dockerfile)
    return [s.start.written_name for s in stages if s.start.written_name and s.start.node.span.end < offset]


def _variables(dockerfile: Dockerfile, offset: int) -> list[str]:
    before = (i for i in dockerfile.instructions if i.node.span.start < offset and isinstance(i, Arg | Env))
    names = dict.fromkeys(name for instruction in before for name, _ in instruction.pairs)
    return [*names, *(name for name in _AUTOMATIC if name not in names)]
