"""A kezuri whose kernel refuses some calls, all of a kind: a filter that it cannot take off again.

    python -m tests.cli.cli_faults ERRNO KIND WORD...

`created`: no new file, directory, link or node. `removed`: nothing is renamed or removed. `synced`, `locked`, `owned`,
`listed`: as they say. `opened`: no descriptor for what is made, and none for directories.
"""

import os
import struct
import sys
from pkgutil import walk_packages

import kezuri
from kezuri.cli.main import run
from kezuri.linux import privileges, syscalls

_CREATING = "mkdir mkdirat mknod mknodat symlink symlinkat link linkat creat"
KINDS = {
    "created": _CREATING,
    "removed": "rename renameat renameat2 unlink unlinkat rmdir",
    "synced": "fsync fdatasync syncfs",
    "locked": "flock",
    "owned": "chown fchown lchown fchownat chmod fchmod fchmodat setxattr lsetxattr fsetxattr utimensat",
    "listed": "getdents getdents64",
    "opened": _CREATING,
}
_OPENING = {"created": os.O_CREAT, "opened": os.O_CREAT | os.O_DIRECTORY}
"""Of openat(2), the flags with which it fails."""

_LOAD, _EQUAL, _ANY_SET, _GO, _RETURN = 0x20, 0x15, 0x45, 0x05, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _FLAGS = 0, 32


def program(kind: str, number: int) -> bytes:
    """The filter, for the machine that this is."""
    table = syscalls.table(os.uname().machine)
    code: list[tuple[int, int, int, int]] = [(_LOAD, 0, 0, _NUMBER)]
    for name in KINDS[kind].split():
        if name in table:
            code += [(_EQUAL, 0, 1, table[name]), (_RETURN, 0, 0, _ERRNO | number)]
    flags = _OPENING.get(kind)
    if flags is not None:
        code += [(_EQUAL, 0, 3, table["openat"]), (_LOAD, 0, 0, _FLAGS), (_ANY_SET, 0, 1, flags)]
        code += [(_RETURN, 0, 0, _ERRNO | number)]
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


if __name__ == "__main__":
    number, kind = int(sys.argv[1]), sys.argv[2]
    sys.argv[1:] = sys.argv[3:]
    # Python lists directories and opens files to find modules: those that are meant are kezuri's own.
    for module in walk_packages(kezuri.__path__, "kezuri.") if kind in ("listed", "opened") else ():
        if not module.name.endswith("__main__"):
            __import__(module.name)
    privileges.no_new_privileges()
    privileges.filter_system_calls(program(kind, number))
    run()
