"""The smallest build that needs all that builds need: files of another owner, and a step that writes.

Its program makes one directory and ends with the number of the error, 0 for none. It is made here, so that the build
needs no base image.
"""

import os
import struct

_DOCKERFILE = 'FROM scratch\nCOPY --chown=1:1 program /program\nRUN ["/program"]\n'
_PATH = b"/made\0"

# mkdir("/made", 0755), then exit_group of what it gave, negated.
_X86_64 = bytes.fromhex("bf94004000 beed010000 b853000000 0f05 f7d8 89c7 b8e7000000 0f05")
_AARCH64 = struct.pack(
    "<8I",
    0x92800C60,  # mov x0, AT_FDCWD
    0x100000E1,  # adr x1, the path behind this code
    0xD2803DA2,  # mov x2, 0755
    0xD2800448,  # mov x8, mkdirat
    0xD4000001,  # svc 0
    0xCB0003E0,  # neg x0, x0
    0xD2800BC8,  # mov x8, exit_group
    0xD4000001,  # svc 0
)
_CODE = {"x86_64": (62, _X86_64), "aarch64": (183, _AARCH64)}
"""By machine: the number that ELF gives it, and the code."""
_BASE, _HEADERS = 0x400000, 64 + 56
_NO_PROGRAM = b"kezuri has no program for this machine\n"


def program(machine: str) -> bytes:
    """An ELF executable for the machine; for others a file that cannot be executed: a step that gets to trying it was
    started."""
    known = _CODE.get(machine)
    if known is None:
        return _NO_PROGRAM
    number, code = known
    size = _HEADERS + len(code) + len(_PATH)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, number, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + code + _PATH


def is_refused_program(machine: str, exit_code: int) -> bool:
    """Whether the step ended with this code because the machine is one that `program` does not know."""
    return machine not in _CODE and exit_code == 126


def lay_out(directory: str) -> None:
    """Make the build context there; the directory must not exist."""
    os.mkdir(directory)
    path = os.path.join(directory, "program")
    with open(path, "wb") as file:
        file.write(program(os.uname().machine))
    os.chmod(path, 0o755)
    with open(os.path.join(directory, "Dockerfile"), "w") as file:
        file.write(_DOCKERFILE)
