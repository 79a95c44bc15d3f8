"""The process that starts one step and waits for it: outside the step's namespaces, killed by nothing inside them.

It is PID 1 of a PID namespace that holds the step's own: when it is killed, so is everything that it has started.
"""

import os
import select
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from kezuri.linux import descriptors, namespaces
from kezuri.sandbox import container, forward, handoff, identity, uplink, wire
from kezuri.sandbox.beside import Beside
from kezuri.sandbox.companions import Companions
from kezuri.sandbox.failure import StartFailure, unstarted
from kezuri.sandbox.orders import Orders
from kezuri.sandbox.step import AgentMount, Step

if TYPE_CHECKING:
    from socket import socket


class Request:
    """One step to be run: what the main process sent along with the step itself."""

    def __init__(self, fields: dict[str, Any], streams: tuple[int, int, int], listeners: list[int]) -> None:
        self.step: Step = wire.from_plain(fields["step"])
        self.no_new_privileges: bool = fields["no_new_privileges"]
        self.runtime: str = fields["runtime"]
        self.groups: tuple[str, ...] = fields["groups"]
        self.affinity: tuple[int, ...] = fields["affinity"]
        self.streams = streams
        self.listeners = listeners


def supervise(control: "socket", streams: tuple[int, int, int], listeners: list[int]) -> NoReturn:
    """Run the step that arrives on `control` and report on it; ends with the process.

    The main process sends orders (`sandbox.orders`); when it is gone, the step is killed. Reports are ("failed",
    message, hint), ("terminal",) with a descriptor, ("started",), ("warned", text), ("probed", exit code, output) and
    ("done", exit code, signal, oom).
    """
    try:
        request = Request(wire.receive(control), streams, listeners)
        _run(request, control)
    except StartFailure as e:
        report(control, ("failed", e.message, e.hint))
    except OSError as e:
        failure = unstarted(e)
        report(control, ("failed", failure.message, failure.hint))
    except EOFError:
        pass
    except Exception as e:
        report(control, ("failed", f"the sandbox failed: {type(e).__name__}: {e}", "please report this"))
    os._exit(0)


def report(control: "socket", value: tuple[Any, ...]) -> None:
    """Tell the main process how it went with a step."""
    try:
        wire.send(control, value)
    except OSError:
        pass  # the main process is gone, and nobody waits for the report


def _run(request: Request, control: "socket") -> None:
    import socket

    step = request.step
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    identity.check(step)
    companions = Companions()
    if step.network != "host":
        connection = uplink.Connection(step.uplink) if step.uplink is not None else None
        namespaces.unshare(namespaces.NEWNET)
        namespaces.raise_loopback()
        if connection is not None and (problem := connection.make()):
            report(control, ("warned", problem))
        if connection is not None and step.uplink is not None:
            lost = "the container goes on without a way out"
            companions.watch(connection.pid, step.uplink.program, lost)
    forwarder = None
    if request.listeners or any(isinstance(m, AgentMount) for m in step.mounts):
        forwarder = forward.start(step.ports, request.listeners)
        lost = "the container goes on, and the SSH agent cannot be reached any more"
        if request.listeners:
            lost = "the container goes on, and its published ports cannot be reached any more"
        companions.watch(forwarder.pid, "the process that carries connections", lost, forwarder.forget)
    for fd in request.listeners:
        os.close(fd)
    here = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    namespaces.unshare(namespaces.NEWPID)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    runtime = handoff.Handoff(request.runtime) if request.runtime else None
    killed_before = _oom_kills()
    pid = os.fork()
    if pid == 0:
        _child(request, runtime, theirs, (control, ours, *([forwarder.channel] if forwarder else ())))
    # Whatever is forked from now on is outside the step's namespace again.
    namespaces.enter(here, namespaces.NEWPID)
    os.close(here)
    theirs.close()
    for fd in request.streams:
        if fd >= 0:
            os.close(fd)
    beside = Beside(step, request.no_new_privileges, request.groups, request.affinity, runtime is not None)
    try:
        _wait(pid, step, control, ours, forwarder, runtime, beside, companions, killed_before)
    finally:
        if forwarder:
            forwarder.stop()
        if runtime:
            runtime.close()


def _child(
    request: Request, runtime: "handoff.Handoff | None", channel: "socket", others: tuple["socket", ...]
) -> NoReturn:
    """What PID 1 of the step does: it becomes the step's program, or reports why it cannot."""
    import marshal

    try:
        for other in others:
            other.close()
        os.setsid()
        stdin = request.streams[0]
        if stdin < 0:
            # A pipe that nobody writes to. Not the machine's /dev/null: a step is made the owner of its streams.
            stdin, nobody = os.pipe2(os.O_CLOEXEC)
            os.close(nobody)
        for number, fd in enumerate((stdin, request.streams[1], request.streams[2])):
            os.dup2(fd, number, inheritable=True)
        enter = _entry(request)
        if runtime:
            handoff.become(request.step, channel, runtime, request.no_new_privileges, enter)
        else:
            container.become(request.step, channel, request.no_new_privileges, enter)
    except StartFailure as e:
        words = (e.message, e.hint)
    except OSError as e:
        failure = unstarted(e)
        words = (failure.message, failure.hint)
    except BaseException as e:
        words = (f"the sandbox failed: {type(e).__name__}: {e}", "please report this")
    try:
        os.write(3 if _is_closed(channel) else channel.fileno(), marshal.dumps(("failed", list(words))))
    finally:
        sys.meta_path.clear()
        os._exit(125)


def _entry(request: Request) -> Callable[[], None]:
    """What moves this process into the step's control groups, also when it sees them no more."""
    if not request.groups and not request.affinity:
        return lambda: None
    from kezuri.linux import cgroups

    doors = cgroups.doors(request.groups)
    return lambda: cgroups.enter(doors, request.affinity)


def _is_closed(channel: "socket") -> bool:
    # `become` moves the channel to descriptor 3 and closes the rest.
    try:
        os.fstat(channel.fileno())
        return False
    except OSError:
        return True


def _wait(
    pid: int,
    step: Step,
    control: "socket",
    channel: "socket",
    forwarder: "forward.Forwarder | None",
    runtime: "handoff.Handoff | None",
    beside: Beside,
    companions: Companions,
    killed_before: int,
) -> None:
    """Pass on what the child has to say, wait for its end and for orders, and report."""
    pidfd = os.pidfd_open(pid)
    poll = select.poll()
    for fd in (pidfd, control.fileno(), channel.fileno(), *companions.descriptors()):
        poll.register(fd, select.POLLIN)
    failure: tuple[str, str] | None = None
    keepers: list[int] = []
    orders = Orders(pidfd, step.stop_signal, runtime is not None)
    ended = False
    while not ended:
        for fd, _ in poll.poll():
            if fd == channel.fileno():
                message = _receive(channel, control, forwarder, keepers)
                if message is None:
                    poll.unregister(channel.fileno())
                    orders.begin()
                    if failure is None:
                        report(control, ("started",))
                elif message:
                    failure = message
            elif fd == pidfd:
                ended = True
            elif beside.started(fd):
                poll.unregister(fd)
                report(control, ("probed", *beside.ended(fd)))
            elif companions.watches(fd):
                poll.unregister(fd)
                report(control, ("warned", companions.ended(fd)))
            else:
                what, value = _order(control)
                if what == "probe":
                    poll.register(beside.start(orders.first(), *value), select.POLLIN)
                else:
                    orders.obey(what, value)
                if what == "kill":
                    poll.unregister(control.fileno())
    while failure is None and (message := _receive(channel, control, forwarder, keepers)):
        failure = message
    # The namespaces, the mounts in them and every process are gone when the wait for PID 1 returns.
    _, status = os.waitpid(pid, 0)
    os.close(pidfd)
    for keeper in keepers:
        # The keeper holds the step's root open, and no process is left that could ask it anything.
        os.kill(keeper, signal.SIGKILL)
        os.waitpid(keeper, 0)
    if step.root.work:
        _empty(step.root.work)
    code = os.waitstatus_to_exitcode(status)
    if runtime is not None and failure is None and code > 0:
        verdict = runtime.verdict(code)
        if isinstance(verdict, int):
            code = verdict
        else:
            failure = verdict
    if failure is not None:
        report(control, ("failed", *failure))
        return
    code = orders.meaning(code)
    number = -code if code < 0 else 0
    code = 128 + number if number else code
    if runtime is not None and 128 < code <= 128 + signal.SIGRTMAX:
        number = code - 128  # runtimes tell of a signal in this way, as shells do
    oom = code == 137 and not orders.killed and _oom_kills() > killed_before >= 0
    report(control, ("done", code, number, oom))


def _empty(directory: str) -> None:
    """Empty the overlay's work directory: the kernel has left a directory of its own in it."""
    for path, directories, files in os.walk(directory, topdown=False):
        for name in files:
            os.unlink(os.path.join(path, name))
        for name in directories:
            entry = os.path.join(path, name)
            if os.path.islink(entry):
                os.unlink(entry)
            else:
                os.rmdir(entry)


def _receive(
    channel: "socket", control: "socket", forwarder: "forward.Forwarder | None", keepers: list[int]
) -> tuple[str, str] | tuple[()] | None:
    """One message of the child: a failure, () for one that has been dealt with, None at the end. `keepers` gets the
    process that was started for it, if one was."""
    import marshal
    import socket

    data, fds = descriptors.receive(channel, 1 << 16, 64)
    if not data:
        return None
    what, words = marshal.loads(data)
    if what == "failed":
        return words[0], words[1]
    if what == "agents" and forwarder:
        forwarder.add(words, fds)
    elif what == "ids":
        from kezuri.sandbox import ids_keeper

        # When the keeper ends, the last descriptor on which the calls arrive is closed, and calls fail from then on.
        keepers.append(ids_keeper.start(fds[0], fds[1], *map(int, words)))
    elif what == "order":
        from kezuri.sandbox import backwards

        keepers.append(backwards.start(fds[0]))
    elif what == "terminal":
        wire.send(control, ("terminal",))
        socket.send_fds(control, [b"t"], fds)
    for fd in fds:
        os.close(fd)
    return ()


def _order(control: "socket") -> tuple[str, Any]:
    try:
        what, value = wire.receive(control)
        return what, value
    except (OSError, EOFError):
        return "kill", 0  # the main process is gone


def _oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since it started (-1 when it does not tell)."""
    try:
        with open("/proc/vmstat", "rb") as f:
            for line in f:
                if line.startswith(b"oom_kill "):
                    return int(line.split()[1])
    except OSError:
        pass
    return -1
