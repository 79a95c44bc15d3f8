"""Random and mutated inputs for the language: nothing but a KezuriError may come out, and that soon.

`python -m tests.dockerfile.dockerfile_fuzz --seconds 600 [--seed N]` goes on until the time is over, and names the
input and the seed of what went wrong.
"""

import argparse
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.dockerfile.dockerfile_cases import load

from kezuri.diagnostics import KezuriError
from kezuri.diagnostics.render import render
from kezuri.dockerfile import (
    Ignore,
    Onbuild,
    Patterns,
    Run,
    decode,
    expand,
    expand_heredoc,
    expand_words,
    match,
    parse,
    parse_trigger,
    write,
)
from kezuri.dockerfile.chmod import parse_chmod
from kezuri.dockerfile.statement import KEYWORDS
from kezuri.plan.inputs import ContextInput
from kezuri.plan.mounts import plan_mounts
from kezuri.scalars.durations import parse_duration

PROJECT = Path(__file__).parents[2]
PATIENCE = 10.0
PER_CHARACTER = 100e-6
VARIABLES = {"A": "apple", "E": "", "P": "/usr/local/lib.tar.gz", "S": "a b  c", "V": "a*b?c\\d", "L": "ab\n" * 300}
PATHS = [
    "a",
    "a/b",
    "src/main.py",
    "x/y/z/README.md",
    "é/\udcff",
    "a\nb/c",
    "b" * 200,
    "/".join(["d"] * 60),
    ".git/HEAD",
]
WORDS = r"""
FROM RUN COPY ADD ENV ARG LABEL CMD ENTRYPOINT HEALTHCHECK ONBUILD EXPOSE VOLUME USER WORKDIR SHELL STOPSIGNAL
MAINTAINER # escape=` # syntax=x # check=skip=all #!/bin/sh AS NONE scratch
\ ` ' " $ ${ } ${A} ${A:- ${A# ${A%% ${A/ ${A// ${A:? [ ] ["a"] [1] { } , : = == - -- --mount= << <<- <<E <<'E' E | &&
--from=x --chmod= --link --exclude= type=bind,target=/x type=cache type=secret,id=a from=x rw --interval=5s --retries=3
* ** ? ! / . .. [a-z] [^a] [!a] [[:alpha:]] \d \Q \E {1,2} {1000} (.*/)? ^ u=rwX go= +t a+rwxXst 755 0777 1h30m 1.5s
"""
BLANKS = [" ", "\t", "\n", "\r\n", "\\\n", "`\n", "\n\n", "\\\n\n", "\\\n# c\n", "\x0b", "\x85", "\u00a0", "\u2003"]
ODD = ["\ufeff", "\x00", "é", "\udcff", "\U0001f600", "\u212a"]
TOKENS = [*WORDS.split(), *(keyword + " " for keyword in KEYWORDS), *BLANKS * 3, *ODD]


class Hang(BaseException):
    """A call that took far too long for its input. Not an Exception, so that nobody swallows it."""


def files() -> list[bytes]:
    """The Dockerfiles and ignore files of the project, and the texts of the recorded cases."""
    found = [path.read_bytes() for path in sorted(PROJECT.glob("tests/dockerfile/golden/*/Dockerfile"))]
    found += [path.read_bytes() for path in sorted(PROJECT.glob("examples/**/*ockerfile*")) if path.is_file()]
    found += [path.read_bytes() for path in sorted(PROJECT.glob("examples/**/.dockerignore"))]
    for topic in ("parser", "triggers", "expansion", "ignore", "chmod", "durations", "wildcards"):
        for case in load(topic)["cases"][::7]:
            text = case["text"] if isinstance(case, dict) else case[0]
            found.append(text.encode("utf-8", "surrogateescape"))
    return found


def mutated(random_: random.Random, corpus: list[bytes]) -> bytes:
    """An input: one of the corpus, or a soup of tokens or bytes, changed here and there."""
    kind = random_.random()
    if kind < 0.1:
        data = random_.randbytes(random_.randint(0, 300))
    elif kind < 0.3:
        data = "".join(random_.choices(TOKENS, k=random_.randint(1, 40))).encode("utf-8", "surrogateescape")
    else:
        data = random_.choice(corpus)
    for _ in range(random_.choice((0, 1, 1, 2, 4, 8))):
        at, to = sorted((random_.randint(0, len(data)), random_.randint(0, len(data))))
        change = random_.random()
        if change < 0.15:
            data = data[:at] + random_.randbytes(random_.randint(1, 3)) + data[at:]
        elif change < 0.55:
            data = data[:at] + random_.choice(TOKENS).encode("utf-8", "surrogateescape") + data[at:]
        elif change < 0.7:
            data = data[:at] + data[to:]
        elif change < 0.8:
            other = random_.choice(corpus)
            data = data[:at] + other[random_.randint(0, len(other)) :]
        elif change < 0.9:
            lines = data.split(b"\n")
            random_.shuffle(lines)
            data = b"\n".join(lines)
        else:
            piece = data[at : at + random_.choice((1, 2, 5, 20, 80))]
            data = data[:at] + piece * random_.choice((2, 3, 10, 100, 2000)) + data[at:]
    return data[:200_000]


def read_file(text: str) -> None:
    """A Dockerfile, written again; its triggers fire, its mounts are planned, its complaints are shown."""
    parsed = parse(text, "Dockerfile")
    assert write(parsed) == text, "not written back as it was read"
    for found in parsed.diagnostics[:20]:
        assert render(found)
    for instruction in parsed.instructions:
        if isinstance(instruction, Onbuild):
            allowed(parse_trigger, instruction.text, "trigger")
        elif isinstance(instruction, Run) and instruction.mounts:
            allowed(plan_mounts, instruction, "/w", lambda t: expand(t, VARIABLES), lambda _, __: ContextInput())


def ignore(text: str) -> None:
    """An ignore file, asked for paths, and walked."""
    rules = Ignore.parse(text, ".dockerignore")
    for path in PATHS:
        excluded = rules.matches(path)
        assert (rules.rule(path) is not None) == excluded
        folder = rules.walk()
        for name in path.split("/"):
            folder.excluded(name)
            inner = folder.enter(name)
            if inner is None:
                break
            folder = inner


def change_mode(text: str) -> None:
    """A mode, applied."""
    change = parse_chmod(text)
    for mode in (0, 0o644, 0o755, 0o7777):
        assert 0 <= change.apply(mode, directory=False) <= 0o7777
        assert 0 <= change.apply(mode, directory=True) <= 0o7777


def duration(text: str) -> None:
    """A duration; ValueError is what it says of others."""
    try:
        parse_duration(text)
    except ValueError:
        pass


TARGETS: dict[str, Callable[[str], object]] = {
    "file": read_file,
    "trigger": lambda text: parse_trigger(text, "trigger"),
    "word": lambda text: expand(text, VARIABLES),
    "word with `": lambda text: expand(text, VARIABLES, "`"),
    "words": lambda text: expand_words(text, VARIABLES),
    "heredoc": lambda text: expand_heredoc(text, VARIABLES),
    "ignore": ignore,
    "exclude": lambda text: Patterns.of(text.split("\n")[:50]).matches("a/b"),
    "wildcard": lambda text: [match(text[:500], path) for path in PATHS],
    "chmod": change_mode,
    "duration": duration,
}


def allowed(target: Callable[..., object], *arguments: object) -> None:
    """Call it; a KezuriError is an answer like another."""
    try:
        target(*arguments)
    except KezuriError as error:
        assert error.diagnostics


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Raises Hang in what takes longer."""

    def over(_: int, __: FrameType | None) -> NoReturn:
        raise Hang

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(name: str, data: bytes) -> str:
    """What is wrong with the target's answer, or nothing."""
    text = decode(data)
    try:
        with patience(PATIENCE + len(text) * PER_CHARACTER):
            allowed(TARGETS[name], text)
    except Hang:
        return "takes too long"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def run(seed: int, go_on: Callable[[int], bool]) -> list[str]:
    """Try inputs as long as `go_on` says, given how many there were; what went wrong, at most ten."""
    random_, corpus, failures = random.Random(seed), files(), list[str]()
    count = 0
    while go_on(count) and len(failures) < 10:
        count += 1
        data = mutated(random_, corpus)
        for name in TARGETS:
            said = attempt(name, data)
            if said:
                failures.append(f"seed {seed}, input {count}, {name}: {said}\n  {data[:300]!r} ({len(data)} bytes)")
    return failures


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    end: float = time.monotonic() + options.seconds
    tried = 0

    def go_on(count: int) -> bool:
        nonlocal tried
        tried = count
        return time.monotonic() < end

    failures = run(options.seed, go_on)
    for failure in failures:
        print(failure)
    print(f"seed {options.seed}: {tried} inputs, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
