"""What an image starts: the commands of ENTRYPOINT, CMD and HEALTHCHECK taken apart, as far as they are plain."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from kezuri.check.image.subject import Image
from kezuri.tree.tree import clean

_BUILTINS: Final = frozenset(
    [
        ".",
        ":",
        "[",
        "[[",
        "alias",
        "bg",
        "break",
        "case",
        "cd",
        "command",
        "continue",
        "declare",
        "echo",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "fg",
        "for",
        "function",
        "getopts",
        "hash",
        "if",
        "jobs",
        "kill",
        "let",
        "local",
        "popd",
        "printf",
        "pushd",
        "pwd",
        "read",
        "readonly",
        "return",
        "set",
        "shift",
        "source",
        "test",
        "time",
        "times",
        "trap",
        "true",
        "type",
        "typeset",
        "ulimit",
        "umask",
        "unalias",
        "unset",
        "until",
        "wait",
        "while",
        "{",
        "!",
        "]]",
    ]
)
_INITS: Final = frozenset(("tini", "tini-static", "dumb-init", "catatonit", "docker-init"))
_SHELLS: Final = frozenset(("sh", "bash", "ash", "dash", "zsh", "ksh"))
_TAKES_VALUE: Final = {
    "node": ("-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--env-file"),
    "python": ("-W", "-X"),
    "ruby": ("-r", "-I"),
    "php": ("-d", "-c"),
    "perl": ("-I",),
}
_NO_FILE: Final = {
    "node": ("-e", "--eval", "-p", "--print", "-i", "-v", "--version", "--test", "--run", "-c", "--check", "-h"),
    "python": ("-m", "-c", "-V", "--version", "-h"),
    "ruby": ("-e", "-S", "-v"),
    "php": ("-S", "-r", "-a", "-v", "-m"),
    "perl": ("-e", "-E", "-v"),
}
_ENDINGS: Final = {"node": ("", ".js", ".json", ".node", ".cjs", ".mjs", "/index.js", "/package.json")}


class Word(NamedTuple):
    """A word of a command, and the instruction that gave it."""

    text: str
    keyword: str


class Wanted(NamedTuple):
    """A program that is started, as it is written, or a file that a program is given to run (`script`). `shell`: a
    shell looks for it. `sure` is false where something else may be started in its place."""

    name: str
    keyword: str
    shell: bool = False
    script: bool = False
    sure: bool = True
    endings: tuple[str, ...] = ("",)


def started(image: Image) -> list[Wanted]:
    """What a container starts, one after the other, as far as the config tells."""
    config = image.config
    words = [Word(text, "ENTRYPOINT") for text in config.entrypoint or ()]
    if not _is_script(config.entrypoint or ()):
        words += [Word(text, "CMD") for text in config.cmd or ()]
    return list(_commands(image, words))


def asked_for_health(image: Image) -> list[Wanted]:
    """What the image's HEALTHCHECK starts."""
    test = (image.config.healthcheck or {}).get("Test")
    return checked_by(image, [str(word) for word in test] if isinstance(test, list) else [])


def checked_by(image: Image, test: Sequence[str]) -> list[Wanted]:
    """What a health check starts, written as `CMD` and words or `CMD-SHELL` and a text."""
    if len(test) < 2:
        return []
    if test[0] == "CMD-SHELL":
        shell = list(image.config.shell or ("/bin/sh", "-c"))
        return list(_commands(image, [Word(text, "HEALTHCHECK") for text in (*shell, test[1])]))
    return list(_commands(image, [Word(text, "HEALTHCHECK") for text in test[1:]])) if test[0] == "CMD" else []


def _is_script(argv: Sequence[str]) -> bool:
    """Whether this is a shell with a text: what follows are arguments that the text may not use."""
    return len(argv) > 2 and base_name(argv[0]) in _SHELLS and argv[-2].startswith("-") and "c" in argv[-2]


def base_name(name: str) -> str:
    """The last part of a program's path."""
    return name.rpartition("/")[2]


def _commands(image: Image, words: list[Word], depth: int = 0) -> Iterator[Wanted]:
    if not words or not words[0].text:
        return
    first, rest = words[0], words[1:]
    yield Wanted(first.text, first.keyword)
    if depth > 4:
        return
    base = base_name(first.text)
    if base in _INITS:
        texts = [word.text for word in rest]
        at = (
            texts.index("--") + 1
            if "--" in texts
            else next((i for i, t in enumerate(texts) if t[:1] != "-"), len(texts))
        )
        yield from _commands(image, rest[at:], depth + 1)
    elif base == "env":
        at = next((i for i, word in enumerate(rest) if "=" not in word.text), len(rest))
        if at < len(rest) and not rest[at].text.startswith("-"):
            yield from _commands(image, rest[at:], depth + 1)
    elif base in ("su-exec", "gosu"):
        yield from _commands(image, rest[1:], depth + 1)
    elif base == "docker-entrypoint.sh" and rest and not rest[0].text.startswith("-"):
        file = image.find(clean(f"{image.directory}/{rest[0].text}"))
        if file is None or file.mode & 0o111:  # else it is given to an interpreter
            yield from _commands(image, rest, depth + 1)
    elif base in _SHELLS:
        yield from _of_shell(image, rest)
    else:
        yield from _run_by(image, base, rest)


def _of_shell(image: Image, words: list[Word]) -> Iterator[Wanted]:
    """What a shell is given: a text, of which the first command counts, or a file."""
    for at, word in enumerate(words):
        if not word.text.startswith("-"):
            yield Wanted(word.text, word.keyword, script=True)
            return
        if word.text.startswith("--") or "c" not in word.text:
            continue
        if at + 1 < len(words):
            yield from _of_text(image, words[at + 1])
        return


def _of_text(image: Image, word: Word) -> Iterator[Wanted]:
    from kezuri.shell.reader import read

    if len(word.text) > 100_000:
        return
    script = read(word.text)
    if script.broken or not script.commands:
        return
    first = script.commands[0]
    if not first.words or first.words[0].value is None or first.within:
        return
    words = [Word(each.value, word.keyword) for each in first.words if each.value is not None]
    while words and words[0].text in ("exec", "command", "time") and len(words) > 1 and words[1].text[:1] != "-":
        del words[0]
    if not words or words[0].text in _BUILTINS or any(a.name == "PATH" for a in first.assignments):
        return
    # `a || b` may well be two ways of doing one thing.
    second = script.commands[1] if len(script.commands) > 1 else None
    sure = second is None or second.joint != "||" or second.name in ("exit", "false", "true", "kill", "echo")
    yield Wanted(words[0].text, word.keyword, shell=True, sure=sure)
    if len(words) == len(first.words):
        yield from _run_by(image, base_name(words[0].text), words[1:])


def _run_by(image: Image, base: str, words: list[Word]) -> Iterator[Wanted]:
    """The file that an interpreter is given, where it is plain which one that is."""
    kind = "python" if base.startswith("python") else "node" if base == "nodejs" else base
    if kind in ("java", "dotnet"):
        texts = [word.text for word in words]
        if kind == "java" and "-jar" in texts[:-1]:
            at = texts.index("-jar") + 1
        elif kind == "dotnet" and texts and texts[0].endswith(".dll"):
            at = 0
        else:
            return
        yield Wanted(texts[at], words[at].keyword, script=True)
        return
    if kind not in _NO_FILE:
        return
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.text in _NO_FILE[kind]:
            return
        elif word.text in _TAKES_VALUE[kind]:
            skip = True
        elif not word.text.startswith("-"):
            if "$" not in word.text:
                yield Wanted(word.text, word.keyword, script=True, endings=_ENDINGS.get(kind, ("",)))
            return
