"""Programs of other machines: the probes are real programs, and handlers are read as the kernel writes them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kezuri.linux import binfmt
from kezuri.linux.binfmt import MACHINES, Handler

# What /proc/sys/fs/binfmt_misc/qemu-aarch64 holds with Debian 12's qemu-user-static.
AARCH64 = """enabled
interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
flags: POCF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""
ARM = """enabled
interpreter /usr/bin/qemu-arm-static
flags:
offset 0
magic 7f454c4601010100000000000000000002002800
mask ffffffffffffff00fffffffffffffffffeffffff
"""
PYTHON = "enabled\ninterpreter /usr/bin/python3.11\nflags: \noffset 0\nmagic a70d0d0a\n"
EXTENSION = "enabled\ninterpreter /usr/bin/jexec\nflags: \nextension .jar\n"


def handler(text: str) -> Handler:
    found = Handler.parse("h", text)
    assert found is not None
    return found


def test_a_handler_is_read_as_the_kernel_writes_it() -> None:
    found = handler(AARCH64)
    assert found.enabled and found.flags == "POCF" and found.offset == 0
    assert found.interpreter == "/usr/libexec/qemu-binfmt/aarch64-binfmt-P"
    assert len(found.magic) == len(found.mask) == 20
    assert handler(ARM).flags == "" and handler(PYTHON).mask == b"\xff" * 4


def test_handlers_for_extensions_and_damaged_ones_are_none() -> None:
    assert Handler.parse("jar", EXTENSION) is None
    assert Handler.parse("x", "") is None
    assert Handler.parse("x", "enabled\nmagic zz\n") is None


@pytest.mark.parametrize("name", MACHINES)
def test_a_handler_takes_the_programs_of_its_machine_only(name: str) -> None:
    program = binfmt.program(MACHINES[name])
    assert handler(AARCH64).takes(program) is (name == "aarch64")
    assert handler(ARM).takes(program) is (name == "arm")
    assert not handler(PYTHON).takes(program)
    assert not handler(AARCH64.replace("enabled", "disabled")).takes(program)


def test_position_independent_programs_are_taken_too() -> None:
    program = bytearray(binfmt.program(MACHINES["aarch64"]))
    program[16] = 3
    assert handler(AARCH64).takes(bytes(program))
    assert not handler(AARCH64).takes(b"\x7fELF") and not handler(AARCH64).takes(b"")


def test_the_list_is_searched(tmp_path: Path) -> None:
    for name, text in (("status", "enabled\n"), ("python3.11", PYTHON), ("jar", EXTENSION), ("qemu-arm", ARM)):
        (tmp_path / name).write_text(text)
    found = binfmt.handler_for(MACHINES["arm"], str(tmp_path))
    assert found is not None and found.name == "qemu-arm"
    assert binfmt.handler_for(MACHINES["aarch64"], str(tmp_path)) is None
    assert binfmt.handler_for(MACHINES["arm"], str(tmp_path / "nothing")) is None


def test_the_kernel_starts_our_own_programs_and_nothing_is_left(tmp_path: Path) -> None:
    assert binfmt.starts(MACHINES[os.uname().machine], str(tmp_path))
    assert not binfmt.starts(MACHINES["x86_64"]._replace(number=4711), str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_a_probe_that_cannot_be_written_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        binfmt.starts(MACHINES["aarch64"], str(tmp_path / "nothing"))


@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINES)
def test_the_probes_are_programs_that_exit(name: str, tmp_path: Path) -> None:
    emulator = shutil.which(f"qemu-{ {'mips64le': 'mips64el'}.get(name, name) }-static")
    if emulator is None:
        pytest.skip("qemu-user-static is not installed")
    path = tmp_path / "program"
    path.write_bytes(binfmt.program(MACHINES[name]))
    path.chmod(0o755)
    done = subprocess.run([emulator, path], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_static_programs_are_told_from_dynamic_ones(tmp_path: Path) -> None:
    path = tmp_path / "program"
    for machine in MACHINES.values():
        path.write_bytes(binfmt.program(machine))
        assert binfmt.is_static(str(path))
    assert not binfmt.is_static("/bin/sh")
    path.write_bytes(b"#!/bin/sh\n")
    assert not binfmt.is_static(str(path)) and not binfmt.is_static(str(tmp_path / "nothing"))
