"""A toolbox beside a container's root: a shell and its friends for an image that has none."""

import os
import struct
from collections.abc import Callable

from kezuri.diagnostics import KezuriError
from kezuri.linux import userns
from kezuri.sandbox.step import HostMount, Step

PLACE = "/dev/.kezuri/tools"
"""Where the tools are: on the sandbox's own /dev, out of the image's reach, and of no layer."""

_PROGRAMS = """
    [ ar arch ash awk base64 basename bc blkid bunzip2 bzcat bzip2 cal cat chgrp chmod chown chroot cksum clear
    cmp comm cp cpio cut date dd df diff dirname dmesg dos2unix du echo ed egrep env expand expr factor false
    fgrep find fold free fuser getopt grep groups gunzip gzip head hexdump hostname id ifconfig install ip
    ipcalc kill killall less link ln logname ls lsof lzcat md5sum mkdir mkfifo mknod mktemp more mount mv nc
    netstat nice nl nohup nproc nslookup od paste patch pgrep pidof ping ping6 pkill printenv printf ps pstree
    pwd readlink realpath reset rev rm rmdir route sed seq sh sha1sum sha256sum sha512sum shuf sleep sort split
    stat strings stty sum sync tac tail tar tee telnet test time timeout top touch tr traceroute true truncate
    tty umount uname uniq unlink unxz unzip uptime vi watch wc wget which who whoami xargs xxd xz xzcat yes zcat
"""
_PT_INTERP = 3


def add(step: Step, directory: str, stored: Callable[[], bytes | None]) -> Step:
    """The step with the tools, which are put into `directory` (new), at the end of its PATH; they run as the step does.

    The toolbox is this machine's busybox where that is static, else what `stored` gives. KezuriError when there is
    none.
    """
    program = _own() or stored()
    if program is None or not is_static(program):
        raise KezuriError.of(
            "there are no tools for the container: no static busybox is installed, and the store has no image of it",
            hint="apt-get install busybox-static, or: kezuri pull busybox",
            exit_code=125,
        )
    os.mkdir(directory, 0o755)
    path = os.path.join(directory, "busybox")
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o755), "wb") as file:
        file.write(program)
    os.chmod(path, 0o755)
    for name in _PROGRAMS.split():
        os.symlink("busybox", os.path.join(directory, name))
    env = dict(step.env)
    env["PATH"] = f"{env.get('PATH', '')}:{PLACE}".lstrip(":")
    return step._replace(env=tuple(env.items()), mounts=(*step.mounts, HostMount(directory, PLACE, writable=False)))


def is_static(program: bytes) -> bool:
    """Whether this is a program (ELF, 64 bits) that needs no interpreter and no library."""
    if program[:5] != b"\x7fELF\x02" or len(program) < 64:
        return False
    order = "<" if program[5] == 1 else ">"
    (start,) = struct.unpack_from(f"{order}Q", program, 32)
    size, count = struct.unpack_from(f"{order}HH", program, 54)
    try:
        kinds = [struct.unpack_from(f"{order}I", program, start + i * size)[0] for i in range(count)]
    except struct.error:
        return False
    return bool(kinds) and _PT_INTERP not in kinds


def _own() -> bytes | None:
    """This machine's busybox, if it is static."""
    path = userns.find_program("busybox")
    try:
        with open(path, "rb") as file:
            program = file.read(16 << 20)
    except OSError:
        return None
    return program if is_static(program) else None
