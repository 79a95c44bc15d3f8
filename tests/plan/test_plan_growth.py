"""What a plan costs grows with its Dockerfile, and what would not is refused. Work is counted, not timed."""

from collections.abc import Callable

import pytest
from tests.dockerfile.test_dockerfile_growth import work
from tests.plan.plan_dockerfiles import errors, last, plan, runs

LONG = "ENV A=x\n" + "ENV A=$A$A\n" * 20
"""A value of a megabyte."""

SHAPES: dict[str, Callable[[int], str]] = {
    "many variables": lambda n: "FROM base\n" + "".join(f"ENV A{i}=b\n" for i in range(n)),
    "one that grows": lambda n: "FROM base\n" + "ENV A=${A}b\n" * n,
    "many arguments": lambda n: "FROM base\n" + "".join(f"ARG A{i}=b\n" for i in range(n)),
    "many global arguments": lambda n: "".join(f"ARG A{i}=$A{i - 1}b\n" for i in range(n)) + "FROM base\n",
    "many steps": lambda n: "FROM base\n" + "RUN x\nCOPY a b\nWORKDIR c\n" * n,
    "many stages": lambda n: "FROM base AS s0\n" + "".join(f"FROM s{i} AS s{i + 1}\nENV A=b\n" for i in range(n)),
    "a long heredoc": lambda n: "FROM base\nCOPY <<E /f\n" + "$A b\n" * n + "E\n",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_twice_the_file_is_twice_the_work(shape: Callable[[int], str]) -> None:
    plan(shape(4))  # what is only done once is done before
    once, twice = work(lambda: plan(shape(100))), work(lambda: plan(shape(200)))
    assert twice < 2.4 * once


@pytest.mark.parametrize(
    "text",
    [
        "FROM base\n" + LONG + "".join(f"ENV B{i}=$A\n" for i in range(3000)),
        "FROM base\n" + LONG + "".join(f"LABEL B{i}=$A\n" for i in range(3000)),
        "FROM base\n" + LONG + "RUN x\n" * 600,
        "FROM base\nARG A=x\n" + "ARG A=$A$A\n" * 20 + "RUN x\n" * 600,
        "FROM base AS s0\n" + LONG + "".join(f"FROM s{i} AS s{i + 1}\nRUN x\n" for i in range(200)),
    ],
    ids=["variables", "labels", "steps", "arguments", "stages"],
)
def test_what_holds_too_much_text_is_one_error_at_the_first_line_that_does(text: str) -> None:
    found = errors(text)
    assert len(found) == 1 and "64 MiB" in found[0][1] and found[0][2]


def test_global_arguments_too() -> None:
    doubled = "ARG A=x\n" + "ARG A=$A$A\n" * 20
    found = errors(doubled + "".join(f"ARG B{i}=$A\n" for i in range(3000)) + "FROM base\n")
    assert len(found) == 1 and "64 MiB" in found[0][1]


def test_what_is_long_but_no_longer_than_that_is_planned() -> None:
    stage = last("FROM base\n" + "ENV A=${A}0123456789\n" * 3000 + "RUN x\n" * 600)
    assert len(runs(stage)) == 600 and len(dict(runs(stage)[0].env)["A"]) == 30_000
