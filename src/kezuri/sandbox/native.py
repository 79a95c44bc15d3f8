"""kezuri's own sandbox: namespaces, an overlay root and a system call filter, with nothing to install."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from kezuri.diagnostics import KezuriError
from kezuri.linux import userns
from kezuri.sandbox import wire, zygote
from kezuri.sandbox.failure import MISSING_IDS, hint_for
from kezuri.sandbox.listening import listening
from kezuri.sandbox.step import Attendant, Exit, Output, Probe, Signal, Step

if TYPE_CHECKING:
    from socket import socket

    from kezuri.linux.cgroups import Group, Groups

_TICK_MS = 50
_PIECE = 1 << 16


class NativeSandbox:
    """Runs steps in namespaces of this process. Construct it in the main thread, after `userns.enter`.

    Set-id programs (sudo) of an image give a step's user what the step's capability bounds allow; with
    `no_new_privileges` they give nothing. Each step runs in a control group of its own, made by `groups`, which its
    maker enters and leaves.
    """

    name = "kezuri"
    _runtime = ""

    def __init__(self, no_new_privileges: bool = False, groups: "Groups | None" = None) -> None:
        self._no_new_privileges = no_new_privileges
        self._groups = groups
        self._lock = threading.Lock()
        self._closed = False
        self._running: set[threading.Event] = set()
        try:
            self._pid, self._control = zygote.spawn()
        except OSError as e:
            raise KezuriError.of(
                f"cannot start the sandbox's helper process: {e.strerror}", hint=hint_for(e), exit_code=125
            ) from None

    def __enter__(self) -> "NativeSandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill what is still running and end the helper process."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            running = list(self._running)
        for kill in running:
            kill.set()
        self._control.close()
        zygote.end(self._pid)

    def run(self, step: Step, output: Output, cancel: threading.Event, attendant: Attendant | None = None) -> Exit:
        """See `kezuri.sandbox.step.Sandbox.run`."""
        if not step.argv:
            raise KezuriError.of("the step has no command", exit_code=125)
        _check(step)
        from kezuri.sandbox import terminal

        kill = threading.Event()
        with ExitStack() as held:
            group = held.enter_context(self._groups.group()) if self._groups is not None else None
            # Only who carries the connections keeps the sockets: should it die, clients are refused and do not wait.
            with listening(step.ports) as (ports, listeners):
                step = step._replace(ports=ports)
                control, ends = held.enter_context(self._start(step, listeners))
            self._enlist(kill)
            held.callback(self._running.discard, kill)
            session = terminal.Session(step, output, ends, held)
            try:
                wire.send(control, self._request(step, group))
                if attendant is not None and ports:
                    attendant.bound(ports)
                ended = _attend(step, session, control, cancel, kill, attendant)
                return ended if group is None else self._with_usage(ended, group)
            except (BrokenPipeError, ConnectionResetError, EOFError):
                raise KezuriError.of(
                    "the sandbox's helper process has died",
                    hint="it may have been killed for want of memory: see the kernel's log (dmesg)",
                    exit_code=125,
                ) from None

    def _request(self, step: Step, group: "Group | None") -> dict[str, Any]:
        return {
            "step": wire.plain(step),
            "no_new_privileges": self._no_new_privileges,
            "runtime": self._runtime,
            "groups": group.directories if group is not None else (),
            "affinity": group.affinity if group is not None else (),
        }

    def _with_usage(self, ended: Exit, group: "Group") -> Exit:
        usage = group.usage()
        limit = self._groups.limits.memory if self._groups is not None and group.memory else 0
        return ended._replace(oom=ended.oom or usage.kills > 0, peak=usage.peak, memory=limit)

    def _enlist(self, kill: threading.Event) -> None:
        with self._lock:
            if self._closed:
                raise KezuriError.of("the sandbox is closed", exit_code=125)
            self._running.add(kill)

    @contextmanager
    def _start(self, step: Step, listeners: list[int]) -> Iterator[tuple["socket", list[int]]]:
        """Ask the helper for a supervisor; its socket, and our ends of the step's streams (-1: it reads nothing)."""
        import marshal
        import socket

        ours, theirs = socket.socketpair()
        pipes: list[int] = []
        try:
            sent = [theirs.fileno()]
            ends = [-1, -1, -1]
            if step.stdin >= 0 and not step.tty:
                read, ends[0] = os.pipe2(os.O_CLOEXEC)
                pipes += (read, ends[0])
                sent.append(read)
            for stream in (1, 2):
                ends[stream], write = os.pipe2(os.O_CLOEXEC)
                pipes += (ends[stream], write)
                sent.append(write)
            header = marshal.dumps((ends[0] >= 0, len(listeners)))
            try:
                with self._lock:
                    socket.send_fds(self._control, [header], [*sent, *listeners])
            except OSError:
                raise KezuriError.of("the sandbox's helper process is gone", exit_code=125) from None
            theirs.close()
            for fd in sent[1:]:
                os.close(fd)
                pipes.remove(fd)
            yield ours, ends
        finally:
            ours.close()
            theirs.close()
            for fd in pipes:
                try:
                    os.close(fd)
                except OSError:
                    pass  # the session closed it at its end


def _attend(
    step: Step,
    session: Any,
    control: "socket",
    cancel: threading.Event,
    kill: threading.Event,
    attendant: Attendant | None,
) -> Exit:
    """Relay until the step has ended and its output is read; stop it when asked to, or when relaying fails."""
    import select

    poll = select.poll()
    poll.register(control, select.POLLIN)
    report: tuple[Any, ...] | None = None
    over = 0.0
    begun = killed = False
    news: list[tuple[Any, ...]] = []
    problem: BaseException | None = None
    while report is None or session.reading:
        if not killed and (kill.is_set() or problem or (over and time.monotonic() > over)):
            killed = True
            _order(control, "kill")
        elif not over and cancel.is_set():
            over = _stop(step, control)
        try:
            if begun and attendant is not None:
                begun = False
                attendant.started()
            while news and attendant is not None:
                what, *words = news.pop(0)
                attendant.probed(*words) if what == "probed" else attendant.warned(*words)
            for order in attendant.orders() if attendant is not None and not killed and report is None else ():
                if isinstance(order, Signal):
                    _order(control, "signal", order.number)
                elif isinstance(order, Probe):
                    _order(control, "probe", tuple(order))
                elif order.kill:
                    kill.set()
                elif not over:
                    over = _stop(step, control)
            # One wait for everything: our events have no descriptor, so they are looked at some times a second.
            session.relay(poll, _TICK_MS, discard=problem is not None)
        except BaseException as e:
            problem = problem or e
        if report is None and session.heard(control):
            message = wire.receive(control)
            if message[0] == "terminal":
                session.adopt_terminal(control)
            elif message[0] == "started":
                begun = True
            elif message[0] in ("probed", "warned"):
                news.append(message)
            else:
                report = message
                poll.unregister(control)
                session.end_input()
    if problem is not None:
        raise problem
    if report[0] == "failed":
        hint = userns.shortcoming().text() if report[2] == MISSING_IDS else report[2]
        raise KezuriError.of(report[1], hint=hint, exit_code=125)
    return Exit(report[1], report[2], report[3])


def _stop(step: Step, control: "socket") -> float:
    """Send the stop signal; when the step's grace is over."""
    _order(control, "stop")
    return time.monotonic() + step.grace if step.grace >= 0 else float("inf")


def _order(control: "socket", what: str, value: Any = 0) -> None:
    try:
        wire.send(control, (what, value))
    except OSError:
        pass  # it has ended by itself; its report says how


def _check(step: Step) -> None:
    """KezuriError for a step that cannot be run, before anything is started."""
    for text in (*step.argv, step.cwd, step.hostname, *(t for pair in step.env for t in pair)):
        if "\0" in text:
            raise KezuriError.of(f"the step holds a NUL character: {text[:60]!r}", exit_code=125)
    for name, _ in step.env:
        if not name or "=" in name:
            raise KezuriError.of(f"{name!r} is no name of an environment variable", exit_code=125)
    if not step.cwd.startswith("/"):
        raise KezuriError.of(f"the working directory must be absolute, not {step.cwd!r}", exit_code=125)
    if step.ports and step.network != "private":
        raise KezuriError.of(f"ports are forwarded into a private network only, not {step.network}", exit_code=125)
    if len(os.fsencode(step.hostname)) > 64:
        raise KezuriError.of(f"the host name {step.hostname} is longer than 64 bytes", exit_code=125)
    for mount in step.mounts:
        if not mount.target.startswith("/"):
            raise KezuriError.of(f"a mount's target must be absolute, not {mount.target!r}", exit_code=125)
        agent = getattr(mount, "agent", "")
        if agent and not os.path.exists(agent):
            raise KezuriError.of(
                f"the SSH agent's socket {agent} is not there", hint="start one: eval $(ssh-agent)", exit_code=125
            )
