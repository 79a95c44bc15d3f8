"""A measurement of an image: a few figures, the steps and the packages that they come from, as one line of JSON."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

VERSION = 1

BYTES = ("wire", "unpacked", "shown", "wasted", "own", "leftovers")
"""Metrics that are bytes: as the layers travel, as plain tars, what the image shows of them, what it does not, what its
own instructions added to the base image (plain), and what nobody needs to run a program."""
COUNTS = ("layers", "files", "packages")
METRICS = (*BYTES, *COUNTS)

_LONGEST = 4096
_LONGEST_STEP = 400
_MOST = 256
"""How many steps or packages of a line are read; images have 127 layers at most."""
_GREATEST = 1 << 62


class StepSize(NamedTuple):
    """One layer: the instruction that made it, where it stands (0: not known), its plain bytes and those of them that
    the image does not show, and whether it came with the base image."""

    text: str
    size: int
    wasted: int = 0
    dockerfile: str = ""
    line: int = 0
    of_base: bool = False

    @property
    def place(self) -> str:
        """`Dockerfile:12`, empty where it is not known."""
        return f"{self.dockerfile or 'Dockerfile'}:{self.line}" if self.line else ""


class PackageSize(NamedTuple):
    """What belongs to one package: its ecosystem as package URLs call it, and the bytes of it that the image shows."""

    ecosystem: str
    name: str
    version: str
    size: int


class Measurement(NamedTuple):
    """An image at one time. `name` is what its measurements are found by; `at` is a time as RFC 3339 has it; `commit`
    and `branch` are empty where nobody told. `figures` are by metric; one that could not be found out is not there.
    Of packages only the largest are kept."""

    name: str
    at: str
    commit: str
    branch: str
    platform: str
    digest: str
    figures: Mapping[str, int]
    steps: tuple[StepSize, ...] = ()
    packages: tuple[PackageSize, ...] = ()


class Unreadable(ValueError):
    """A line is no measurement; the text says why."""


def line_of(measured: Measurement) -> str:
    """The measurement as one line of JSON, without a line end: letters of all languages as they are, bytes that are no
    UTF-8 as escapes. Equal measurements give equal lines."""
    said = {
        "v": VERSION,
        **{key: value for key, value in zip(_TEXTS, measured[:6]) if value},
        **{key: measured.figures[key] for key in METRICS if key in measured.figures},
        "steps": [[*step[:3], *_place(step)] for step in measured.steps],
        "owned": [list(package) for package in measured.packages],
    }
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    # Unicode has line ends of its own, and surrogates cannot be written.
    return "".join(c if c.isprintable() or c == " " else json.dumps(c)[1:-1] for c in text)


_TEXTS = ("name", "at", "commit", "branch", "platform", "digest")


def _place(step: StepSize) -> list[Any]:
    if step.of_base:
        return [step.dockerfile, step.line, "base"]
    return [step.dockerfile, step.line] if step.line else []


def read_line(text: str) -> Measurement:
    """A line as `line_of` writes it. What it does not know is passed over. Unreadable for anything else."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("it is no JSON") from None
    if not isinstance(said, dict):
        raise Unreadable("it is no JSON object")
    version = said.get("v")
    if version != VERSION:
        raise Unreadable(f"it is of version {version!r}; this kezuri knows {VERSION}"[:100])
    texts = [said.get(key, "") for key in _TEXTS]
    if not all(isinstance(value, str) and len(value) <= _LONGEST for value in texts) or not texts[0] or not texts[1]:
        raise Unreadable("it lacks a name or a time")
    figures = {key: said[key] for key in METRICS if key in said}
    if not figures or not all(_is_count(value) for value in figures.values()):
        raise Unreadable("its figures are none")
    name, at, commit, branch, platform, digest = texts
    steps = tuple(_step(row) for row in _rows(said, "steps"))
    packages = tuple(_package(row) for row in _rows(said, "owned"))
    return Measurement(name, at, commit, branch, platform, digest, figures, steps, packages)


def _rows(said: Mapping[str, Any], key: str) -> list[list[Any]]:
    rows = said.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Unreadable(f"its {key} are none")
    return rows[:_MOST]


def _step(row: list[Any]) -> StepSize:
    match row:
        case [str(text), size, wasted, *place] if _is_count(size) and _is_count(wasted):
            match place:
                case [str(dockerfile), line, *base] if _is_count(line):
                    return StepSize(text[:_LONGEST_STEP], size, wasted, dockerfile, line, base[:1] == ["base"])
                case []:
                    return StepSize(text[:_LONGEST_STEP], size, wasted)
    raise Unreadable("one of its steps is none")


def _package(row: list[Any]) -> PackageSize:
    match row:
        case [str(ecosystem), str(name), str(version), size] if _is_count(size):
            return PackageSize(ecosystem, name, version, size)
    raise Unreadable("one of its packages is none")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _GREATEST
