"""The system call filter for steps where a single id is mapped: calls about owners and ids are handed over to a process
that answers them (`ids_keeper.py`)."""

import struct

from kezuri.linux import syscalls
from kezuri.linux.intercept import HAND_OVER
from kezuri.sandbox.seccomp import ALLOW, ARCH, AUDIT, FIRST_ARGUMENT, JA, JEQ, LD, NUMBER, RET, WITH, Code, search

OWNERS = ("chown", "fchown", "lchown", "fchownat", "chown32", "fchown32", "lchown32")
CHANGES = ("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups")
QUESTIONS = ("getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups")
STATUS = ("stat", "fstat", "lstat", "newfstatat", "statx")
"""Calls whose answer tells who owns a file. On i386 only statx is handed over: the others have a layout of their own
there."""
NODES = {"mknod": 1, "mknodat": 2}
"""The calls that make device nodes, each with the index of its argument that holds the file type."""
HANDED_OVER = frozenset(
    (*OWNERS, *(name + more for name in (*CHANGES, *QUESTIONS) for more in ("", "32")), *NODES, *STATUS)
)

_AND = 0x54
_KIND, _CHARACTER, _BLOCK = 0o170000, 0o020000, 0o060000

_SUCCEED = 0x00050000  # SECCOMP_RET_ERRNO with 0: the call returns 0 without being made

_programs: dict[tuple[str, bool], bytes] = {}


def program(machine: str, answered: bool = True) -> bytes:
    """The filter for the machine (`uname -m`) as an array of struct sock_filter: it hands calls over, and lets all
    others pass. `mknod` is handed over for devices only. If not `answered`, because nobody can answer, calls that would
    change owners or ids succeed without doing anything. ValueError for a machine without a table."""
    if (machine, answered) in _programs:
        return _programs[machine, answered]
    if machine not in WITH:
        raise ValueError(machine)
    code: Code = [(LD, 0, 0, ARCH)]
    for name in WITH[machine]:
        body = _for_machine(name, answered)
        code += [(JEQ, 1, 0, AUDIT[name]), (JA, 0, 0, len(body)), *body]
    code.append((RET, 0, 0, ALLOW))
    made = b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
    _programs[machine, answered] = made
    return made


def _for_machine(machine: str, answered: bool) -> Code:
    unanswered = {name + more for name in (*OWNERS, *CHANGES) for more in ("", "32")}
    leaves: list[tuple[int, Code]] = [(0, [(RET, 0, 0, ALLOW)])]
    for name, number in sorted(syscalls.table(machine).items(), key=lambda known: known[1]):
        if name not in (HANDED_OVER if answered else unanswered):
            continue
        if machine == "i386" and name in STATUS and name != "statx":
            continue
        if leaves[-1][0] == number:
            leaves.pop()
        action = HAND_OVER if answered else _SUCCEED
        leaves.append((number, _device(NODES[name]) if name in NODES else [(RET, 0, 0, action)]))
        leaves.append((number + 1, [(RET, 0, 0, ALLOW)]))
    return [(LD, 0, 0, NUMBER), *search(leaves)]


def _device(argument: int) -> Code:
    return [
        (LD, 0, 0, FIRST_ARGUMENT + 8 * argument),
        (_AND, 0, 0, _KIND),
        (JEQ, 1, 0, _CHARACTER),
        (JEQ, 0, 1, _BLOCK),
        (RET, 0, 0, HAND_OVER),
        (RET, 0, 0, ALLOW),
    ]
