"""What doctor says of a trial: errors only where a build failed, and the line that mends it."""

import os
import subprocess
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.linux import userns
from kezuri.linux.userns import Shortcoming
from kezuri.sandbox import probe
from kezuri.sandbox.doctor import Trial, findings, tried


def test_a_trial_tells_of_the_builds_own_error() -> None:
    def build() -> None:
        raise KezuriError.of("it cannot be", hint="do this")

    assert tried(build)[:2] == ("it cannot be", "do this")


def test_a_trial_that_dies_is_told_of() -> None:
    assert "died" in tried(lambda: os.kill(os.getpid(), 9)).error


def test_a_trial_changes_nothing_here(tmp_path: Path) -> None:
    assert tried(lambda: os.chdir(tmp_path)).error == ""
    assert Path.cwd() != tmp_path


def test_nothing_is_an_error_after_a_build_that_went_well() -> None:
    lacking = Trial(shortcoming=Shortcoming("newuidmap is not installed", "sudo apt install uidmap"))
    assert "error" not in {finding.state for finding in findings(lacking)}
    assert ("warning", "sudo apt install uidmap") in {(f.state, f.remedy) for f in findings(lacking)}


def test_what_the_build_failed_for_is_an_error() -> None:
    amiss = Shortcoming("newuidmap is not installed", "sudo apt install uidmap")
    errors = [f for f in findings(Trial("no owner", amiss.text(), 1, amiss)) if f.state == "error"]
    assert [(f.name, f.remedy.splitlines()[-1]) for f in errors] == [
        ("a build", "sudo apt install uidmap"),
        ("subordinate ids", "sudo apt install uidmap"),
    ]


@pytest.mark.parametrize(("name", "bad", "good"), userns.SETTINGS)
def test_a_setting_counts_where_the_build_failed(
    name: str, bad: str, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ubuntu's rule is in force also where a profile lets kezuri through."""
    monkeypatch.setattr(userns, "setting", lambda asked: bad if asked == name else "")
    monkeypatch.setattr(os, "geteuid", lambda: 54321)

    def found(trial: Trial) -> tuple[str, str]:
        return next((f.state, f.remedy) for f in findings(trial) if f.name == "user namespaces")

    assert found(Trial(ids=65536)) == ("ok", "")
    state, remedy = found(Trial("user namespaces cannot be used here"))
    assert state == "error" and f"sudo sysctl -w {name}={good}" in remedy


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_the_probe_is_an_executable_of_its_machine(machine: str, number: int) -> None:
    program = probe.program(machine)
    assert program[:4] == b"\x7fELF" and int.from_bytes(program[18:20], "little") == number


def test_the_probe_says_what_the_kernel_said(tmp_path: Path) -> None:
    """It makes /made: who may not gets the number of the error."""
    if os.uname().machine not in ("x86_64", "aarch64") or os.path.exists("/made"):
        pytest.skip("no program for this machine, or one was left here")
    probe.lay_out(f"{tmp_path}/context")
    os.chmod(tmp_path, 0o711)
    program = os.open(tmp_path / "context/program", os.O_RDONLY)
    try:
        become = (lambda: os.setresuid(54321, 54321, 54321)) if os.geteuid() == 0 else None
        ended = subprocess.run([f"/proc/self/fd/{program}"], pass_fds=(program,), check=False, preexec_fn=become)
    finally:
        os.close(program)
    assert ended.returncode == 13


def test_a_machine_without_a_probe_is_tried_all_the_same() -> None:
    assert probe.is_refused_program("s390x", 126) and not probe.is_refused_program("s390x", 125)
    assert not probe.is_refused_program("x86_64", 126)
