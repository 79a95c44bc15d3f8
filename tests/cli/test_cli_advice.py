"""Advice that can be followed: every option and every command that a message names is there."""

import re

from tests.cli.cli_sentences import texts

from kezuri.cli.commands import ALIASES, MODULES, load
from kezuri.cli.elsewhere import ELSEWHERE
from kezuri.cli.settings import GLOBAL
from kezuri.dockerfile.flags import FLAGS

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
OF_OTHERS = (
    "check/rules/",
    "check/repairs/",
    "check/image/",
    "check/managers.py",
    "reproduction/mending.py",
    "anatomy/leftovers.py",
    "scan/remedies.py",
)
"""What checks say is about the commands of a Dockerfile: package managers, servers, runtimes."""


def known_options() -> set[str]:
    options = [*GLOBAL, *(option for name in MODULES for option in load(name)[0].options)]
    works = {name for option in options if not option.refused for name in option.names}
    return works | {"--help", "--version"} | {f"--{flag}" for flags in FLAGS.values() for flag in flags} | {"--flag"}


def test_every_option_that_a_sentence_names_is_there() -> None:
    known = known_options()
    wrong = [
        (place, option, text)
        for place, text in texts()
        for option in _OPTION.findall(text)
        if option not in known and option not in OTHERS and not place.startswith(OF_OTHERS)
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_every_command_that_a_sentence_names_is_there() -> None:
    wrong = []
    for place, text in texts():
        for words in _COMMAND.findall(text):
            first = words.split()[0]
            if not {words, first} & {*MODULES, *ALIASES}:
                wrong.append((place, words, text))
    assert not wrong, "\n".join(map(str, wrong))


def test_no_command_is_both_there_and_elsewhere() -> None:
    top = {name for name in (*MODULES, *ALIASES) if " " not in name}
    assert top & ELSEWHERE.keys() <= {"history"}  # of buildx it is another command
    assert all(ELSEWHERE.values())
