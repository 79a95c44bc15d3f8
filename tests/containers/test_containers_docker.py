"""Each option of `docker run` is there, accepted or answered, and the page says which."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kezuri.cli.commands.run import COMMAND
from kezuri.cli.options import Option
from kezuri.cli.settings import GLOBAL

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
OPTIONS = {name: option for option in (*GLOBAL, *COMMAND.options) for name in option.names}


def rows() -> dict[str, str]:
    """The state of each option, as the page has it."""
    section = PAGE.read_text(encoding="utf-8").partition("## docker run's options\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(--[a-z0-9-]+)` \| (\w+) \|", section, re.MULTILINE))


def state(option: Option) -> str:
    return "answered" if option.refused else "accepted" if option.ignored else "there"


def test_the_page_says_what_is_so() -> None:
    said = rows()
    assert len(said) > 100
    assert said.pop("--help") == "there"
    assert said == {name: state(OPTIONS[name]) for name in said}


def test_every_option_of_ours_has_a_row() -> None:
    assert [option.key for option in COMMAND.options if option.key not in rows()] == ["--tools"], "docker has it not"


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
def test_every_option_of_the_installed_docker_has_a_row() -> None:
    said = subprocess.run(["docker", "run", "--help"], capture_output=True, text=True, check=False).stdout
    options = re.findall(r"^ +(?:(-[a-zA-Z]), +)?(--[a-z0-9-]+)", said, re.MULTILINE)
    assert len(options) > 90
    assert [name for _, name in options if name not in rows()] == []
    assert [(short, name) for short, name in options if short and short not in OPTIONS[name].names] == []


@pytest.mark.parametrize("option", [o for o in COMMAND.options if o.refused], ids=lambda option: option.key)
def test_an_answer_says_what_to_do(option: Option) -> None:
    assert len(option.refused) > 20 and "not supported" not in option.refused
