"""The script that sets a checkout up: what can be said of it without a network."""

import os
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TRY = os.path.join(ROOT, "try")


@pytest.mark.parametrize(("shell", "script"), [("sh", "try"), ("bash", ".ci/run")])
def test_the_scripts_are_sound(shell: str, script: str) -> None:
    path = os.path.join(ROOT, script)
    assert os.access(path, os.X_OK)
    assert subprocess.run([shell, "-n", path], capture_output=True, check=False).stderr == b""


def test_help_names_every_form() -> None:
    done = subprocess.run([TRY, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    for form in ("./try  ", "./try test", "./try setup", "./try tools"):
        assert form in done.stdout


def test_an_unknown_word_is_named() -> None:
    done = subprocess.run([TRY, "tset"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "unknown: tset" in done.stderr
