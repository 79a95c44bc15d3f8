"""What a file costs grows with its length and no faster, whatever its shape; and nothing thrown at it breaks it.

Work is counted, not timed: the lines and calls of Python that are executed, which are the same in every run.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import pytest
from tests.dockerfile.dockerfile_fuzz import run

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile import Ignore, expand, parse

if TYPE_CHECKING:
    from _typeshed import TraceFunction

SHAPES: dict[str, Callable[[int], str]] = {
    "one RUN of many lines": lambda n: "FROM a\nRUN b \\\n" + "  && c 'd' \\\n" * n + "  e\n",
    "many lines with comments and gaps in between": lambda n: "FROM a\nRUN b \\\n" + "  c \\\n# d\n\n" * n + "  e\n",
    "many instructions": lambda n: "FROM a\n" + "RUN b\nCOPY --link a b\nENV x=y\nWORKDIR /w\n" * (n // 4),
    "many heredocs": lambda n: "FROM a\n" + "RUN <<E\nx\nE\n" * n,
    "many heredocs of one COPY": lambda n: "FROM a\nCOPY " + "<<E \\\n" * n + "/x\n" + "E\n" * n,
    "heredocs that never end": lambda n: "FROM a\n" + "".join(f"RUN <<E{i}\n" for i in range(n)),
    "one long heredoc": lambda n: "FROM a\nRUN <<E\n" + "x\n" * n + "E\n",
    "many comments": lambda n: "FROM a\n" + "# b\n" * n + "RUN c\n",
    "many blank lines": lambda n: "FROM a\n" + "\n" * n + "RUN c\n",
    "one ENV of many pairs": lambda n: "FROM a\nENV \\\n" + " a='b c' \\\n" * n,
    "a chain of ARG and ENV": lambda n: "FROM a\n" + "".join(f"ARG A{i}=$A{i - 1}\nENV E{i}=$A{i}\n" for i in range(n)),
    "many flags": lambda n: "FROM a\nCOPY \\\n" + "--exclude=b \\\n" * n + "c d\n",
    "many mounts": lambda n: "FROM a\nRUN \\\n" + "--mount=type=cache,target=/c \\\n" * n + "c d\n",
    "one long JSON array": lambda n: "FROM a\nRUN [\\\n" + '"b",\\\n' * n + '"c"]\n',
    "many stages": lambda n: "".join(f"FROM a AS s{i}\nCOPY --from=s{i - 1} /x /y\n" for i in range(n)),
    "many triggers": lambda n: "FROM a\n" + "ONBUILD RUN <<E\nx\nE\n" * n,
    "many wrong instructions": lambda n: "FROM a\n" + "RUNN x\n" * n,
    "many unclosed quotes": lambda n: "FROM a\n" + "RUN echo '<<E\n" * n,
    "open brackets": lambda n: "FROM a\n" + "RUN [[[[[[[[\n" * n,
}


def work(action: Callable[[], object]) -> int:
    """How many lines of Python the action runs."""
    count = 0

    def trace(_: FrameType, event: str, __: object) -> "TraceFunction":
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


def calls(action: Callable[[], object]) -> int:
    """How many functions the action calls, those of C included."""
    count = 0

    def profile(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_twice_the_file_is_twice_the_work(shape: Callable[[int], str]) -> None:
    parse(shape(4), "Dockerfile")  # what is only done once is done before
    texts = shape(250), shape(500)
    once, twice = work(lambda: parse(texts[0], "Dockerfile")), work(lambda: parse(texts[1], "Dockerfile"))
    assert twice < 2.5 * once


def of_size(name: str, size: int) -> str:
    """A text of this shape and about this length."""
    shape = SHAPES[name]
    each = (len(shape(2000)) - len(shape(1000))) / 1000
    return shape(int(size / each))


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_twice_the_file_takes_twice_the_calls(name: str) -> None:
    texts = of_size(name, 200_000), of_size(name, 400_000)
    once, twice = calls(lambda: parse(texts[0], "Dockerfile")), calls(lambda: parse(texts[1], "Dockerfile"))
    assert twice < 2.5 * once


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["one RUN of many lines", "many instructions", "many heredocs", "many comments", "a chain of ARG and ENV"]
)
def test_five_megabytes_are_read(name: str) -> None:
    text = of_size(name, 5_000_000)
    assert len(text) > 4_900_000
    assert not parse(text, "Dockerfile").errors


@pytest.mark.parametrize(
    "text", ["$A", "${A:-b}", "${A/a/b}", "${A//a/b}", "${A##*a}", "'a'", '"a$A"', "\\a", "${X:-${X:-a}}"]
)
def test_expansion_takes_time_with_the_length_of_the_text(text: str) -> None:
    variables = {"A": "banana"}
    expand(text, variables)
    once, twice = work(lambda: expand(text * 200, variables)), work(lambda: expand(text * 400, variables))
    assert twice < 2.5 * once


@pytest.mark.slow
def test_so_many_rules_that_they_would_take_minutes_are_an_error() -> None:
    text = "".join(f"name{i}\n" for i in range(10_000)) + "".join(f"*.ext{i}\n" for i in range(5_001))
    with pytest.raises(KezuriError, match="more than 5000 patterns with wildcards") as raised:
        Ignore.parse(text + "[broken\n" * 100_000, ".dockerignore")
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.source is not None and diagnostic.span is not None
    assert diagnostic.source.position(diagnostic.span.start)[0] == 15_001
    assert Ignore.parse("".join(f"name{i}\n" for i in range(10_000)), ".dockerignore").matches("name9999")


def test_a_walk_costs_the_same_for_each_name_however_many_patterns_there_are() -> None:
    def walk(count: int) -> None:
        folder = Ignore.parse("\n".join(f"dir{i}\n*.ext{i}" for i in range(count)), ".dockerignore").walk()
        names = [f"name{i}" for i in range(1000)]
        folder.kept(names)
        counts.append(work(lambda: folder.kept(names)))

    counts: list[int] = []
    walk(50)
    walk(100)
    assert counts[1] < 1.1 * counts[0]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_input_is_understood_or_refused(seed: int) -> None:
    assert run(seed, lambda count: count < 250) == []
