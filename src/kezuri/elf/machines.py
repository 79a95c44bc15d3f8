"""Which machines an ELF file can be for, in the words of images, and which C library it was made with."""

from typing import Final

from kezuri.elf.reader import Elf

_MACHINES: Final = {
    3: "386",
    8: "mips",
    20: "ppc",
    21: "ppc64le",
    22: "s390x",
    40: "arm",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
    258: "loong64",
}
_RUNS_TOO: Final = {"amd64": ("386",), "arm64": ("arm",)}


def architecture(elf: Elf) -> str:
    """The architecture as images name it (`amd64`); empty for a machine that runs no containers."""
    name = _MACHINES.get(elf.machine, "")
    if name == "ppc64le" and not elf.little:
        return "ppc64"
    if name == "mips":
        return ("mips64" if elf.bits == 64 else "mips") + ("le" if elf.little else "")
    if name == "amd64" and elf.bits == 32:
        return ""  # x32, which nobody's kernel runs any more
    return name


def runs_on(elf: Elf, wanted: str) -> bool:
    """Whether a machine of the architecture `wanted` runs the file. Files for no known machine are not judged."""
    name = architecture(elf)
    return not name or not wanted or name == wanted or name in _RUNS_TOO.get(wanted, ())


def c_library(elf: Elf) -> str:
    """`glibc` or `musl`, as far as the file tells by its loader or by what it needs; empty for neither."""
    name = elf.interpreter.rpartition("/")[2]
    if name.startswith("ld-musl-"):
        return "musl"
    if name.startswith(("ld-linux", "ld64.so", "ld.so")):
        return "glibc"
    for library in elf.needed:
        if library == "libc.so" or library.startswith(("libc.musl-", "ld-musl-")):
            return "musl"
        if library == "libc.so.6" or library.startswith("ld-linux"):
            return "glibc"
    return ""
