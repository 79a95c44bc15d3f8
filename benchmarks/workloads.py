"""The workloads: which tree is built, what happens before each build, and how often."""

import os
import random
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.builders import Work


class Workload(NamedTuple):
    """`make` writes the context; `before` changes it before every round (the number of the round is its argument)."""

    name: str
    about: str
    rounds: int
    make: Callable[[str, str], None]
    before: Callable[[str, int], None] | None = None
    cold: bool = False
    """Build without the cache."""
    fresh: bool = False
    """Forget everything before each build, and look at the memory."""
    layout: bool = False
    """The result is a finished OCI layout (or what comes nearest)."""
    steps: int = 1
    """What the time is divided by."""


def all_workloads(files: int) -> list[Workload]:
    """Every workload; `files` is how many files `copy40k` copies."""

    def many(directory: str, base: str) -> None:
        _many(directory, files)

    return [
        Workload("noop", "three stages, 20 instructions, 200 context files, nothing changed", 9, _application),
        Workload("edit", "the same after one changed source line", 5, _application, _edit),
        Workload("run50", "fifty one-line RUN steps, no cache; per step", 2, _fifty, cold=True, steps=50),
        Workload(
            "copy40k",
            f"COPY of {files} small files to an OCI layout, nothing known before",
            1,
            many,
            fresh=True,
            layout=True,
        ),
    ]


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def _application(directory: str, base: str) -> None:
    """A three-stage build as an application has it. The commands are small: what is measured is the builder."""
    for number in range(200):
        kind = ("src", "src/lib", "public", "test")[number % 4]
        _write(f"{directory}/{kind}/file{number}.ts", f"export const value{number} = {number};\n" * 40)
    _write(f"{directory}/package.json", '{"name": "application"}\n')
    _write(f"{directory}/package-lock.json", '{"lockfileVersion": 3}\n')
    _write(f"{directory}/.dockerignore", "Dockerfile\n.dockerignore\ntest\n")
    install = "mkdir -p node_modules; for n in $(seq 100); do echo $n > node_modules/$n; done"
    _write(
        f"{directory}/Dockerfile",
        f"""FROM {base} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN {install}

FROM {base} AS build
WORKDIR /app
ENV MODE=production
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY src ./src
RUN mkdir dist && cat src/*.ts > dist/main.js

FROM {base}
WORKDIR /app
ENV MODE=production PORT=3000
LABEL org.opencontainers.image.title=application
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY public ./public
USER 1000:1000
CMD ["cat", "dist/main.js"]
""",
    )


def _edit(directory: str, round_: int) -> None:
    with open(f"{directory}/src/file0.ts", "a") as file:
        file.write(f"// {round_} {random.random()}\n")


def _fifty(directory: str, base: str) -> None:
    lines = [f"FROM {base}", *(f"RUN echo {number} > /f" for number in range(50))]
    _write(f"{directory}/Dockerfile", "\n".join(lines) + "\n")


def _many(directory: str, files: int) -> None:
    """Files of 1 to 11.5 KiB, 6.25 KB in the mean (250 MB in 40,000), 100 to a directory, of text that gzip halves."""
    choose = random.Random(40_000)
    words = ["".join(choose.choices("abcdefghijklmnopqrstuvwxyz", k=choose.randint(2, 9))) for _ in range(20_000)]
    pool = " ".join(choose.choices(words, k=1_000_000)).encode()
    for number in range(files):
        if number % 100 == 0:
            folder = f"{directory}/tree/{number // 10_000:02}/{number // 100:04}"
            os.makedirs(folder)
        size = choose.randint(1000, 11_500)
        start = choose.randrange(len(pool) - size)
        with open(f"{folder}/file{number:05}.js", "wb") as file:
            file.write(pool[start : start + size])
    _write(f"{directory}/Dockerfile", "FROM scratch\nCOPY tree /tree\n")


def work_of(workload: Workload, context: str, layout: str) -> Work:
    return Work(context, cold=workload.cold, layout=layout if workload.layout else None)
