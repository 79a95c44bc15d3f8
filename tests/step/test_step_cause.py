"""Why a command failed: whatever it printed, and whatever its root holds, the answer is quick and never an error."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.elf.minimal import minimal_elf
from kezuri.keys.options import RunSettings
from kezuri.oci.platform import Platform
from kezuri.step.cause import Scene, cause
from kezuri.step.program import Elf, Script, read_program
from kezuri.step.task import Run
from kezuri.tree.layers import DirectoryLayer
from kezuri.tree.stack import StackView

WORDS = (
    *("not found", "No such file or directory", "Permission denied", "EACCES", "/bin/sh", "sh", ": ", ":", " ", "'"),
    *(
        "\n",
        "\r",
        "/",
        "..",
        "line 1",
        "error while loading shared libraries: ",
        "a",
        "日本",
        "\x00",
        "\udc80",
        "[",
        '"',
    ),
)


def scene(root: Path, output: str, code: int, uid: int = 0, argv: tuple[str, ...] = ("/bin/sh", "-c", "x")) -> Scene:
    host = Platform.host()
    env = (("PATH", "/bin"),)
    run = Run(argv, env, (), "/app", "app" if uid else "", (), "", False, "", b"", host, RunSettings())
    return Scene(run, uid, uid, (), StackView([DirectoryLayer(str(root))]), output, code)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("root")
    for name in ("bin", "app"):
        (top / name).mkdir()
    (top / "bin/sh").write_bytes(b"\x7fELF")
    (top / "bin/sh").chmod(0o755)
    (top / "app/loop").symlink_to("loop")
    (top / "app/out").symlink_to("../../../../etc/passwd")
    return top


@given(st.lists(st.sampled_from(WORDS), max_size=60).map("".join), st.sampled_from([1, 126, 127]), st.booleans())
def test_any_output_is_explained_or_not(root: Path, output: str, code: int, ordinary: bool) -> None:
    said = cause(scene(root, output, code, 1000 if ordinary else 0))
    assert len(said) < 5_000


@pytest.mark.parametrize("piece", [": ", "a: ", "/a", "'/", "line 1: ", "not found: ", "Permission denied /", "\\r"])
def test_much_output_takes_no_time(root: Path, piece: str) -> None:
    began = time.process_time()
    for code in (1, 126, 127):
        cause(scene(root, (piece * 20_000)[: 16 << 10] + "\nsh: x: not found", code, 1000))
    assert time.process_time() - began < 5


@given(st.binary(max_size=300))
def test_any_program_is_something(data: bytes) -> None:
    read_program(data)
    read_program(b"\x7fELF" + data)
    read_program(b"#!" + data)


def test_programs_of_this_machine_are_what_they_are(root: Path) -> None:
    found = read_program(Path("/bin/sh").resolve().read_bytes())
    assert isinstance(found, Elf) and found.architecture == Platform.host().architecture
    assert read_program(b"#! /usr/bin/env sh\r\nx") == Script("/usr/bin/env", returns=True)
    assert read_program(b"#!/bin/sh\r\nx") == Script("/bin/sh", returns=True)
    assert read_program(b"echo") == Script("") and read_program(b"") == "empty" and read_program(b"\0x") == "other"
    assert read_program(random.Random(3).randbytes(100)) in ("other", Script(""))


def test_a_program_is_for_a_machine_however_little_of_it_is_there() -> None:
    whole = minimal_elf("/lib/ld-linux-aarch64.so.1", ("libc.so.6",), machine=183)
    assert read_program(whole) == Elf("arm64", "/lib/ld-linux-aarch64.so.1")
    assert {read_program(whole[:size]) for size in (20, 40, 63, 64, 100)} == {Elf("arm64", "")}
    assert read_program(whole[:18]) == read_program(b"\x7fELF") == Elf("", "")
    assert read_program(minimal_elf(machine=8)) == Elf("mips64le", "")


def test_links_stay_in_the_root(root: Path) -> None:
    assert "there is no /app/out" in cause(scene(root, "sh: /app/out: not found", 127))
    assert cause(scene(root, "sh: /app/loop: not found", 127)) == ""
