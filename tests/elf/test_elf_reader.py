"""ELF files are read as a loader reads them, and hostile ones do no harm."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.elf.machines import architecture, c_library, runs_on
from kezuri.elf.minimal import minimal_elf
from kezuri.elf.reader import MOST_NEEDED, Elf, read_elf
from kezuri.elf.search import common_path, configured, own_path

LOADER = "/lib64/ld-linux-x86-64.so.2"


class Data:
    """Bytes that count how many of them are asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked = 0

    def at(self, offset: int, size: int) -> bytes:
        assert offset >= 0 and size >= 0
        found = self.data[offset : offset + size]
        self.asked += len(found)
        return found


def read(data: bytes) -> Elf:
    found = read_elf(Data(data))
    assert found is not None
    return found


def test_a_dynamic_program_says_its_loader_and_libraries() -> None:
    elf = read(minimal_elf(LOADER, ("libssl.so.3", "libc.so.6"), runpath="$ORIGIN/../lib:/opt/lib"))
    assert (elf.kind, elf.program, elf.interpreter) == ("program", True, LOADER)
    assert elf.needed == ("libssl.so.3", "libc.so.6")
    assert elf.runpath == ("$ORIGIN/../lib", "/opt/lib")
    assert (architecture(elf), c_library(elf), elf.broken) == ("amd64", "glibc", "")


def test_a_static_program_says_nothing() -> None:
    elf = read(minimal_elf())
    assert elf.program and not elf.dynamic
    assert (elf.interpreter, elf.needed, c_library(elf)) == ("", (), "")


def test_a_library_is_no_program() -> None:
    elf = read(minimal_elf(needed=("libc.musl-x86_64.so.1",), soname="libz.so.1", library=True))
    assert (elf.kind, elf.program, elf.soname, c_library(elf)) == ("library", False, "libz.so.1", "musl")


def test_a_position_independent_program_is_one() -> None:
    assert read(minimal_elf(LOADER, ("libc.so.6",), library=True)).program
    # The C library can be started as well; it has a name.
    assert not read(minimal_elf(LOADER, soname="libc.so.6", library=True)).program


@pytest.mark.parametrize(
    ("machine", "name", "wanted", "runs"),
    [(62, "amd64", "amd64", True), (183, "arm64", "amd64", False), (3, "386", "amd64", True), (247, "", "amd64", True)],
)
def test_machines_are_called_as_images_call_them(machine: int, name: str, wanted: str, runs: bool) -> None:
    elf = read(minimal_elf(machine=machine))
    assert (architecture(elf), runs_on(elf, wanted)) == (name, runs)


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", b"#!/bin/sh\n", b"\x7fELF" + b"\0" * 100, b"\x7fELF\2\1" + b"\0" * 40]
)
def test_what_is_no_elf_file_is_none(data: bytes) -> None:
    assert read_elf(Data(data)) is None


@pytest.mark.parametrize("path", [sys.executable, shutil.which("ls"), shutil.which("bash")])
def test_real_programs_are_read_as_readelf_reads_them(path: str) -> None:
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("there is no readelf")
    file = Path(path).resolve()
    said = subprocess.run([readelf, "-Wdl", str(file)], capture_output=True, text=True, check=True).stdout
    elf = read(file.read_bytes())
    needed = [line.split("[")[1].rstrip("]") for line in said.splitlines() if "(NEEDED)" in line]
    loader = [line.split(": ")[1].rstrip("]") for line in said.splitlines() if "program interpreter" in line]
    assert list(elf.needed) == needed
    assert [elf.interpreter] == (loader or [""])


def test_headers_that_lie_elsewhere_are_said_to_be_broken() -> None:
    whole = minimal_elf(LOADER, ("libc.so.6",))
    for size in range(64, len(whole)):
        elf = read_elf(Data(whole[:size]))
        assert elf is not None
        assert elf.broken or elf.needed == ("libc.so.6",)


def test_a_file_that_asks_for_everything_is_bounded() -> None:
    data = Data(minimal_elf(LOADER, tuple(f"lib{number}.so" for number in range(MOST_NEEDED + 1))))
    elf = read_elf(data)
    assert elf is not None and "asks for" in elf.broken
    assert not elf.needed


@given(st.binary(max_size=300), st.integers(0, 400))
def test_no_bytes_do_harm(noise: bytes, at: int) -> None:
    whole = bytearray(minimal_elf(LOADER, ("libc.so.6", "libm.so.6"), runpath="/x"))
    whole[at : at + len(noise)] = noise
    data = Data(bytes(whole))
    read_elf(data)
    assert data.asked < 20 << 20


@given(st.binary(max_size=2000))
def test_a_magic_number_before_noise_does_no_harm(noise: bytes) -> None:
    read_elf(Data(b"\x7fELF\2\1\1" + bytes(9) + noise))
    read_elf(Data(b"\x7fELF\1\2\1" + bytes(9) + noise))


def test_where_a_file_wants_its_libraries_from() -> None:
    elf = read(minimal_elf(LOADER, ("liba.so",), runpath="$ORIGIN/../lib:${ORIGIN}/$LIB"))
    assert own_path(elf, "opt/app/bin") == ("/opt/app/bin/../lib", "/opt/app/bin/lib", "/opt/app/bin/lib64")
    assert "lib/x86_64-linux-gnu" in common_path("amd64") and "lib/aarch64-linux-gnu" in common_path("arm64")


def test_the_configuration_of_the_loader() -> None:
    directories, includes = configured(
        "# comment\ninclude /etc/ld.so.conf.d/*.conf\n/opt/lib /x\nhwcap 1 a\n/y=libc6\n"
    )
    assert directories == ("/opt/lib", "/x", "/y")
    assert includes == ("/etc/ld.so.conf.d/*.conf",)
    assert configured("/lib:/usr/local/lib\n")[0] == ("/lib", "/usr/local/lib")
