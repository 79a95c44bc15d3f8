"""What goes in and out of a step: ports, agents, terminals; and what is left when everything is killed.

These steps need a Python inside: they have this machine's own /usr mounted.
"""

import os
import resource
import shutil
import signal
import socket
import threading
import time
from typing import Any

import pytest
from tests.sandbox.conftest import USR, Ran, isolated, run

from kezuri.diagnostics import KezuriError
from kezuri.linux import idmaps, overlay
from kezuri.sandbox.choice import choose
from kezuri.sandbox.native import NativeSandbox
from kezuri.sandbox.step import AgentMount, Exit, Mount, Port, Root, Sandbox, Step, TmpfsMount

pytestmark = pytest.mark.slow

PYTHON = shutil.which("python3", path="/usr/bin:/bin") or ""
Layers = tuple[str, ...]
ENV = (("PATH", "/usr/bin:/bin"),)

if not PYTHON:
    pytest.skip("needs a Python of the system's own", allow_module_level=True)


def python(code: str) -> tuple[str, ...]:
    return (PYTHON, "-I", "-S", "-u", "-c", code)


def step_of(layers: Layers, argv: tuple[str, ...], mounts: tuple[Mount, ...] = (), **fields: Any) -> Step:
    """A step that has this machine's programs."""
    return Step(Root(layers), argv, ENV, mounts=(USR, *mounts), **fields)


def run_in(
    sandbox: Sandbox, layers: Layers, command: str | tuple[str, ...], mounts: tuple[Mount, ...] = (), **fields: Any
) -> Ran:
    """Run a command that has this machine's programs."""
    return run(sandbox, layers, command, env=ENV, mounts=(USR, *mounts), **fields)


class Background:
    """A step that runs in a thread until it is cancelled."""

    def __init__(self, sandbox: Sandbox, step: Step) -> None:
        self.cancel = threading.Event()
        self.seen = bytearray()
        self.ended: Exit | None = None
        self.failure: BaseException | None = None
        self._sandbox = sandbox
        self._step = step
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.ended = self._sandbox.run(self._step, lambda _, b: self.seen.extend(b), self.cancel)
        except BaseException as e:
            self.failure = e

    def await_text(self, text: bytes) -> None:
        end = time.monotonic() + 20
        while text not in self.seen:
            assert self._thread.is_alive() and time.monotonic() < end, (bytes(self.seen), self.failure)
            time.sleep(0.01)

    def stop(self) -> Exit:
        self.cancel.set()
        return self.join()

    def join(self) -> Exit:
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self.failure:
            raise self.failure
        assert self.ended
        return self.ended


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        number: int = s.getsockname()[1]
        return number


SERVER = """
import socket, threading
s = socket.create_server(("127.0.0.1", 8000)); u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("", 8001))
def datagrams():
    while True:
        data, peer = u.recvfrom(65536); u.sendto(data[::-1], peer)
def serve(c):
    with c:
        n = 0
        while data := c.recv(65536):
            n += len(data); c.sendall(data)
        c.sendall(b"got %d" % n)
threading.Thread(target=datagrams, daemon=True).start()
print("ready")
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""


@isolated
def test_ports_of_a_private_network(name: str, who: str, skeleton: Layers) -> None:
    tcp, refused, udp = free_port(), free_port(), free_port(socket.SOCK_DGRAM)
    ports = (
        Port(8000, tcp, "127.0.0.1"),
        Port(8002, refused, "127.0.0.1"),
        Port(8001, udp, "127.0.0.1", "udp"),
    )
    with choose(name) as sandbox:
        step = step_of(skeleton, python(SERVER), network="private", ports=ports)
        server = Background(sandbox, step)
        server.await_text(b"ready")
        payload = os.urandom(1 << 20)
        clients: list[bytes] = []

        def send_all(c: socket.socket) -> None:
            c.sendall(payload)
            c.shutdown(socket.SHUT_WR)

        def talk() -> None:
            with socket.create_connection(("127.0.0.1", tcp)) as c:
                sender = threading.Thread(target=send_all, args=(c,))
                sender.start()
                got = bytearray()
                while data := c.recv(65536):
                    got += data
                sender.join()
                clients.append(bytes(got))

        threads = [threading.Thread(target=talk) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(30)
        assert clients == [payload + b"got 1048576"] * 4
        with socket.create_connection(("127.0.0.1", refused)) as c, pytest.raises(ConnectionResetError):
            c.recv(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            u.settimeout(10)
            u.sendto(b"abc", ("127.0.0.1", udp))
            assert u.recv(100) == b"cba"
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", 8000), 1).close()
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", tcp)).close()


@isolated
def test_bytes_pass_through_a_forwarded_agent(name: str, who: str, scratch: str, skeleton: Layers) -> None:
    agent = f"{scratch}/agent"
    owner = 0 if who == "single" else 1000
    code = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/agent/s')"
    code += "; s.sendall(b'ask'); print(s.recv(9))"
    with choose(name) as sandbox, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(agent)
        listener.listen()

        def answer() -> None:
            c, _ = listener.accept()
            with c:
                c.sendall(c.recv(3).upper())

        thread = threading.Thread(target=answer)
        thread.start()
        mounts = (AgentMount("/run/agent/s", agent, uid=owner, gid=owner),)
        ran = run_in(sandbox, skeleton, python(code), mounts=mounts, uid=owner, gid=owner)
        thread.join(10)
    assert ran.out == "b'ASK'\n", ran


@isolated
def test_taken_ports_are_named(name: str, who: str, skeleton: Layers) -> None:
    with choose(name) as sandbox, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(KezuriError, match=str(number)):
            run_in(sandbox, skeleton, "true", network="private", ports=(Port(80, number, "127.0.0.1"),))


@isolated
def test_a_terminal(who: str, skeleton: Layers) -> None:
    read, write = os.pipe()
    with NativeSandbox() as sandbox:
        step = step_of(
            skeleton,
            ("/bin/sh", "-c", "tty; test -t 0 && test -t 1 && test -t 2 && echo all; read a; echo got $a; ps; exit 5"),
            tty=True,
            stdin=read,
        )
        terminal = Background(sandbox, step)
        terminal.await_text(b"all")
        os.write(write, b"hello\n")
        ended = terminal.join()
        os.close(write)
        assert ended.exit_code == 5 and b"/dev/pts/0" in terminal.seen and b"got hello" in terminal.seen
        again = Background(sandbox, step_of(skeleton, ("/bin/sh", "-c", "echo on; sleep 100"), tty=True))
        again.await_text(b"on")
        again.stop()


@isolated
def test_close_kills_what_runs(name: str, who: str, skeleton: Layers) -> None:
    sandbox = choose(name)
    step = Background(sandbox, step_of(skeleton, ("/bin/sh", "-c", "echo on; sleep 1000")))
    step.await_text(b"on")
    sandbox.close()
    assert step.join().exit_code in (137, 143, 255)
    with pytest.raises(KezuriError, match=r"closed|gone"):
        run_in(sandbox, skeleton, "true")


def processes_with(text: str) -> list[int]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if text.encode() in f.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


@pytest.mark.parametrize("hostile", [False, True])
def test_sigkill_of_the_builder_ends_everything(name: str, who: str, hostile: bool, skeleton: Layers) -> None:
    """Also when PID 1 of the step has asked not to be told of its parent's death."""
    word = f"marker-{os.getpid()}-{name}-{who}-{hostile}"
    quiet = "ctypes.CDLL(None).prctl(1, 0, 0, 0, 0);" if hostile else ""
    code = f"import ctypes, os, time; {quiet} os.fork(); print('on'); '{word}'; time.sleep(1000)"
    read, write = os.pipe()
    from tests.sandbox.conftest import apart

    def build() -> None:
        sandbox = choose(name)
        step = step_of(skeleton, python(code), network="private", mounts=(TmpfsMount("/mnt/x"),))
        running = Background(sandbox, step)
        running.await_text(b"on")
        os.write(write, b"%d" % sandbox._pid)
        os.kill(os.getpid(), signal.SIGKILL)

    apart(who, build, signal.SIGKILL)
    os.close(write)
    zygote = os.read(read, 20)
    os.close(read)
    if not zygote:
        pytest.skip("the user cannot read this Python's library")
    end = time.monotonic() + 10
    while processes_with(word) or lives(int(zygote)):
        if time.monotonic() > end:
            pytest.fail(f"left over: {processes_with(word)}, helper {zygote.decode()}")
        time.sleep(0.05)
    with open("/proc/self/mounts") as f:
        assert "/mnt/x" not in f.read()


HOSTILE = """
import ctypes, os, signal, time
def quiet():
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
quiet()
if os.fork() == 0:
    quiet()
    os.setsid()
    if os.fork() == 0: quiet()
print('on')
time.sleep(1000)
"""
"""A step whose processes ask not to be told of any death, and heed no signal that they may refuse."""


def parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as f:
        return int(f.read().rpartition(b")")[2].split()[1])


@pytest.mark.parametrize("who", ["as-is", "subordinate", "single"], indirect=True)
@pytest.mark.parametrize("victims", ["supervisor", "first", "helper", "supervisor first helper"])
@isolated
def test_sigkill_of_any_helper_ends_the_step(victims: str, name: str, who: str, skeleton: Layers) -> None:
    """The step cannot keep itself alive: not the death signal of one process kills it, but the end of the PID namespace
    around it."""
    word = f"marker-{os.getpid()}-"
    with choose(name) as sandbox:
        mounts: tuple[Mount, ...] = (TmpfsMount("/mnt/x"),)
        running = Background(sandbox, step_of(skeleton, python(HOSTILE + f"'{word}'"), mounts=mounts))
        running.await_text(b"on")
        chain = [min(processes_with(word))]
        while chain[-1] != os.getpid():
            chain.append(parent_of(chain[-1]))
        helper, first, supervisor = chain[-2:-5:-1]
        assert helper == sandbox._pid
        pids = {"supervisor": supervisor, "first": first, "helper": helper}
        for victim in victims.split():
            os.kill(pids[victim], signal.SIGKILL)
        with pytest.raises(KezuriError, match="helper process has died"):
            running.join()
        end = time.monotonic() + 10
        while left := [p for p in (*processes_with(word), *chain[:-3]) if lives(p)]:
            assert time.monotonic() < end, left
            time.sleep(0.02)
        if victims == "supervisor":
            assert run_in(sandbox, skeleton, "echo on").out == "on\n"


@pytest.mark.parametrize("who", ["single"], indirect=True)
@pytest.mark.parametrize("most", [0, 2])
@isolated
def test_too_few_pid_namespaces_are_a_clear_error(most: int, who: str, skeleton: Layers) -> None:
    with open("/proc/sys/user/max_pid_namespaces", "w") as f:  # of our own user namespace
        f.write(str(most))
    with NativeSandbox() as sandbox, pytest.raises(KezuriError) as caught:
        run_in(sandbox, skeleton, "true")
    said = caught.value.diagnostics[0]
    assert "No space left" in said.message and (most or "max_pid_namespaces" in said.hint)


@pytest.mark.parametrize("who", ["as-is", "single"], indirect=True)
@isolated
def test_a_helper_that_is_stopped_does_not_hold_us_up(who: str, skeleton: Layers) -> None:
    sandbox = NativeSandbox()
    running = Background(sandbox, step_of(skeleton, python("print('on'); import time; time.sleep(1000)")))
    running.await_text(b"on")
    with open(f"/proc/{sandbox._pid}/task/{sandbox._pid}/children") as f:
        first = int(f.read())
    os.kill(first, signal.SIGSTOP)
    sandbox.close()
    assert running.join().exit_code == 137
    end = time.monotonic() + 10
    while lives(first):
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("who", ["as-is", "single"], indirect=True)
@isolated
def test_time_of_steps_is_time_of_ours(name: str, who: str, skeleton: Layers) -> None:
    """What `time kezuri build` shows includes what the steps used, as they count it themselves."""
    busy = "import time\nwhile time.process_time() < 0.3: pass\nprint('on')\n"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    steps = 1
    with choose(name) as sandbox:
        run_in(sandbox, skeleton, python(busy))
        if name == "kezuri":  # a runtime that is killed has no time to wait for what it has started
            steps = 3
            cancelled = Background(sandbox, step_of(skeleton, python(busy + "time.sleep(1000)")))
            cancelled.await_text(b"on")
            cancelled.stop()
            kept = Background(sandbox, step_of(skeleton, python(busy + "time.sleep(1000)")))
            kept.await_text(b"on")
    if steps == 3:
        kept.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime >= 0.3 * steps


@isolated
def test_the_interpreter_cannot_be_overwritten(who: str, skeleton: Layers) -> None:
    """A step that makes our own process execute it again gets no way to write to its file (CVE-2019-5736)."""
    code = "import os; f = os.open('/proc/self/exe', os.O_RDONLY); print(os.fstatvfs(f).f_flag & os.ST_RDONLY)\n"
    code += "try: os.open('/proc/self/exe', os.O_RDWR)\nexcept OSError as e: print('refused')\n"
    with NativeSandbox() as sandbox:
        ran = run_in(sandbox, skeleton, ("/proc/self/exe", "-I", "-S", "-c", code))
    # It may be refused for being busy; read-only holds when it no longer is.
    assert ran.out == "1\nrefused\n" or ran.code in (126, 127), ran


@isolated
def test_nothing_of_ours_is_inherited(who: str, skeleton: Layers) -> None:
    code = "import os; print(sorted(os.listdir('/proc/self/fd'), key=int)); print(os.getsid(0), os.getcwd())"
    with NativeSandbox() as sandbox:
        ran = run_in(sandbox, skeleton, python(code), cwd="/proc/self/fd")
        assert ran.out.splitlines()[0] == "['0', '1', '2', '3']", ran  # 3: the listing itself
        for number in range(3, 40):
            with pytest.raises(KezuriError, match="working directory"):
                run_in(sandbox, skeleton, python(code), cwd=f"/proc/self/fd/{number}")


@pytest.mark.parametrize("who", ["as-is", "single"], indirect=True)
@isolated
def test_sockets_that_are_not_for_steps(name: str, who: str, skeleton: Layers) -> None:
    """Nobody listens in on the machine's network, and nobody uses the kernel's ciphers or the way to a hypervisor."""
    code = "import socket as s\n"
    raw = ("s.AF_PACKET, s.SOCK_RAW, 0x300", "s.AF_PACKET, s.SOCK_DGRAM, 0x300", "s.AF_INET, s.SOCK_RAW, 1")
    for arguments in (*raw, "38, s.SOCK_SEQPACKET", "40, s.SOCK_STREAM", "s.AF_INET6"):
        code += f"try: s.socket({arguments}); print('open')\nexcept PermissionError: print('refused')\n"
    with choose(name) as sandbox:
        assert run_in(sandbox, skeleton, python(code)).out == "refused\n" * 5 + "open\n"
        assert run_in(sandbox, skeleton, python(code), network="none").out == "open\n" * 3 + "refused\n" * 2 + "open\n"


CALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(*a):
    ctypes.set_errno(0)
    r = libc.syscall(*[ctypes.c_long(x) for x in a])
    return errno.errorcode.get(ctypes.get_errno(), 0) if r == -1 else "ok"
import os, platform
assert platform.machine() == "x86_64"
print("mount", call(165, 0, 0, 0, 0, 0))
print("keyctl", call(250, 0, 0))
print("bpf", call(321, 0, 0, 0))
print("clone-user", call(56, 0x10000000, 0, 0, 0, 0))
print("unshare-user", call(272, 0x10000000))
print("unshare-fs", call(272, 0x200))
print("clone3", call(435, 0, 0))
print("unknown", call(700))
print("x32", call(0x40000000 + 39))
print("vsock", call(41, 40, 1, 0))
print("cipher", call(41, 38, 5, 0))
print("inet", call(41, 2, 1, 0))
print("personality", call(135, 0xffffffff), call(135, 0x40000))
print("io_uring", call(425, 1, 0))
print("getpid", call(39))
"""


@isolated
def test_system_calls_are_filtered(who: str, skeleton: Layers) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("numbers of x86_64")
    with NativeSandbox() as sandbox:
        ran = run_in(sandbox, skeleton, python(CALLS))
        said = dict(line.split(" ", 1) for line in ran.out.splitlines())
        refused = ("mount", "keyctl", "bpf", "clone-user", "unshare-user", "unshare-fs", "vsock", "cipher", "io_uring")
        assert {said[n] for n in refused} == {"EPERM"}, ran
        assert {said[n] for n in ("clone3", "unknown", "x32")} == {"ENOSYS"}, ran
        assert {said[n] for n in ("inet", "getpid")} == {"ok"}, ran
        assert said["personality"] == "ok EPERM", ran
        free = run_in(sandbox, skeleton, python("print(open('/proc/self/status').read())"), insecure=True)
        # Where there is one id, what answers for the others stays: it is a filter, too.
        assert f"Seccomp:\t{2 if who == 'single' else 0}" in free.out, free


@pytest.mark.parametrize("who", ["as-is", "subordinate", "confined"], indirect=True)
@isolated
def test_set_user_id_programs(who: str, scratch: str, skeleton: Layers) -> None:
    """They give no more than the capability bounds, and nothing where the sandbox was asked to forbid them."""
    if who == "single":
        pytest.skip("needs a second user id")
    shutil.copy2(shutil.which("id") or "", f"{scratch}/suid")
    os.chmod(f"{scratch}/suid", 0o4755)
    os.chmod(scratch, 0o755)
    layers = (scratch, *skeleton)
    shutil.copy2(shutil.which("grep") or "", f"{scratch}/look")
    os.chmod(f"{scratch}/look", 0o4755)
    with NativeSandbox(no_new_privileges=True) as sandbox:
        assert run_in(sandbox, layers, ("/suid", "-u"), uid=1000, gid=1000).out == "1000\n"
    with NativeSandbox() as sandbox:
        ran = run_in(sandbox, layers, ("/suid", "-u"), uid=1000, gid=1000)
        assert ran.out == "0\n", ran
        ran = run_in(sandbox, layers, ("/look", "-E", "^(Seccomp|CapEff|CapBnd):", "/proc/self/status"), uid=1000)
        fields = dict(line.split(":\t") for line in ran.out.splitlines())
        assert fields["Seccomp"] == "2", ran
        effective = int(fields["CapEff"], 16)
        assert effective == int(fields["CapBnd"], 16) and effective | 1 << 13 | 1 << 27 == 0xA80425FB, ran


@isolated
def test_killed_for_memory_or_by_itself(who: str, skeleton: Layers) -> None:
    with NativeSandbox() as sandbox:
        ran = run_in(
            sandbox, skeleton, python("import os; os.kill(os.getpid(), 11); import ctypes; ctypes.string_at(0)")
        )
        assert ran.ended == Exit(139, 11), ran
        assert run_in(sandbox, skeleton, ("/bin/sh", "-c", "kill -9 $$; exit 4")).code == 4


@pytest.mark.parametrize("who", ["as-is"], indirect=True)
@isolated
def test_the_kernels_kill_for_memory_is_told(who: str, skeleton: Layers) -> None:
    group = f"/sys/fs/cgroup/memory/kezuri-test-{os.getpid()}"
    if who != "as-is" or not os.access("/sys/fs/cgroup/memory/cgroup.procs", os.W_OK):
        pytest.skip("needs a memory control group of its own")
    with open("/proc/self/cgroup") as f:
        here = next(line.strip().split(":")[2] for line in f if ":memory:" in line)
    os.mkdir(group)
    try:
        with open(f"{group}/memory.limit_in_bytes", "w") as f:
            f.write(str(96 << 20))
        with open(f"{group}/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))
        with NativeSandbox() as sandbox:
            # Its helpers are in the group now. The kernel kills the largest process there, which must not be this one.
            with open(f"/sys/fs/cgroup/memory{here}/cgroup.procs", "w") as f:
                f.write(str(os.getpid()))
            ran = run_in(sandbox, skeleton, python("x = bytearray(512 << 20)"))
            assert ran.ended == Exit(137, 9, True), ran
            ran = run_in(sandbox, skeleton, ("/bin/sh", "-c", f"{PYTHON} -ISc 'x = bytearray(512 << 20)'"))
            assert ran.ended.oom and ran.code == 137, ran
    finally:
        with open(f"/sys/fs/cgroup/memory{here}/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))
        end = time.monotonic() + 60
        while os.path.isdir(group):
            try:
                os.rmdir(group)
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)


@isolated
def test_insecure_steps_may_mount(who: str, skeleton: Layers) -> None:
    with NativeSandbox() as sandbox:
        ran = run_in(sandbox, skeleton, "mount -t tmpfs x /tmp && grep ' /tmp ' /proc/mounts", insecure=True)
        assert ran.code == 0 and "tmpfs" in ran.out, ran


@isolated
def test_old_kernels_ways_work_too(
    who: str, layers: tuple[str, ...], scratch: str, monkeypatch: pytest.MonkeyPatch, skeleton: Layers
) -> None:
    """Mounting with mount(2) alone: long stacks fit its one page of options through short names."""
    from kezuri.linux import mounts

    many = []
    for i in range(120):
        os.makedirs(f"{scratch}/a quite long name, to be sure: {i}/d")
        many.append(f"{scratch}/a quite long name, to be sure: {i}")
        with open(f"{many[-1]}/d/{i}", "w"):
            pass
    for name in ("up", "work", "merged"):
        os.mkdir(f"{scratch}/{name}")

    def missing(kind: str) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(mounts, "NewMount", missing)
    overlay.mount(f"{scratch}/merged", (*many, *layers), f"{scratch}/up", f"{scratch}/work")
    assert len(os.listdir(f"{scratch}/merged/d")) == 120
    mounts.restrict_by_remount(f"{scratch}/merged", mounts.MS_RDONLY | mounts.MS_NODEV)
    with pytest.raises(OSError, match=r"[Rr]ead-only"):
        os.mkdir(f"{scratch}/merged/d/x")
    mounts.unmount(f"{scratch}/merged")
    shutil.rmtree(f"{scratch}/work")
    assert idmaps.id_map()
