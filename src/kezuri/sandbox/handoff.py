"""A step handed to an OCI runtime: the process that assembles the root and the bundle, then becomes the runtime.

The runtime is PID 1 of a PID namespace between ours and the step's: when it is killed, everything inside is.
"""

import json
import os
import signal
import stat
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from kezuri.linux import inroot, mounts, namespaces
from kezuri.sandbox import assembly, bundle
from kezuri.sandbox.container import DEFAULT_PATH, hand_over
from kezuri.sandbox.failure import StartFailure, reason
from kezuri.sandbox.kernelfs import mount_proc
from kezuri.sandbox.step import Step

if TYPE_CHECKING:
    from socket import socket

_CGROUPS = "/sys/fs/cgroup"


class Handoff:
    """A step that an OCI runtime runs, as its supervisor sees it: the runtime writes a log that is read in the end."""

    def __init__(self, runtime: str) -> None:
        self.runtime = runtime
        self.log = os.memfd_create("runtime-log", os.MFD_CLOEXEC)

    def close(self) -> None:
        """Let go of the log."""
        os.close(self.log)

    def verdict(self, code: int) -> tuple[str, str] | int:
        """What an exit code of the runtime means: the failure to start, or the code that the step has."""
        if code == 0:
            return 0
        words = self._complaint()
        if not words:
            return code
        text = words.lower()
        if "exec" in text and any(w in text for w in ("no such file", "not found")):
            return 127
        if "exec" in text and any(w in text for w in ("format error", "permission denied", "is a directory")):
            return 126
        name = os.path.basename(self.runtime)
        return f"{name} could not start the step: {words}", f"kezuri's own sandbox needs no {name}: leave --runtime out"

    def _complaint(self) -> str:
        """The runtime's last error message ("" when it logged none: then the step itself failed)."""
        size = os.fstat(self.log).st_size
        found = ""
        for line in os.pread(self.log, min(size, 1 << 20), 0).decode(errors="replace").splitlines():
            try:
                entry = json.loads(line)
                level, message = str(entry.get("level", "")), str(entry.get("msg", ""))
            except (ValueError, AttributeError):
                continue
            if level in ("error", "fatal") and message:
                found = message
        return found


def become(
    step: Step, channel: "socket", handoff: Handoff, no_new_privileges: bool, enter: Callable[[], None]
) -> NoReturn:
    """Turn this process into the runtime that runs the step; `enter` moves it into the step's control groups.
    StartFailure or OSError when that cannot be."""
    if step.tty:
        raise StartFailure("an OCI runtime is given no terminal here", "run it in kezuri's own sandbox")
    if step.init:
        raise StartFailure("an OCI runtime is given no init here", "run it in kezuri's own sandbox, or without --init")
    namespaces.unshare(namespaces.NEWNS)
    mounts.make_private("/")
    from kezuri.sandbox import hostfiles

    made = assembly.assemble(step, hostfiles.files(step))
    for piece in made.pieces:
        if piece.mount is not None and not bundle.is_inside_kernel(piece):
            assembly.put(made, piece)
    if made.sockets:
        hand_over(channel, "agents", [path for _, path in made.sockets], [fd for fd, _ in made.sockets])
    root = os.open(made.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    _make_directory(root, step.cwd)
    _look_for_command(root, step)
    os.close(root)
    directory = f"{made.scratch}/bundle"
    os.mkdir(directory)
    with open(f"{directory}/config.json", "w", encoding="utf-8", errors="surrogateescape") as f:
        json.dump(bundle.config(step, made, no_new_privileges), f, ensure_ascii=False)
    _no_control_groups()
    mount_proc("")  # Of the runtime's own PID namespace: it looks for itself there.
    arguments = [handoff.runtime, "--root", f"{made.scratch}/state"]
    arguments += ["--log", f"/proc/self/fd/{handoff.log}", "--log-format", "json"]
    program = os.path.basename(handoff.runtime)
    if "crun" in program:
        arguments.append("--cgroup-manager=disabled")
    elif "runc" in program:
        arguments.append("--rootless=true")  # Without this runc demands control groups.
    arguments += ["run", "--bundle", directory, "kezuri"]
    os.set_inheritable(handoff.log, True)
    os.chdir("/")
    os.umask(0o022)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    enter()
    environment = {"PATH": os.environ.get("PATH", DEFAULT_PATH), "XDG_RUNTIME_DIR": made.scratch}
    try:
        os.execve(handoff.runtime, arguments, environment)
    except OSError as e:
        raise StartFailure(f"cannot execute the runtime {handoff.runtime}: {e.strerror}") from None


def _no_control_groups() -> None:
    """Make /sys read-only for the runtime, and for the step, which gets its /sys from the runtime.

    Then no runtime leaves control groups behind, and no step can freeze or kill those of this machine. Some runtimes
    refuse to work where both versions of control groups are mounted, so only version 2 is shown to them.
    """
    unified = f"{_CGROUPS}/unified"
    if mounts.type_at(_CGROUPS) == "tmpfs" and os.path.ismount(unified):
        mounts.bind(unified, _CGROUPS, recursive=True)
    mounts.restrict("/sys", mounts.MS_RDONLY, recursive=True)


def _make_directory(root: int, path: str) -> None:
    """The working directory, made when it is missing: not every runtime does that."""
    parts = [p for p in path.split("/") if p]
    try:
        for i in range(len(parts)):
            at = "/".join(parts[: i + 1])
            try:
                os.close(inroot.open_in(root, at, os.O_PATH | os.O_DIRECTORY))
            except FileNotFoundError:
                above = inroot.open_in(root, "/".join(parts[:i]), os.O_PATH | os.O_DIRECTORY)
                try:
                    os.mkdir(parts[i], 0o755, dir_fd=above)
                finally:
                    os.close(above)
    except OSError as e:
        raise StartFailure(f"cannot enter the working directory {path}: {reason(e)}") from None


def _look_for_command(root: int, step: Step) -> None:
    """End as a shell would when the command is not there: runtimes end with 1, which could be the command's own."""
    name = step.argv[0]
    if "/" in name:
        candidates = [os.path.join(step.cwd, name)]
    else:
        path = dict(step.env).get("PATH", DEFAULT_PATH)
        candidates = [os.path.join(step.cwd, d, name) for d in path.split(":")] if name else []
    code, words = 127, "command not found"
    for candidate in candidates:
        if candidate.startswith(("/dev/", "/proc/", "/sys/")):
            return
        try:
            fd = inroot.open_in(root, candidate, os.O_PATH)
        except OSError as e:
            if e.errno not in (2, 20):
                code, words = 126, e.strerror or ""
            continue
        mode = os.fstat(fd).st_mode
        os.close(fd)
        if stat.S_ISREG(mode) and mode & 0o111:
            return
        code, words = 126, "Is a directory" if stat.S_ISDIR(mode) else "Permission denied"
    os.write(2, f"kezuri: {name or '(empty command)'}: {words}\n".encode(errors="surrogateescape"))
    sys.meta_path.clear()
    os._exit(code)
