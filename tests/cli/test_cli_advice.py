"""Advice that can be followed: every option and every command that a message names is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kezuri.cli.commands import ALIASES, MODULES, load
from kezuri.cli.elsewhere import ELSEWHERE
from kezuri.cli.settings import GLOBAL
from kezuri.dockerfile.flags import FLAGS

SOURCES = Path(__file__).parents[2] / "src" / "kezuri"
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9]")
_COMMAND = re.compile(r"`kezuri ([a-z_]+(?: [a-z]+)?)")

OTHERS = {
    "--add-subuids": "usermod's",
    "--add-subgids": "usermod's",
    "--cap-add": "docker run's",
    "--frozen-lockfile": "yarn's",
    "--max-old-space-size": "node's",
    "--no-cache-dir": "pip's",
    "--port": "of a program in an example",
    "--privileged": "docker run's",
    "--scope": "systemd-run's",
}
"""Options of other programs that sentences name."""


def sentences() -> Iterator[tuple[str, str]]:
    """Every text with a blank in it that the program could print, and where it stands; not what documents the
    source."""
    for path in sorted(SOURCES.rglob("*.py")):
        for text in _texts(ast.parse(path.read_text())):
            if " " in text.strip():
                yield str(path.relative_to(SOURCES)), text


def _texts(tree: ast.AST) -> Iterator[str]:
    passed_over = {
        id(part)
        for node in ast.walk(tree)
        for part in (
            [node.value] if isinstance(node, ast.Expr) else node.values if isinstance(node, ast.JoinedStr) else []
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed_over:
            yield node.value


def known_options() -> set[str]:
    options = [*GLOBAL, *(option for name in MODULES for option in load(name)[0].options)]
    works = {name for option in options if not option.refused for name in option.names}
    return works | {"--help", "--version"} | {f"--{flag}" for flags in FLAGS.values() for flag in flags} | {"--flag"}


def test_every_option_that_a_sentence_names_is_there() -> None:
    known = known_options()
    wrong = [
        (place, option, text)
        for place, text in sentences()
        for option in _OPTION.findall(text)
        if option not in known and option not in OTHERS
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_every_command_that_a_sentence_names_is_there() -> None:
    wrong = []
    for place, text in sentences():
        for words in _COMMAND.findall(text):
            first = words.split()[0]
            if not {words, first} & {*MODULES, *ALIASES}:
                wrong.append((place, words, text))
    assert not wrong, "\n".join(map(str, wrong))


def test_no_command_is_both_there_and_elsewhere() -> None:
    top = {name for name in (*MODULES, *ALIASES) if " " not in name}
    assert top & ELSEWHERE.keys() <= {"history"}  # of buildx it is another command
    assert all(ELSEWHERE.values())
