"""The sandbox's promises, kept by kezuri's own and by each OCI runtime that is installed, as root and as others."""

import os
import shutil
import socket
import struct
import threading
import time
from typing import Any

import pytest
from tests.sandbox.conftest import Ran, isolated, run

from kezuri.diagnostics import KezuriError
from kezuri.linux import namespaces
from kezuri.sandbox.choice import choose
from kezuri.sandbox.step import AgentMount, FileMount, HostMount, Port, SecretMount, TmpfsMount, TreeMount

pytestmark = pytest.mark.slow

Layers = tuple[str, ...]


def found(directory: str) -> list[str]:
    """Everything below a directory, with its kind."""
    entries = []
    for path, directories, files in os.walk(directory):
        entries += [os.path.relpath(os.path.join(path, n), directory) for n in (*directories, *files)]
    return sorted(entries)


@isolated
def test_runs_and_tells_streams_and_code_apart(name: str, who: str, layers: Layers, scratch: str) -> None:
    with choose(name) as sandbox:
        ran = run(sandbox, layers, "echo out; echo err >&2; id -u; id -g; echo $$; exit 7", scratch)
    assert (ran.code, ran.out, ran.err) == (7, "out\n0\n0\n1\n", "err\n"), ran


@isolated
def test_a_step_that_only_looks_leaves_nothing(name: str, who: str, layers: Layers, scratch: str) -> None:
    mounts = (
        SecretMount("/run/secrets/token", b"hunter2"),
        TmpfsMount("/var/cache/some/where"),
        FileMount("/dev/pipes/EOF", b"#!/bin/sh\n", 0o755),
        TmpfsMount("/data/deep"),
    )
    with choose(name) as sandbox:
        ran = run(
            sandbox,
            layers,
            "cat /run/secrets/token /etc/hosts /etc/resolv.conf; ls /proc /sys /dev",
            scratch,
            mounts=mounts,
        )
    assert ran.code == 0 and "hunter2" in ran.out, ran
    assert found(f"{scratch}/upper") == []
    assert found(f"{scratch}/work") == []


@isolated
def test_changes_and_nothing_else_are_in_upper(name: str, who: str, layers: Layers, scratch: str) -> None:
    mounts = (SecretMount("/data/secret", b"x"), TmpfsMount("/data/tmp"), FileMount("/new/file", b""))
    with choose(name) as sandbox:
        ran = run(
            sandbox, layers, "echo a > /data/a; rm /etc/group; echo x > /tmp/t; echo n > /new/n", scratch, mounts=mounts
        )
    assert ran.code == 0, ran
    assert found(f"{scratch}/upper") == sorted(["data", "data/a", "etc", "etc/group", "tmp", "tmp/t", "new", "new/n"])
    gone = os.lstat(f"{scratch}/upper/etc/group")
    assert gone.st_rdev == 0 and gone.st_mode & 0o170000 == 0o020000
    # Parents of mount points keep their metadata when they are copied up.
    data, etc = os.stat(f"{scratch}/upper/data"), os.stat(f"{scratch}/upper/etc")
    assert data.st_mode & 0o7777 == 0o750
    assert os.stat(f"{scratch}/upper/tmp").st_mode & 0o7777 == 0o1777
    assert os.stat(f"{scratch}/upper/new").st_mode & 0o7777 == 0o755
    assert data.st_mtime > 1_500_000_000 and etc.st_mtime > 1_500_000_000


@isolated
def test_parents_of_mount_points_look_untouched(name: str, who: str, layers: Layers, scratch: str) -> None:
    with choose(name) as sandbox:
        ran = run(sandbox, layers, "stat -c '%Y %a' /data /etc", scratch, mounts=(TmpfsMount("/data/x"),))
        assert ran.out == "1000000000 750\n1000000000 755\n", ran
        # A copy-up of the directory alone must not carry the stub into the layer, nor its time.
        ran = run(sandbox, layers, "chmod 751 /data", scratch, mounts=(TmpfsMount("/data/x"),))
    assert ran.code == 0, ran
    assert found(f"{scratch}/upper") == ["data"]
    assert os.stat(f"{scratch}/upper/data").st_mtime == 1_000_000_000


@isolated
def test_without_upper_changes_are_discarded(name: str, who: str, layers: Layers) -> None:
    with choose(name) as sandbox:
        assert run(sandbox, layers, "echo a > /a && cat /a").out == "a\n"
        assert run(sandbox, layers, "cat /a").code != 0
        ran = run(sandbox, layers, "echo a > /a; pwd", readonly=True, cwd="/made/here", mounts=(TmpfsMount("/mnt/t"),))
        assert "ead-only" in ran.err and ran.out == "/made/here\n", ran


@isolated
def test_missing_and_unusable_commands(name: str, who: str, layers: Layers, scratch: str) -> None:
    with open(f"{scratch}/script", "w") as f:
        f.write("echo hello\n")
    os.chmod(f"{scratch}/script", 0o644)
    script = TreeMount((scratch,), "script", "/script")
    with choose(name) as sandbox:
        ran = run(sandbox, layers, ("no-such-thing",))
        assert ran.code == 127 and "no-such-thing" in ran.err, ran
        ran = run(sandbox, layers, ("/no/such/thing",))
        assert ran.code == 127 and "/no/such/thing" in ran.err, ran
        ran = run(sandbox, layers, ("/etc",))
        assert ran.code == 126, ran
        ran = run(sandbox, layers, ("/script",), mounts=(script,))
        assert ran.code == 126 and "ermission" in ran.err, ran


@isolated
def test_mounts_of_trees_and_host_directories(name: str, who: str, layers: Layers, scratch: str) -> None:
    for path in ("one/sub", "two/sub", "cache"):
        os.makedirs(f"{scratch}/{path}")
    with open(f"{scratch}/one/sub/a", "w") as f:
        f.write("upper a")
    with open(f"{scratch}/two/sub/a", "w") as f:
        f.write("lower a")
    with open(f"{scratch}/two/sub/b", "w") as f:
        f.write("lower b")
    os.symlink("/sub", f"{scratch}/two/link")
    os.symlink("/etc", f"{scratch}/two/out")
    stack = (f"{scratch}/one", f"{scratch}/two")
    mounts = (
        TreeMount(stack, "link", "/src"),
        HostMount(f"{scratch}/cache", "/src/node_modules"),
        TreeMount(stack, "sub", "/rw", writable=True),
        TreeMount(stack, "sub/b", "/b"),
        TreeMount(stack, "sub/b", "/bw", writable=True),
        TreeMount(stack, "/", "/all"),
        TmpfsMount("/all/new/place"),
        HostMount(f"{scratch}/cache", "/ro", writable=False),
    )
    command = (
        "cat /src/a /src/b /b; echo; echo x > /src/no; echo y > /src/node_modules/kept; echo z > /rw/c; cat /rw/c;"
        "echo w > /bw; cat /bw; echo q > /ro/no; ls /all; ls /all/new; rm /rw/a && ls /rw"
    )
    with choose(name) as sandbox:
        ran = run(sandbox, layers, command, mounts=mounts)
        assert ran.out == "upper alower blower b\nz\nw\nlink\nnew\nout\nsub\nplace\nb\nc\n", ran
        assert ran.err.count("ead-only") == 2, ran
        with pytest.raises(KezuriError, match="out"):
            run(sandbox, layers, "true", mounts=(TreeMount(stack, "out/passwd", "/p"),))
    assert found(f"{scratch}/cache") == ["kept"]
    assert found(f"{scratch}/one") == ["sub", "sub/a"]
    assert found(f"{scratch}/two") == ["link", "out", "sub", "sub/a", "sub/b"]


@isolated
def test_hostile_links_as_mount_targets_stay_inside(name: str, who: str, layers: Layers, scratch: str) -> None:
    hostile = f"{scratch}/hostile"
    os.makedirs(f"{hostile}/etc")
    os.makedirs(f"{scratch}/victim")
    up = "../" * 20
    os.symlink(f"{up}{scratch}/victim/resolv.conf", f"{hostile}/etc/resolv.conf")
    os.symlink(f"{scratch}/victim", f"{hostile}/run")
    os.symlink("/etc", f"{hostile}/proc")
    os.symlink(f"{up}{scratch}/victim", f"{hostile}/dev")
    os.symlink("loop", f"{hostile}/loop")
    mounts = (SecretMount("/run/secrets/s", b"secret"),)
    with choose(name) as sandbox:
        ran = run(
            sandbox, (hostile, *layers), "cat /run/secrets/s; ls -d /proc/self/exe /dev/null", scratch, mounts=mounts
        )
        assert ran.code == 0 and ran.out.startswith("secret"), ran
        with pytest.raises(KezuriError, match="/loop/x"):
            run(sandbox, (hostile, *layers), "true", mounts=(TmpfsMount("/loop/x"),))
        with pytest.raises(KezuriError, match="proc"):
            run(sandbox, layers, "true", mounts=(TmpfsMount("/proc/sys"),))
    assert found(f"{scratch}/victim") == []
    assert found(f"{scratch}/upper") == []


@isolated
def test_secrets_have_their_owner_and_mode(name: str, who: str, layers: Layers) -> None:
    owner = 0 if who == "single" else 1000
    secret = SecretMount("/run/secrets/s", b"secret", 0o440, owner, owner)
    with choose(name) as sandbox:
        ran = run(
            sandbox,
            layers,
            "stat -c '%a %u %g' /run/secrets/s; echo x > /run/secrets/s; cat /proc/mounts",
            mounts=(secret,),
        )
    assert ran.out.startswith(f"440 {owner} {owner}\n") and "ead-only" in ran.err, ran
    line = next(x for x in ran.out.splitlines() if " /run/secrets/s " in x)
    assert "tmpfs" in line
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(line.split()[3].split(","))


@isolated
def test_privileges_are_those_of_the_field(name: str, who: str, layers: Layers) -> None:
    mknod, net_raw = 1 << 27, 1 << 13
    with choose(name) as sandbox:
        ran = run(sandbox, layers, "grep CapBnd /proc/self/status", network="none")
        assert int(ran.out.split()[1], 16) | mknod == 0xA80425FB, ran
        ran = run(
            sandbox,
            layers,
            "cat /proc/self/status; echo 1 > /proc/sys/kernel/panic; mount -t tmpfs x /mnt; unshare -m true",
        )
        status = dict(line.split(":", 1) for line in ran.out.splitlines() if ":" in line)
        bounds = int(status["CapBnd"], 16)
        assert bounds | mknod == 0xA80425FB & ~(net_raw if namespaces.owns_network() else 0), ran
        if name == "kezuri":
            assert bounds & mknod
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == bounds and int(status["CapInh"], 16) == 0, ran
        assert status["NoNewPrivs"].strip() == "0" and status["Seccomp"].strip() == "2", ran
        assert "ead-only" in ran.err and ran.err.count("ermi") + ran.err.count("not permitted") >= 2, ran
        if who != "single":
            ran = run(sandbox, layers, "id -u; id -g; id -G; cat /proc/self/status", uid=1000, gid=1001, groups=(5, 6))
            status = dict(line.split(":", 1) for line in ran.out.splitlines() if ":" in line)
            assert ran.out.startswith("1000\n1001\n1001 5 6\n"), ran
            assert int(status["CapEff"], 16) == 0, ran


@isolated
def test_a_program_that_names_raw_sockets_starts_without_them(
    name: str, who: str, layers: Layers, scratch: str
) -> None:
    """As `ping` does, which carries cap_net_raw in many images. It counts for nothing on a network that belongs to a
    user namespace above the step's. On the machine's own it would, and so the program may not be executed there, unless
    nothing is given by files at all."""
    net_raw = 1 << 13
    os.makedirs(f"{scratch}/named/bin")
    shutil.copy2(f"{layers[1]}/bin/cat", f"{scratch}/named/bin/ping")
    names_it = struct.pack("<5I", 0x02000001, net_raw, 0, 0, 0)  # struct vfs_cap_data, effective
    os.setxattr(f"{scratch}/named/bin/ping", "security.capability", names_it)
    named = (f"{scratch}/named", *layers)
    users = (0,) if who == "single" else (0, 1000)
    with choose(name, no_new_privileges=True) as sandbox:
        for uid in users:
            ran = run(sandbox, named, ("/bin/ping", "/proc/self/status"), uid=uid)
            sets = {line[:6]: int(line[7:], 16) for line in ran.out.splitlines() if line.startswith("Cap")}
            assert ran.code == 0 and not (sets["CapEff"] | sets["CapPrm"] | sets["CapInh"]) & net_raw, ran
            assert not sets["CapAmb"] and (not uid or not sets["CapPrm"]), ran
    ours = namespaces.owns_network()
    with choose(name) as sandbox:
        for uid in users:
            ran = run(sandbox, named, ("/bin/ping", "/proc/self/status"), uid=uid)
            if ours:
                assert ran.code in (1, 126, 255) and not ran.out, ran
            else:
                assert ran.code == 0, ran


@isolated
def test_files_of_ours_cover_no_device(name: str, who: str, layers: Layers, scratch: str) -> None:
    """An image's /etc/hosts may be a link to anything."""
    os.makedirs(f"{scratch}/links/etc")
    layers = (f"{scratch}/links", *layers)
    with choose(name) as sandbox:
        for target in ("/dev/null", "../dev/shm/h", "/proc/mounts", "/sys/kernel/none", "hosts", "/run/made/hosts"):
            os.symlink(target, f"{scratch}/links/etc/hosts")
            ran = run(
                sandbox, layers, "cat /etc/hosts; echo x >/dev/null; cat /dev/null; ls /dev/shm", network="private"
            )
            os.unlink(f"{scratch}/links/etc/hosts")
            assert ran.out.startswith("127.0.0.1 localhost kezuri\n") and ran.out.count("\n") == 2, ran
            assert not ran.err, ran


@isolated
def test_nothing_of_sys_can_be_written(name: str, who: str, layers: Layers) -> None:
    """Not the control groups either, which an ordinary user may own."""
    with choose(name) as sandbox:
        for network in ("host", "none"):
            ran = run(sandbox, layers, "cat /proc/self/mountinfo; ls /sys/fs/cgroup", network=network)
            mounted = [line.split() for line in ran.out.splitlines() if line.count(" ") > 8]
            options = {fields[4]: fields[5] for fields in mounted if f"{fields[4]}/".startswith("/sys/")}
            assert "/sys" in options and all("ro" in o.split(",") for o in options.values()), ran


@pytest.mark.parametrize("who", ["single"], indirect=True)
@isolated
def test_an_unmapped_user_is_a_clear_error(name: str, who: str, layers: Layers) -> None:
    if name == "kezuri":
        pytest.skip("kezuri's own sandbox gives the one id the number of the user: see test_sandbox_ids.py")
    with choose(name) as sandbox, pytest.raises(KezuriError):
        run(sandbox, layers, "id", uid=1000, gid=1000)


@isolated
def test_network_none_has_loopback_alone(name: str, who: str, layers: Layers) -> None:
    with choose(name) as sandbox:
        ran = run(sandbox, layers, "tail -n +3 /proc/net/dev; cat /proc/net/if_inet6", network="none")
    assert [line.split(":")[0].strip() for line in ran.out.splitlines() if ":" in line] == ["lo"], ran
    assert "00000000000000000000000000000001" in ran.out, ran


@isolated
def test_hosts_names_and_environment(name: str, who: str, layers: Layers, scratch: str) -> None:
    with open(f"{scratch}/ca.pem", "w") as f:
        f.write("PEM")
    env = (("PATH", "/bin"), ("PIP_CERT", "mine"), ("WORD", "ü b"))
    with choose(name) as sandbox:
        ran = run(
            sandbox,
            layers,
            "hostname; cat /etc/hosts; env; cat $SSL_CERT_FILE; pwd; echo $0",
            scratch,
            env=env,
            hostname="builder",
            hosts=(("db", "10.1.2.3"),),
            ca_bundle=f"{scratch}/ca.pem",
            cwd="/not/there/yet",
        )
    assert ran.code == 0, ran
    assert ran.out.startswith("builder\n") and "10.1.2.3 db" in ran.out and "localhost builder" in ran.out, ran
    for line in ("PIP_CERT=mine", "WORD=ü b", "NODE_EXTRA_CA_CERTS=/dev/.kezuri/ca-certificates.crt"):
        assert line in ran.out.splitlines(), ran
    assert "PEM/not/there/yet" in ran.out, ran
    assert found(f"{scratch}/upper") == ["not", "not/there", "not/there/yet"]


@isolated
def test_ulimits(name: str, who: str, layers: Layers) -> None:
    with choose(name) as sandbox:
        ran = run(sandbox, layers, "ulimit -n; ulimit -Hn; ulimit -c", ulimits=(("nofile", 200, 300), ("core", 0, 0)))
        assert ran.out == "200\n300\n0\n", ran
        with pytest.raises(KezuriError, match="nofiles"):
            run(sandbox, layers, "true", ulimits=(("nofiles", 1, 1),))
        with pytest.raises(KezuriError, match="nofile"):
            run(sandbox, layers, "true", ulimits=(("nofile", 3, 2),))
        try:
            run(sandbox, layers, "true", ulimits=(("nofile", 1 << 40, 1 << 40),))
        except KezuriError as e:
            assert "nofile" in str(e)


@isolated
def test_shared_memory_and_devices(name: str, who: str, layers: Layers) -> None:
    command = (
        "grep ' /dev/shm ' /proc/mounts; echo x > /dev/null; head -c 3 /dev/zero; echo a > /dev/stdout; ls /dev/pts;"
        "mknod /tmp/sda b 8 0 && cat /tmp/sda; mknod /dev/sda b 8 0 && cat /dev/sda; true"
    )
    with choose(name) as sandbox:
        ran = run(sandbox, layers, command, shm_size=12 << 20)
    assert f"size={12 << 10}k" in ran.out and "a\n" in ran.out, ran
    # Where an empty file stands for a device, it can be read.
    refused = 1 if (name, who) == ("kezuri", "single") else 2
    assert ran.err.count("ermission denied") + ran.err.count("not permitted") == refused, ran


@isolated
def test_input_is_relayed(name: str, who: str, layers: Layers) -> None:
    read, write = os.pipe()
    data = b"0123456789abcdef" * 20000
    feeder = threading.Thread(target=_feed, args=(write, data))
    with choose(name) as sandbox:
        feeder.start()
        ran = run(sandbox, layers, "cat", stdin=read)
        feeder.join()
        assert ran.out.encode() == data
        assert run(sandbox, layers, "cat; echo end").out == "end\n"
    os.close(read)


def _feed(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data[:65536]) :]
    os.close(fd)


@isolated
def test_cancel_is_polite_then_firm(name: str, who: str, layers: Layers) -> None:
    def cancel_when(seen: list[bytes], cancel: threading.Event) -> Any:
        def output(stream: int, data: bytes) -> None:
            seen.append(data)
            if b"ready" in data:
                cancel.set()

        return output

    from kezuri.sandbox.step import Root, Step

    for command, code in (
        ("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done", 3),
        ("echo ready; sleep 1000; sleep 1000", 137),
    ):
        cancel, seen = threading.Event(), list[bytes]()
        with choose(name) as sandbox:
            began = time.monotonic()
            # A grace longer than any machine is busy.
            step = Step(Root(layers), ("/bin/sh", "-c", command), env=(("PATH", "/bin"),), grace=100.0)
            ended = sandbox.run(step, cancel_when(seen, cancel), cancel)
        assert ended.exit_code == code, (ended, seen)
        assert not ended.oom and time.monotonic() - began < 90
        assert (b"bye" in b"".join(seen)) == (code == 3)


@isolated
def test_a_failing_output_stops_the_step(name: str, who: str, layers: Layers) -> None:
    from kezuri.sandbox.step import Root, Step

    def output(stream: int, data: bytes) -> None:
        raise ZeroDivisionError

    with choose(name) as sandbox, pytest.raises(ZeroDivisionError):
        step = Step(Root(layers), ("/bin/sh", "-c", "echo x; sleep 1000"), env=(("PATH", "/bin"),))
        sandbox.run(step, output, threading.Event())


@isolated
def test_what_outlives_pid_1_is_killed(name: str, who: str, layers: Layers) -> None:
    with choose(name) as sandbox:
        ran = run(sandbox, layers, "sleep 1000 & echo started")
        assert (ran.code, ran.out) == (0, "started\n"), ran
        assert run(sandbox, layers, "kill -9 $$").ended.signal in (0, 9)


@isolated
def test_many_layers(name: str, who: str, layers: Layers, scratch: str) -> None:
    many = []
    for i in range(130):
        path = f"{scratch}/layer with, odd:name\\{i}"
        os.makedirs(f"{path}/many")
        with open(f"{path}/many/{i}", "w"):
            pass
        many.append(path)
    with choose(name) as sandbox:
        ran = run(sandbox, (*many, *layers), "set -- /many/*; echo $#; echo x > /many/new", scratch)
    assert ran.out == "130\n", ran
    assert found(f"{scratch}/upper") == ["many", "many/new"]


@isolated
def test_steps_run_side_by_side(name: str, who: str, layers: Layers) -> None:
    results: list[Ran] = []
    with choose(name) as sandbox:
        threads = [
            threading.Thread(target=lambda i=i: results.append(run(sandbox, layers, f"sleep 0.2; echo {i}")))
            for i in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(r.out for r in results) == [f"{i}\n" for i in range(6)]


@isolated
def test_agent_is_forwarded(name: str, who: str, layers: Layers, scratch: str) -> None:
    agent = f"{scratch}/agent.sock"
    owner = 0 if who == "single" else 1000
    mount = AgentMount("/run/buildkit/ssh_agent.0", agent, uid=owner, gid=owner)
    with choose(name) as sandbox, socket.socket(socket.AF_UNIX) as listener:
        with pytest.raises(KezuriError, match="agent"):
            run(sandbox, layers, "true", mounts=(mount,))
        listener.bind(agent)
        listener.listen()
        ran = run(sandbox, layers, "stat -c '%a %u %F' /run/buildkit/ssh_agent.0", mounts=(mount,))
        assert ran.out == f"600 {owner} socket\n", ran


def test_an_unknown_runtime_is_named() -> None:
    with pytest.raises(KezuriError) as caught:
        choose("runcc")
    assert "runcc" in str(caught.value) and "runc" in caught.value.diagnostics[0].hint


@isolated
def test_taken_ports_are_named(name: str, who: str, layers: Layers) -> None:
    with choose(name) as sandbox, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(KezuriError, match=str(number)):
            run(sandbox, layers, "true", network="private", ports=(Port(80, number, "127.0.0.1"),))
