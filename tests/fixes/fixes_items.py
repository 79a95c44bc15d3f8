"""The files that every fix is tried on: the rules' bad examples, the examples, the peers' cases, and generated ones."""

import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.fixes.fixes_careless import CONTEXT, careless
from tests.integration.integration_entries import Entry, broken, examples
from tests.peers.peers_cases import CASES, make_context
from tests.peers.peers_random_context import lay, random_context
from tests.peers.peers_random_dockerfile import Dockerfile, random_dockerfile

from kezuri.check.catalogue import every_rule
from kezuri.check.rule import Rule


class Item(NamedTuple):
    """One Dockerfile with its context. `lay` puts the context into a directory that is there."""

    name: str
    text: str
    lay: Callable[[Path], None]
    arguments: tuple[str, ...] = ()
    dockerfile: str = "Dockerfile"
    pieces: tuple[str, ...] = ()
    """The instructions of a file of which those can be left out that nobody builds."""

    def without(self, line: int) -> "Item | None":
        """The item without the instruction on that line (from 1); None where it has to stay."""
        found = Dockerfile(self.pieces).line_of(line) if self.pieces else 0
        if found < 1 or self.pieces[found].startswith("FROM"):
            return None
        left = self.pieces[:found] + self.pieces[found + 1 :]
        return self._replace(pieces=left, text=Dockerfile(left).text("busybox:latest"))

    def write(self, directory: Path) -> Path:
        """The context laid out; the path of the Dockerfile in it."""
        directory.mkdir(parents=True)
        self.lay(directory)
        path = directory / self.dockerfile
        path.write_bytes(self.text.encode("utf-8", "surrogateescape"))
        return path


def items(seed: int, generated: int) -> Iterator[Item]:
    """All of them; `generated` is how many are made up of each sort, the same ones for the same seed."""
    yield from _bad_examples()
    yield from _examples()
    yield from _peers()
    for number in range(generated):
        yield _careless(seed, number)
        yield _random(seed, number)


def _bad_examples() -> Iterator[Item]:
    for rule in every_rule():
        if isinstance(rule, Rule) and rule.bad.name == "Dockerfile":
            files = dict(CONTEXT if rule.bad.files is None else rule.bad.files)
            if rule.bad.ignore:
                files[".dockerignore"] = rule.bad.ignore
            yield Item(f"rule/{rule.name}", rule.bad.text, _files(files))


def _examples() -> Iterator[Item]:
    for kind, entries in (("example", examples()), ("broken", broken())):
        for entry in entries:
            if entry.dockerfile.is_file() and re.search(r"(?mi)^\s*from\s", entry.dockerfile.read_text()):
                yield _example(kind, entry)


def _example(kind: str, entry: Entry) -> Item:
    path = entry.dockerfile
    inside = path.is_relative_to(entry.context)
    name = str(path.relative_to(entry.context)) if inside else "Dockerfile.mended"

    def lay_out(directory: Path) -> None:
        shutil.copytree(entry.context, directory, symlinks=True, dirs_exist_ok=True)
        beside = path.with_name(f"{path.name}.dockerignore")
        if not inside and beside.is_file():
            shutil.copyfile(beside, directory / f"{name}.dockerignore")

    arguments = entry.data.get("build_args", {})
    given = tuple(f"{key}={value}" for key, value in arguments.items()) if isinstance(arguments, dict) else ()
    return Item(f"{kind}/{entry.name}", path.read_text(), lay_out, given, name)


def _peers() -> Iterator[Item]:
    for case in CASES:
        text = case.text.replace("{base}", "busybox:latest")
        yield Item(f"peers/{case.name}", text, _peers_context, case.arguments)


def _peers_context(directory: Path) -> None:
    directory.rmdir()
    make_context(str(directory))


def _random(seed: int, number: int) -> Item:
    chance = random.Random(f"{seed} {number}")
    mark = f"{seed}.{number}"
    context = random_context(chance, mark)
    dockerfile = random_dockerfile(chance, context, mark)

    def lay_out(directory: Path) -> None:
        directory.rmdir()
        lay(context, str(directory))

    text = dockerfile.text("busybox:latest")
    pieces = tuple(line.replace("{base}", "busybox:latest") for line in dockerfile.lines)
    return Item(f"random/{mark}", text, lay_out, dockerfile.arguments, ".kezuri-corpus-dockerfile", pieces)


def _careless(seed: int, number: int) -> Item:
    text = careless(random.Random(f"careless {seed} {number}"))
    return Item(f"careless/{seed}.{number}", text, _files(CONTEXT))


def _files(files: Mapping[str, str]) -> Callable[[Path], None]:
    def lay_out(directory: Path) -> None:
        for path, text in files.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    return lay_out


def images(text: str) -> list[str]:
    """The names after FROM and `from=` that are no stages, as far as a look at the text tells."""
    stages = {name.lower() for name in re.findall(r"(?mi)^\s*from\s.*\sas\s+(\S+)", text)}
    said = re.findall(r"(?mi)^\s*from\s+(?:--\S+\s+)*([^\s$]+)(?:\s|$)", text) + re.findall(r"from=([^\s,$]+)", text)
    return [n for n in dict.fromkeys(said) if n.lower() not in stages and n != "scratch" and not n.isdecimal()]


STAND_INS = (
    ("alpine", "alpine:3.19"),
    ("busybox", "busybox:latest"),
    ("golang", "golang:1.22-alpine"),
    ("node", "node:20-alpine"),
    ("python", "python:3.12-slim"),
    ("nginx", "nginx:alpine"),
    ("debian", "debian:bookworm-slim"),
    ("ubuntu", "debian:bookworm-slim"),
    ("distroless/nodejs", "gcr.io/distroless/nodejs20-debian12:latest"),
    ("distroless", "gcr.io/distroless/static-debian12:latest"),
)
"""What stands for an image that is not here, by a word in its name."""


def stand_in(name: str) -> str:
    """The image that stands for another one in this corpus; empty where none does."""
    if "node" in name and "alpine" not in name and "distroless" not in name:
        return "node:20-slim"
    if "golang" in name and "alpine" not in name:
        return "golang:1.22"
    return next((image for word, image in STAND_INS if word in name), "")
