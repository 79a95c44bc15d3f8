"""Large Dockerfiles are checked in work that grows with them: calls are counted, not milliseconds."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from tests.check.check_dockerfiles import Table

from kezuri.check.sheets import Terms, check_dockerfile
from kezuri.diagnostics import KezuriError
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, ImageSource

FEW, MANY = 60, 240


def _chain(n: int) -> str:
    more = (f"FROM s{i - 1} AS s{i}\nCOPY --from=s{i - 1} /a /b\nRUN echo {i}\n" for i in range(1, n))
    return "FROM alpine:3.20 AS s0\n" + "".join(more)


FILES: dict[str, Callable[[int], str]] = {
    "stages": lambda n: "".join(f"FROM alpine:3.20 AS s{i}\nRUN echo {i}\n" for i in range(n)),
    "chain": _chain,
    "one name": lambda n: "FROM alpine:3.20 AS s\nRUN true\n" * n,
    "users": lambda n: "FROM debian:12\n" + "".join(f"USER u{i}\n" for i in range(n)),
    "installs": lambda n: "FROM node:20\n" + "COPY . .\nRUN npm install && npm run build\n" * n,
    "health checks": lambda n: "FROM debian:12\n" + "RUN true\nHEALTHCHECK CMD curl localhost\n" * n,
    "copies": lambda n: "FROM debian:12\n" + "".join(f"COPY f{i} /d{i}\n" for i in range(n)),
    "variables": lambda n: "FROM debian:12\n" + "".join(f"ENV A{i}=$A{i - 1}\nARG B{i}=1\n" for i in range(1, n)),
    "pragmas": lambda n: "FROM debian:12\n" + "# hadolint ignore=DL3008\n" * n + "RUN true\n",
    "commands": lambda n: "FROM debian:12\nRUN " + " && ".join(f"apt-get install -y p{i}" for i in range(n)) + "\n",
    "pipes": lambda n: "FROM debian:12\nRUN <<E\n" + "".join(f"echo {i} | grep x\n" for i in range(n)) + "E\n",
    "substitutions": lambda n: (
        "FROM debian:12\nRUN <<E\n" + "".join(f"a=$(b{i} | c)\necho $(d | e)\n" for i in range(n)) + "E\n"
    ),
    "bundles": lambda n: (
        "FROM ruby:3.3\nENV RAILS_ENV=production\n" + "RUN bundle install && bootsnap precompile\n" * n
    ),
}


def unknown(source: ImageSource, platform: Platform) -> BaseImage:
    raise KezuriError.of("nobody is asked", exit_code=125)


def examine(text: str) -> None:
    check_dockerfile(text, "Dockerfile", Terms(unknown, {}, surroundings=Table({})))


def calls(text: str) -> int:
    """How often a function of ours is called, or a generator goes on, while the text is checked."""
    count = 0

    def heard(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(heard)
    try:
        examine(text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("kind", FILES)
def test_four_times_the_text_is_four_times_the_work(kind: str) -> None:
    make = FILES[kind]
    examine(make(3))  # what is loaded once
    few, many = calls(make(FEW)), calls(make(MANY))
    assert many < 5 * few, f"{few} calls for {FEW}, {many} for {MANY}"


def test_the_square_would_be_seen() -> None:
    assert calls(FILES["copies"](MANY)) > 5 * calls(FILES["copies"](MANY // 8))
