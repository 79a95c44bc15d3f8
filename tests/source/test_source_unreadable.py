"""A context that cannot be read is said to be that, and not to lack a Dockerfile."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.users.users_child import in_child
from tests.users.users_run import SINGLE

from kezuri.diagnostics import KezuriError
from kezuri.source.context import open_context, open_named


def refused(act: Callable[[], object]) -> tuple[str, str]:
    """The message and the hint of the error that somebody without rights gets."""

    def asked() -> list[str]:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(SINGLE, SINGLE, SINGLE)
            os.setresuid(SINGLE, SINGLE, SINGLE)
        try:
            act()
        except KezuriError as error:
            return [error.diagnostics[0].message, error.diagnostics[0].hint]
        return ["", ""]

    message, hint = in_child(asked)
    return message, hint


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "context"
    (made / "sub").mkdir(parents=True)
    (made / "Dockerfile").write_text("FROM scratch\n")
    made.chmod(0o600)
    for path in (tmp_path, tmp_path.parent):
        path.chmod(path.stat().st_mode | 0o011)
    yield made
    made.chmod(0o700)


def test_a_context_that_may_not_be_searched(context: Path) -> None:
    message, hint = refused(lambda: open_context(f"{context}"))
    assert message == f'cannot read the build context "{context}": Permission denied'
    assert "readable" in hint


def test_a_context_in_a_directory_that_may_not_be_searched(context: Path) -> None:
    assert refused(lambda: open_context(f"{context}/sub"))[0].endswith('sub": Permission denied')
    assert refused(lambda: open_named("other", f"{context}/sub"))[0].endswith('sub": Permission denied')


def test_a_path_that_is_too_long_is_shown_in_part(tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match=r"x\.\.\.x.*bytes.*File name too long") as raised:
        open_context(f"{tmp_path}/{'x' * 5000}")
    assert len(raised.value.diagnostics[0].message) < 500


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(KezuriError, match="symbolic links"):
        open_context(f"{tmp_path}/loop")


def test_a_file_deeper_than_a_path_can_say(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    top = os.open(tmp_path, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("x" * 100, dir_fd=top)
        below = os.open("x" * 100, os.O_RDONLY, dir_fd=top)
        os.close(top)
        top = below
    os.close(top)
    tree = open_context(f"{tmp_path}").tree

    def walk(path: str) -> None:
        for found in tree.scan(path):
            if found.entry.kind == "dir":
                walk(found.entry.path)

    with pytest.raises(KezuriError, match=r"in the build context .*: File name too long") as raised:
        walk("")
    assert "4095 bytes" in raised.value.diagnostics[0].hint
