"""PID 1 of a step: assembles its root, enters it, gives up what it must not have and becomes the step's program."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from kezuri.linux import libc, mounts, namespaces, privileges, recorded
from kezuri.sandbox import assembly, hostfiles, identity, init, kernelfs
from kezuri.sandbox.failure import StartFailure, reason, unstarted
from kezuri.sandbox.step import Step

if TYPE_CHECKING:
    from socket import socket

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def become(step: Step, channel: "socket", no_new_privileges: bool, enter: Callable[[], None]) -> NoReturn:
    """Turn this process, PID 1 of a new PID namespace, into the step. Its standard streams are in place already.

    `enter` moves this process into the step's control groups, once the root is put together: what that takes does not
    count. `channel` carries sockets and the terminal to the supervisor and is closed when the program starts.
    StartFailure or OSError when it cannot start; a missing or unusable command is reported on stream 2 with exit code
    127 or 126.
    """
    program = identity.filter_for(step)
    single = recorded.is_single()
    turn = _turning(step) if step.backwards and not single else None
    named = identity.bounds(step, no_new_privileges)
    env = hostfiles.environment(step)
    environment = [(os.fsencode(k), os.fsencode(v)) for k, v in env.items()]
    _enter_root(step, channel)
    enter()
    # From here on paths lead into the image, so nothing may be imported any more: the image could supply the module.
    sys.meta_path.clear()
    sys.path.clear()
    # No descriptor of a host directory may be reachable while the step's paths (cwd, argv) are walked.
    os.set_inheritable(channel.fileno(), False)
    kept = os.dup2(channel.fileno(), 3, inheritable=False) if channel.fileno() != 3 else 3
    privileges.close_from(4)
    os.umask(0o022)
    _change_directory(step.cwd)
    identity.limit(step)
    for stream in (0, 1, 2):
        with suppress(OSError):
            os.fchown(stream, step.uid, -1)  # so that the step's user can reopen /dev/stdout
    if turn is not None:
        turn(_order_of(kept))
    identity.assume(step, program, named, no_new_privileges, keeper_of(step, kept) if single else None)
    # A signal that is ignored stays ignored in the program that we become, and Python ignores SIGPIPE and SIGXFSZ.
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if step.init:
        init.run(lambda: execute(step.argv, dict(environment), kept), kept, step.tty)
    execute(step.argv, dict(environment), kept)


def _enter_root(step: Step, channel: "socket") -> None:
    flags = namespaces.NEWNS | namespaces.NEWUTS | namespaces.NEWIPC
    try:
        namespaces.unshare(flags)
    except OSError as e:
        raise unstarted(e, "make namespaces for the step") from None
    mounts.make_private("/")
    try:
        libc.new_session_keyring()
    except OSError:
        pass  # a kernel without keyrings, or one that lets us make no more: then there is nothing to inherit
    name = ""
    try:
        namespaces.set_hostname(step.hostname)
    except PermissionError:
        # In a container of podman or docker only a process with CAP_SYS_ADMIN may set the name. The step keeps the
        # machine's, and /etc/hosts lists both.
        name = os.uname().nodename
    made = assembly.assemble(step, hostfiles.files(step, name))
    kernel = f"{made.scratch}/kernel"
    kernelfs.make(kernel, step, made.dev_size)
    terminal = _open_terminal(f"{kernel}/dev", step, channel) if step.tty else -1
    for piece in made.pieces:
        assembly.put(made, piece)
    if made.sockets:
        hand_over(channel, "agents", [path for _, path in made.sockets], [fd for fd, _ in made.sockets])
    try:
        mounts.pivot(made.root)
    except OSError as e:
        raise unstarted(e, "enter the root of the step") from None
    if terminal >= 0:
        import fcntl
        import termios

        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for stream in (0, 1, 2):
            os.dup2(terminal, stream, inheritable=True)


def _open_terminal(dev: str, step: Step, channel: "socket") -> int:
    """Open a terminal of the step's own devpts. Its master goes to the main process, its slave becomes /dev/console.

    `dev` is the step's /dev before it is moved into the root, when neither the image nor a mount of the step can have
    put anything there.
    """
    import fcntl
    import struct

    master = os.open(f"{dev}/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    number = struct.unpack("i", fcntl.ioctl(master, 0x80045430, b"\0" * 4))[0]  # TIOCGPTN
    fcntl.ioctl(master, 0x40045431, struct.pack("i", 0))  # TIOCSPTLCK
    path = f"{dev}/pts/{number}"
    slave = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    os.close(os.open(f"{dev}/console", os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    mounts.bind(path, f"{dev}/console")
    with suppress(OSError):  # there is no such id here: becoming that user fails, and says so
        os.fchown(slave, step.uid, -1)
    hand_over(channel, "terminal", [], [master])
    os.close(master)
    return slave


def hand_over(channel: "socket", what: str, words: list[str], fds: list[int]) -> None:
    """Send descriptors to the supervisor, together with `what` they are and the `words` that go with them."""
    import marshal
    import socket

    socket.send_fds(channel, [marshal.dumps((what, words))], fds)
    for fd in fds if what == "agents" else ():
        os.close(fd)


def keeper_of(step: Step, channel: int) -> Callable[[int], None]:
    """A function that sends a descriptor, on which the step's calls about owners and ids arrive, to the supervisor.
    That one starts the process which answers them (`ids_keeper.py`)."""

    def hand(listener: int) -> None:
        import socket

        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        with socket.socket(fileno=os.dup(channel)) as to:
            hand_over(to, "ids", [str(number) for number in (step.gid, *step.groups)], [listener, root])
        os.close(root)
        os.close(listener)

    return hand


def _turning(step: Step) -> Callable[[Callable[[int], None]], None] | None:
    """What has the step read directories backwards; None on a machine that cannot."""
    from kezuri.sandbox import backwards

    machine = os.uname().machine
    if not backwards.is_known(machine):
        return None
    program = backwards.program(machine)
    return lambda hand: backwards.hand_over(program, hand)


def _order_of(channel: int) -> Callable[[int], None]:
    """A function that sends a descriptor, on which it arrives that a directory is read, to the supervisor."""

    def hand(listener: int) -> None:
        import socket

        with socket.socket(fileno=os.dup(channel)) as to:
            hand_over(to, "order", [], [listener])
        os.close(listener)

    return hand


def _change_directory(path: str) -> None:
    """Enter the working directory, made when it is missing, as the OCI runtimes do."""
    path = path or "/"
    try:
        os.makedirs(path, 0o755, exist_ok=True)
        os.chdir(path)
        inside = os.getcwd().startswith("/")
    except OSError as e:
        raise StartFailure(f"cannot enter the working directory {path}: {reason(e)}") from None
    if not inside:
        raise StartFailure(f"the working directory {path} lies outside the root")


def execute(argv: tuple[str, ...], env: dict[bytes, bytes], channel: int) -> NoReturn:
    """Execute the command, looked up as execvp(3) does it in the step's own PATH."""
    arguments = [os.fsencode(a) for a in argv]
    name = arguments[0]
    if b"/" in name:
        candidates = [name]
    else:
        path = env.get(b"PATH", DEFAULT_PATH.encode())
        candidates = [os.path.join(d or b".", name) for d in path.split(b":")] if name else []
    failure: OSError = FileNotFoundError(2, "not found")
    for candidate in candidates:
        try:
            os.execve(candidate, arguments, env)
        except (FileNotFoundError, NotADirectoryError) as e:
            if os.path.lexists(candidate) and failure.errno == 2:
                failure = OSError(2, "its interpreter, or what the link leads to, is not there", candidate)
            elif b"/" in name:
                failure = e
        except OSError as e:
            if failure.errno != 13:
                failure = e
            if e.errno != 13:
                break
    missing = failure.errno in (2, 20)
    shown = os.fsdecode(name) or "(empty command)"
    if missing and not failure.filename:
        words = "command not found"
    else:
        words = failure.strerror or str(failure)
    os.close(channel)
    os.write(2, f"kezuri: {shown}: {words}\n".encode(errors="surrogateescape"))
    os._exit(127 if missing else 126)
