"""The way out of a private network: pasta or slirp4netns, programs that speak for it on this machine's network."""

import os
import signal
import time
from contextlib import suppress
from typing import NoReturn

from kezuri.linux import idmaps, userns
from kezuri.sandbox.step import Uplink

RESOLVER = {"pasta": "169.254.1.1", "slirp4netns": "10.0.2.3"}
"""Where the step finds this machine's name server when the uplink `answers` for it."""

_PATIENCE = 15.0


def find() -> Uplink | None:
    """The first of these programs that is installed and can work here; None when there is none."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return None
    path = userns.find_program("pasta")
    if path:
        return Uplink("pasta", path)
    path = userns.find_program("slirp4netns")
    return Uplink("slirp4netns", path) if path else None


class Connection:
    """The program, forked while this process is on the machine's network: an ordinary user's has no way back there.

    What it leaves in the background is below this process, the first of its PID namespace, and ends when that does.
    `pid` is that program's once the network is made; 0 when there is none.
    """

    def __init__(self, uplink: Uplink) -> None:
        self._uplink = uplink
        self.pid = 0
        self._said = os.memfd_create("uplink", os.MFD_CLOEXEC)
        waits, self._go = os.pipe()
        self._ready, told = os.pipe()
        # This process by the number that it has in the /proc that we see: PID namespaces are around us.
        here = os.readlink("/proc/self")
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._go)
            _become(uplink, waits, f"/proc/{here}/ns/net", self._said, told)
        os.close(waits)
        os.close(told)

    def make(self) -> str:
        """Connect the network namespace that this process is in by now; why it has no network when it has none (a
        machine without a network has none to give)."""
        try:
            os.write(self._go, b"g")
            if self._uplink.program == "pasta":
                made = _daemon(self._pid)
                self.pid = _only_child() if made else 0
            else:
                made = _word(self._pid, self._ready)
                self.pid = self._pid if made else 0
            if made:
                return ""
            words = os.pread(self._said, 1 << 14, 0).decode(errors="replace").strip().splitlines()
            problem = words[-1].strip() if words else "it says nothing"
            return f"{self._uplink.program} gives the container no network: {problem}"
        finally:
            for fd in (self._go, self._ready, self._said):
                os.close(fd)


def _become(uplink: Uplink, waits: int, path: str, said: int, told: int) -> NoReturn:
    with suppress(OSError):
        if not os.read(waits, 1):
            os._exit(0)
        inside = os.open(path, os.O_RDONLY)
        for stream in (1, 2):
            os.dup2(said, stream, inheritable=True)
        # Python ignores this signal, and pasta takes an ignored signal for a handler that could not be set.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # The path goes through our own descriptors, because the program gives up the right to look at other processes
        # before it opens it.
        os.set_inheritable(inside, True)
        namespace = f"/proc/self/fd/{inside}"
        if uplink.program == "pasta":
            arguments = ["--config-net", "--quiet", "--no-map-gw"]
            if uplink.answers:  # else answers of the machine's own server would seem to come from that address
                arguments += ["--dns-forward", RESOLVER["pasta"]]
            for forwarded in ("-t", "-u", "-T", "-U"):
                arguments += [forwarded, "none"]
            if os.geteuid() == 0 and idmaps.is_initial_user():
                arguments += ["--runas", "0"]  # as another user it could not enter the namespace
            arguments += ["--netns", namespace]
        else:
            os.set_inheritable(told, True)
            arguments = ["--configure", "--mtu=65520", "--disable-host-loopback", f"--ready-fd={told}"]
            arguments += ["--netns-type=path", namespace, "tap0"]
        os.execv(uplink.path, [uplink.program, *arguments])
    os._exit(127)


def _daemon(pid: int) -> bool:
    """Whether the program has gone into the background: that it does when the network is there."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def _word(pid: int, ready: int) -> bool:
    """Whether the program says in time that it is ready; it stays in the foreground."""
    import select

    poll = select.poll()
    poll.register(ready, select.POLLIN)
    if poll.poll(_PATIENCE * 1000) and os.read(ready, 1):
        return True
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def _only_child() -> int:
    """The one child of this process by the number that it has here: PID namespaces are around us, whose numbers /proc
    shows, and the child may have made one more. 0 where /proc does not tell."""
    here = os.readlink("/proc/self")
    try:
        with open(f"/proc/{here}/task/{here}/children") as f:
            (child,) = f.read().split()
        return int(_numbers(child)[len(_numbers(here)) - 1])
    except (OSError, ValueError, IndexError):
        return 0


def _numbers(process: str) -> list[str]:
    """The numbers of a process in the PID namespaces that it is in, from the outermost."""
    with open(f"/proc/{process}/status") as f:
        return next((line.split()[1:] for line in f if line.startswith("NSpid:")), [])
