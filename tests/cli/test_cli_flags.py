"""Options that docker, buildx, buildah and podman have: each is there, taken, or answered by name."""

import io
import shutil

import pytest
from tests.cli.cli_flags import FACTS, PAGE, ask, asked, flags, in_page, recorded

from kezuri.cli.commands import load
from kezuri.cli.console import Console
from kezuri.cli.foreign_options import foreign_option
from kezuri.cli.main import call


def test_every_option_is_known() -> None:
    unknown = [(command, flag.name) for command, each in flags().items() for flag in each if flag.state == "unknown"]
    assert not unknown


def test_the_page_has_a_row_for_each() -> None:
    assert in_page(PAGE.read_text()) == PAGE.read_text(), "python -m tests.cli.cli_flags page"


def test_what_is_answered_says_what_to_do() -> None:
    for command, each in flags().items():
        for flag in each:
            if flag.state != "answered":
                continue
            out, err = io.StringIO(), io.StringIO()
            table = load(command)[0].options
            option = next((o for o in table if flag.name in o.names), None) or foreign_option(command, flag.name)
            assert option is not None
            word = flag.name if option.kind == "flag" else f"{flag.name}=x"
            assert call([*command.split(), word, "a"], Console(out, err, {"HOME": "/nowhere"})) == 2
            assert flag.name in err.getvalue() and "help: " in err.getvalue(), (command, flag)


def test_no_option_of_others_hides_one_of_ours() -> None:
    for command in {"build", "images", "rmi", "inspect", "pull", "prune", "du", "login", "logout"}:
        for option in load(command)[0].options:
            for name in option.names:
                assert foreign_option(command, name) is None, (command, name)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "command"), list(asked()))
def test_the_installed_programs_list_no_more(program: str, command: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    assert set(ask(program, command)) <= set(recorded()[program][command]), f"record again: {FACTS}"
