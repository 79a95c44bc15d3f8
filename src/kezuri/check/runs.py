"""The programs that the RUNs of a file call, as rules about package managers ask for them."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kezuri.check.environments import Environment, Stage
from kezuri.check.shell_text import ShellText
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Arg, Env, Run, Shell
from kezuri.shell.reader import read
from kezuri.shell.script import SimpleCommand, Word

if TYPE_CHECKING:
    from kezuri.check.written import Part

_TRANSPARENT = frozenset(("command", "builtin", "exec", "time", "coproc"))
_UNSEEN = frozenset(("sudo", "env", "nice", "ionice", "doas", "eatmydata"))
_PYTHON = r"python[0-9.]*\Z"
_SHELLS = frozenset(("sh", "bash", "ash", "dash", "zsh", "ksh", "busybox"))


class Texts(Protocol):
    """What is needed of a Dockerfile here."""

    @property
    def parts(self) -> "tuple[Part, ...]":
        """The file from one FROM to the next."""
        ...

    def scripts(self, instruction: Run, /) -> tuple[ShellText, ...]:
        """The shell texts of a RUN."""
        ...


class Call(NamedTuple):
    """A program that is called, and its arguments. `program` is the last part of its path; for `python -m pip` it is
    `pip`. `head` is the word that names it.

    `seen` tells that hadolint looks at the call, too: it does not where a path is written, behind `sudo` and `env`, or
    for `python -m pip` with options before `install`.
    `text` is None where nothing can be edited.
    """

    program: str
    head: Word
    words: tuple[Word, ...]
    seen: bool
    command: SimpleCommand
    text: ShellText | None

    def has(self, *options: str) -> bool:
        """Whether one of the options is given: `--yes` as that word or as `--yes=…`, `-y` also among joined letters."""
        for word in self.words:
            said = word.loose
            if not said.startswith("-"):
                continue
            for option in options:
                if option.startswith("--"):
                    if said == option or said.startswith(f"{option}="):
                        return True
                elif not said.startswith("--") and option[1:] in said[1:]:
                    return True
        return False

    def count(self, letter: str) -> int:
        """How often the letter is given among the short options."""
        return sum(
            w.loose.count(letter) for w in self.words if w.loose.startswith("-") and not w.loose.startswith("--")
        )

    def plain(self, valued: frozenset[str] = frozenset()) -> tuple[Word, ...]:
        """The arguments that are no options, and no values of the options that take one as the next word."""
        found, skip = list[Word](), False
        for word in self.words:
            if skip:
                skip = False
            elif word.loose.startswith("-"):
                skip = word.loose in valued
            else:
                found.append(word)
        return tuple(found)

    def operands(self, valued: frozenset[str] = frozenset()) -> tuple[Word, ...]:
        """The same from the first on that is no variable: `apt-get $OPTIONS install x`."""
        plain = self.plain(valued)
        start = 0
        while start < len(plain) - 1 and plain[start].loose.startswith("$"):
            start += 1
        return plain[start:]

    def value(self, *options: str) -> str | None:
        """The value that an option has, as the next word or behind `=`."""
        for index, word in enumerate(self.words):
            for option in options:
                if word.loose == option and index + 1 < len(self.words):
                    return self.words[index + 1].loose
                if word.loose.startswith(f"{option}="):
                    return word.loose[len(option) + 1 :]
        return None


class WrittenRun(NamedTuple):
    """A RUN of the file, behind ONBUILD or not, and the programs that it calls in the order of the text.

    `kept` tells that the stage is the last or that another one stands on it; `shipped` that the last stage is it or
    stands on it. `posix` tells that, as far as the file says, a POSIX shell runs it. `environment` is what ENV and ARG
    say before it in its stage, and ENV in the stages below: as written, without the quotes around it.
    """

    run: Run
    trigger: bool
    part: "Part"
    kept: bool
    shipped: bool
    posix: bool
    texts: tuple[ShellText, ...]
    calls: tuple[Call, ...]
    environment: Environment

    def named(self, *programs: str) -> Iterator[Call]:
        """The calls of these programs."""
        return (call for call in self.calls if call.program in programs)

    def after(self, call: Call) -> tuple[Call, ...]:
        """The calls that stand behind a call."""
        at = next((index for index, other in enumerate(self.calls) if other is call), len(self.calls))
        return self.calls[at + 1 :]

    def mounts(self) -> Iterator[str]:
        """Where caches and tmpfs are mounted, without a slash at the end: what is written there stays in no layer."""
        for mount in self.run.mounts:
            options = dict(mount.options)
            if options.get("type") in ("cache", "tmpfs"):
                for name in ("target", "dst", "destination"):
                    target = options.get(name)
                    if target:
                        yield target.rstrip("/") or "/"


def written_runs(subject: "Texts") -> tuple[WrittenRun, ...]:
    """Every RUN of the file in its order."""
    parts = subject.parts
    standing: dict[int, set[int]] = {}
    names: dict[str, int] = {}
    below: dict[int, int] = {}
    for part in parts:
        if part.start is not None:
            base = names.get(part.start.image.lower())
            if base is not None:
                below[part.number] = base
                standing.setdefault(base, set()).add(part.number)
            if part.start.name:
                names[part.start.name] = part.number
    last = parts[-1].number if parts else -1
    shipped, at = set[int](), last
    while at not in shipped:
        shipped.add(at)
        at = below.get(at, at)
    found: list[WrittenRun] = []
    environments: dict[int, Stage] = {}
    for part in parts:
        posix = True
        environment = Stage(environments.get(below.get(part.number, -2)))
        for piece in part.pieces:
            instruction = piece.instruction
            if isinstance(instruction, Env) and not piece.trigger:
                environment.set((name, value.strip("\"'")) for name, value in instruction.pairs)
            elif isinstance(instruction, Arg) and not piece.trigger:
                environment.take((n, v.strip("\"'")) for n, v in instruction.pairs if v is not None)
            elif isinstance(instruction, Shell) and instruction.argv and not piece.trigger:
                posix = instruction.argv[0].rsplit("/", 1)[-1] in _SHELLS
            elif isinstance(instruction, Run):
                texts = subject.scripts(instruction)
                kept = part.number in (last, -1) or part.number in standing
                calls = tuple(_calls(instruction, texts))
                reaches = part.number in shipped or part.number == -1
                known = Environment(environment)
                found.append(WrittenRun(instruction, piece.trigger, part, kept, reaches, posix, texts, calls, known))
        environments[part.number] = environment
    return tuple(found)


def _calls(run: Run, texts: tuple[ShellText, ...]) -> Iterator[Call]:
    for text in texts:
        # Of `bash <<NAME` hadolint does not see what bash reads.
        seen = text.heredoc is None or len(texts) == 1
        for command in text.script.commands:
            yield from _call(command, text, seen)
    if run.command.shell or not run.command.argv:
        return
    argv = run.command.argv
    if argv[0].rsplit("/", 1)[-1] in _SHELLS and len(argv) > 2 and argv[1].startswith("-") and "c" in argv[1]:
        for command in read(argv[2]).commands:
            yield from _call(command, None, False)
    else:
        words = tuple(Word(word, Span(0, 0), word, word, False) for word in argv)
        yield from _call(SimpleCommand(words, (), (), Span(0, 0), "", "", (), 1, 1), None, True)


def _call(command: SimpleCommand, text: ShellText | None, seen: bool) -> Iterator[Call]:
    words = command.words
    while words:
        program = words[0].loose
        if program in _TRANSPARENT:
            if program == "command" and len(words) > 1 and words[1].loose in ("-v", "-V"):
                break
            words = _behind(words[1:], ("-a",))
        elif program in _UNSEEN:
            seen = False
            words = _behind(words[1:], ("-u", "--user", "-g", "-n", "-c"))
        else:
            break
    if not words:
        return
    name = words[0].loose
    seen = seen and "/" not in name
    program = name.rsplit("/", 1)[-1]
    if re.match(_PYTHON, program):
        said = [word.loose for word in words]
        for index in range(1, len(said) - 1):
            if said[index] == "-m":
                near = seen and said[index + 2 : index + 3] == ["install"]
                yield Call(said[index + 1], words[index + 1], words[index + 2 :], near, command, text)
                return
    yield Call(program, words[0], words[1:], seen, command, text)


def _behind(words: tuple[Word, ...], valued: tuple[str, ...]) -> tuple[Word, ...]:
    """The words from the first that is neither an option, nor an option's value, nor an assignment."""
    index = 0
    while index < len(words) and (words[index].loose.startswith("-") or "=" in words[index].loose):
        index += 2 if words[index].loose in valued else 1
    return words[index:]
