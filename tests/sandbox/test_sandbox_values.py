"""The parts of the sandbox that need no process: the wire, the plan of mounts, the files it shows, the checks."""

import os
import socket
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.diagnostics import KezuriError
from kezuri.sandbox import hostfiles, kernelfs, native, wire
from kezuri.sandbox.failure import StartFailure
from kezuri.sandbox.step import (
    AgentMount,
    FileMount,
    HostMount,
    Port,
    Root,
    SecretMount,
    Step,
    TmpfsMount,
    TreeMount,
)
from kezuri.sandbox.trees import Plan, Tree, make_stubs

text = st.text(st.characters(exclude_categories=[]), max_size=8)
mounts = st.one_of(
    st.builds(TreeMount, st.lists(text, max_size=2).map(tuple), text, text, st.booleans()),
    st.builds(HostMount, text, text, st.booleans()),
    st.builds(TmpfsMount, text, st.integers(0, 1 << 40)),
    st.builds(SecretMount, text, st.binary(max_size=9)),
    st.builds(AgentMount, text, text),
    st.builds(FileMount, text, st.binary(max_size=9)),
)
steps = st.builds(
    Step,
    st.builds(Root, st.lists(text, max_size=3).map(tuple), text, text),
    st.lists(text, max_size=3).map(tuple),
    env=st.lists(st.tuples(text, text), max_size=3).map(tuple),
    mounts=st.lists(mounts, max_size=3).map(tuple),
    ports=st.lists(st.builds(Port, st.integers(), st.integers()), max_size=2).map(tuple),
    stdin=st.integers(-1, 9),
    grace=st.floats(-1, 1e9),
    insecure=st.booleans(),
)


@settings(max_examples=100, deadline=None)
@given(steps)
def test_a_step_arrives_as_it_was_sent(step: Step) -> None:
    near, far = socket.socketpair()
    with near, far:
        sender = threading.Thread(target=wire.send, args=(near, wire.plain(step)))
        sender.start()
        got = wire.from_plain(wire.receive(far))
        sender.join()
        assert got == step
        assert [type(m) for m in got.mounts] == [type(m) for m in step.mounts]
        near.close()
        with pytest.raises(EOFError):
            wire.receive(far)


def test_stubs_hold_what_is_missing_and_replicate_what_is_there(tmp_path: os.PathLike[str]) -> None:
    view, stubs = f"{tmp_path}/view", f"{tmp_path}/stubs"
    os.makedirs(f"{view}/etc/ssl")
    os.makedirs(stubs)
    os.symlink("etc", f"{view}/conf")
    os.symlink("/nowhere/yet", f"{view}/dangling")
    os.symlink("x", f"{view}/proc")
    os.chmod(f"{view}/etc", 0o711)
    os.utime(f"{view}/etc", ns=(5, 1_234_567_890_123_456_789))
    root = Tree("/", view, stubs)
    plan = Plan(root)
    assert plan.place("/proc", True, shadow=True).path == "/proc"
    assert plan.place("/conf/hosts", False).path == "/etc/hosts"
    assert plan.place("/conf/../a/./b", True).path == "/a/b"
    assert plan.place("/dangling", True).path == "/nowhere/yet"
    assert plan.place("/etc/ssl", True).path == "/etc/ssl"
    plan.mounted(Tree("/etc/ssl", ""))
    assert plan.place("/etc/ssl/certs/x", True).path == "/etc/ssl/certs/x"
    assert make_stubs(root)
    below = sorted(os.path.relpath(os.path.join(p, n), stubs) for p, d, f in os.walk(stubs) for n in (*d, *f))
    assert below == ["a", "a/b", "etc", "etc/hosts", "nowhere", "nowhere/yet", "proc"]
    assert os.path.isfile(f"{stubs}/etc/hosts") and os.path.isdir(f"{stubs}/proc")
    copied = os.stat(f"{stubs}/etc")
    assert (copied.st_mode & 0o7777, copied.st_mtime_ns) == (0o711, 1_234_567_890_123_456_789)


def test_mounts_that_cannot_be_are_named(tmp_path: os.PathLike[str]) -> None:
    view = str(tmp_path)
    with open(f"{view}/file", "w"):
        pass
    os.mkdir(f"{view}/directory")
    os.symlink("loop", f"{view}/loop")
    plan = Plan(Tree("/", view, f"{view}/stubs"))
    for target, directory in (
        ("/", True),
        ("/file", True),
        ("/directory", False),
        ("/file/x", True),
        ("/loop/x", True),
    ):
        with pytest.raises(StartFailure, match=target):
            plan.place(target, directory)


def test_a_mask_that_cannot_be_made_fails_the_step(tmp_path: os.PathLike[str]) -> None:
    os.mkdir(f"{tmp_path}/proc")
    with open(f"{tmp_path}/proc/keys", "w"):
        pass
    with pytest.raises(StartFailure, match="cannot cover /proc/keys"):
        kernelfs._cover(str(tmp_path))  # there are no nodes, and nobody but root could mount them


def test_the_files_that_a_step_sees(tmp_path: os.PathLike[str]) -> None:
    step = Step(Root(()), ("true",), hosts=(("db", "10.0.0.1"),), hostname="box", network="private")
    made = {m.target: m.data for m in hostfiles.files(step) if isinstance(m, FileMount)}
    assert made["/etc/hosts"] == b"127.0.0.1 localhost box\n::1 localhost ip6-localhost ip6-loopback\n10.0.0.1 db\n"
    named = {m.target: m.data for m in hostfiles.files(step, "c0ffee") if isinstance(m, FileMount)}
    assert named["/etc/hosts"].startswith(b"127.0.0.1 localhost box c0ffee\n")
    assert made["/etc/hostname"] == b"box\n" and b"nameserver" not in made["/etc/resolv.conf"]
    assert "/etc/hostname" not in {m.target for m in hostfiles.files(step._replace(network="host"))}
    step = step._replace(ca_bundle=f"{tmp_path}/missing.pem", env=(("SSL_CERT_FILE", "own"),))
    with pytest.raises(StartFailure, match=r"missing\.pem"):
        hostfiles.files(step)
    env = hostfiles.environment(step)
    assert env["SSL_CERT_FILE"] == "own" and env["PIP_CERT"] == "/dev/.kezuri/ca-certificates.crt"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"argv": ("a\0b",)}, "NUL"),
        ({"env": (("a=b", "c"),)}, "a=b"),
        ({"cwd": "relative"}, "relative"),
        ({"ports": (Port(1, 2),)}, "host"),
        ({"hostname": "h" * 65}, "hhh"),
        ({"mounts": (TmpfsMount("relative"),)}, "relative"),
        ({"mounts": (AgentMount("/a", "/no/agent/here"),)}, "/no/agent/here"),
    ],
)
def test_impossible_steps_are_refused_before_anything_starts(change: dict[str, Any], named: str) -> None:
    with pytest.raises(KezuriError, match=named):
        native._check(Step(Root(()), ("true",))._replace(**change))
