"""Programs of other machines: whether the kernel starts them, and which emulators it was told of (binfmt_misc).

Machines have the kernel's names (`uname -m`). What the kernel starts is found out by letting it start something: the
list of handlers is not to be seen in every container, and a processor may lack its 32-bit side.
"""

import errno
import os
import struct
from typing import NamedTuple

HANDLERS = "/proc/sys/fs/binfmt_misc"

_EXECUTABLE = 2
_BASE = 0x10000
_HEADER = {1: "HHIIIIIHHHHHH", 2: "HHIQQQIHHHHHH"}
_SEGMENT = {1: "IIIIIIII", 2: "IIQQQQQQ"}
_INTERPRETER = 3


class Machine(NamedTuple):
    """How programs for a machine look: ELF machine number, class (1: 32 bits, 2: 64), byte order as `struct` writes it,
    flags, and the instructions of a program that does nothing but exit with 0."""

    number: int
    bits: int
    order: str
    flags: int
    exit: bytes


def _code(order: str, *words: int) -> bytes:
    return struct.pack(f"{order}{len(words)}I", *words)


MACHINES = {
    # mov eax, 60; xor edi, edi; syscall
    "x86_64": Machine(62, 2, "<", 0, bytes.fromhex("b83c00000031ff0f05")),
    # mov eax, 1; xor ebx, ebx; int 0x80
    "i386": Machine(3, 1, "<", 0, bytes.fromhex("b80100000031dbcd80")),
    # mov x0, 0; mov x8, 93; svc 0
    "aarch64": Machine(183, 2, "<", 0, _code("<", 0xD2800000, 0xD2800BA8, 0xD4000001)),
    # mov r0, 0; mov r7, 1; svc 0
    "arm": Machine(40, 1, "<", 0x05000000, _code("<", 0xE3A00000, 0xE3A07001, 0xEF000000)),
    # li a0, 0; li a7, 93; ecall
    "riscv64": Machine(243, 2, "<", 0, _code("<", 0x00000513, 0x05D00893, 0x00000073)),
    # li r3, 0; li r0, 1; sc
    "ppc64le": Machine(21, 2, "<", 2, _code("<", 0x38600000, 0x38000001, 0x44000002)),
    # lghi %r2, 0; svc 1
    "s390x": Machine(22, 2, ">", 0, bytes.fromhex("a72900000a01")),
    # move a0, zero; li.w a7, 93; syscall 0
    "loongarch64": Machine(258, 2, "<", 0x43, _code("<", 0x00150004, 0x0381740B, 0x002B0000)),
    # move a0, zero; li v0, 5058; syscall
    "mips64le": Machine(8, 2, "<", 0x80000007, _code("<", 0x00002025, 0x240213C2, 0x0000000C)),
}


class Handler(NamedTuple):
    """A format that the kernel hands to an interpreter (Documentation/admin-guide/binfmt-misc.rst). With the flag F the
    interpreter was opened when it was registered; without, it is looked for in the root of who starts the program."""

    name: str
    enabled: bool
    interpreter: str
    flags: str
    offset: int
    magic: bytes
    mask: bytes

    @classmethod
    def parse(cls, name: str, text: str) -> "Handler | None":
        """From the handler's file; None where it goes by the extension of file names, which programs need not have."""
        first, *lines = text.splitlines() or [""]
        fields = dict(line.rstrip().partition(" ")[::2] for line in lines)
        if "magic" not in fields:
            return None
        try:
            magic = bytes.fromhex(fields["magic"])
            mask = bytes.fromhex(fields["mask"]) if "mask" in fields else b"\xff" * len(magic)
            offset = int(fields.get("offset", "0"))
        except ValueError:
            return None
        flags = fields.get("flags:", "")
        return cls(name, first == "enabled", fields.get("interpreter", ""), flags, offset, magic, mask)

    def takes(self, program: bytes) -> bool:
        """Whether the handler is for files that begin like this."""
        start = program[self.offset : self.offset + len(self.magic)].ljust(len(self.magic), b"\0")
        return self.enabled and all((a ^ b) & m == 0 for a, b, m in zip(start, self.magic, self.mask))


def program(machine: Machine) -> bytes:
    """A static program for the machine that exits with 0 at once."""
    order, bits = machine.order, machine.bits
    ident = b"\x7fELF" + bytes((bits, 1 if order == "<" else 2, 1)) + bytes(9)
    head = 16 + struct.calcsize(order + _HEADER[bits])
    segment = struct.calcsize(order + _SEGMENT[bits])
    entry, size = _BASE + head + segment, head + segment + len(machine.exit)
    header = struct.pack(
        order + _HEADER[bits],
        *(_EXECUTABLE, machine.number, 1, entry, head, 0, machine.flags, head, segment, 1, 0, 0, 0),
    )
    readable_executable = 5
    loaded = (
        (1, 0, _BASE, _BASE, size, size, readable_executable, 0x10000)
        if bits == 1
        else (1, readable_executable, 0, _BASE, _BASE, size, size, 0x10000)
    )
    return ident + header + struct.pack(order + _SEGMENT[bits], *loaded) + machine.exit


def starts(machine: Machine, directory: str) -> bool:
    """Whether the kernel starts programs for the machine, itself or through an emulator. The program that is tried is
    written into the directory and removed again; OSError when that cannot be done."""
    import subprocess

    path = os.path.join(directory, "probe")
    with open(path, "xb") as file:
        file.write(program(machine))
        os.fchmod(file.fileno(), 0o700)
    try:
        return subprocess.run([path], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError as error:
        # ENOEXEC: nobody knows the format. ENOENT: the emulator that was registered is not there.
        if error.errno in (errno.ENOEXEC, errno.ENOENT, errno.EINVAL, errno.ELIBBAD):
            return False
        if error.errno == errno.EACCES:
            # The directory's file system starts nothing at all (noexec): the step itself will tell.
            return True
        raise
    finally:
        os.unlink(path)


def handler_for(machine: Machine, directory: str = HANDLERS) -> Handler | None:
    """The handler that programs for the machine go to; None when there is none, or none to be seen."""
    try:
        names = sorted(set(os.listdir(directory)) - {"register", "status"})
    except OSError:
        return None
    wanted = program(machine)
    for name in names:
        try:
            with open(os.path.join(directory, name), encoding="ascii", errors="replace") as file:
                handler = Handler.parse(name, file.read())
        except OSError:
            continue
        if handler is not None and handler.takes(wanted):
            return handler
    return None


def is_static(path: str) -> bool:
    """Whether the ELF program needs no dynamic linker, and so runs in any root. False for what is no program."""
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
        bits, order = head[4], "<" if head[5] == 1 else ">"
        fields = struct.unpack_from(order + _HEADER[bits], head, 16)
        offset, width, count = fields[4], fields[8], fields[9]
        kinds = [struct.unpack_from(f"{order}I", head, offset + i * width)[0] for i in range(count)]
    except (OSError, IndexError, KeyError, struct.error):
        return False
    return head[:4] == b"\x7fELF" and _INTERPRETER not in kinds
