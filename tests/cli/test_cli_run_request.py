"""Every flag of `kezuri run`, and what it becomes."""

import io
import os
from pathlib import Path
from typing import Any

import pytest

from kezuri.cli.commands.run import COMMAND
from kezuri.cli.console import Console
from kezuri.cli.options import UsageError, parse
from kezuri.cli.run_mounts import mount, tmpfs, volume
from kezuri.cli.run_request import published, run_request
from kezuri.containers.request import NamedVolume, RunRequest
from kezuri.sandbox.step import HostMount, Port, TmpfsMount


def request(*argv: str, **environ: str) -> RunRequest:
    console = Console(io.StringIO(), io.StringIO(), environ)
    return run_request(parse(argv, COMMAND.options, environ, passthrough=True), console)


CASES: list[tuple[str, dict[str, Any]]] = [
    ("alpine", {}),
    ("alpine sh -c ls -e --rm", {"command": ("sh", "-c", "ls", "-e", "--rm")}),
    ("--entrypoint sh alpine -x", {"entrypoint": "sh", "command": ("-x",)}),
    ("--entrypoint= alpine", {"entrypoint": ""}),
    ("-e A=1 -e B= -e HERE -e NOT_HERE alpine", {"env": (("A", "1"), ("B", ""), ("HERE", "value"))}),
    ("-p 8080:80 -p 53:53/udp alpine", {"ports": (Port(80, 8080), Port(53, 53, protocol="udp"))}),
    ("-u 1000:1000 -w /app -h box alpine", {"user": "1000:1000", "workdir": "/app", "hostname": "box"}),
    ("--name nn --network none alpine", {"name": "nn", "network": "none"}),
    ("--net bridge alpine", {"network": "bridge"}),
    ("--net default alpine", {}),
    ("-P --expose 80-81/udp --dns ::1 --dns-opt a --dns-search b alpine",
     {"publish_all": True, "exposed": ("80/udp", "81/udp"), "dns": ("::1",), "dns_options": ("a",),
      "dns_search": ("b",)}),
    ("--sig-proxy=false --stop-signal KILL --stop-timeout -1 alpine",
     {"sig_proxy": False, "stop_signal": "KILL", "grace": -1.0}),
    ("-i --rm --init alpine", {"interactive": True, "init": True}),
    ("--rm=false alpine", {"remove": False}),
    ("--read-only --pull always --platform linux/arm64 alpine",
     {"readonly": True, "pull": "always", "platform": "linux/arm64"}),
    ("--add-host a:1.2.3.4 --ulimit nofile=10 --shm-size 1m alpine",
     {"hosts": (("a", "1.2.3.4"),), "ulimits": (("nofile", 10, 10),), "shm_size": 1 << 20}),
    ("-q alpine", {}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "fields"), CASES, ids=[line for line, _ in CASES])
def test_flags_become_the_request(line: str, fields: dict[str, Any]) -> None:
    assert request(*line.split(), HERE="value") == RunRequest("alpine", **fields)


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80", [(80, 0, "", "tcp")]),
        ("8080:80", [(80, 8080, "", "tcp")]),
        ("127.0.0.1:8080:80/tcp", [(80, 8080, "127.0.0.1", "tcp")]),
        ("0.0.0.0:8080:80", [(80, 8080, "0.0.0.0", "tcp")]),
        ("0:80", [(80, 0, "", "tcp")]),
        ("127.0.0.1::80", [(80, 0, "127.0.0.1", "tcp")]),
        ("[::1]:8080:80/udp", [(80, 8080, "::1", "udp")]),
        ("8000-8001:80-81", [(80, 8000, "", "tcp"), (81, 8001, "", "tcp")]),
    ],
)
def test_ports(text: str, ports: list[tuple[int, int, str, str]]) -> None:
    assert [tuple(port) for port in published(text)] == ports


@pytest.mark.parametrize(
    "text",
    ["", "x", "0", "65536", "1:2:3:4", "1-2:3", "2-1:2-1", "80/sctp", "300.1.1.1:1:2", "[::1:80", "1-60000", "-1", "²"],
)
def test_ports_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--publish"):
        published(text)


def test_volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = os.getcwd()
    (tmp_path / "d").mkdir()
    assert volume(f"{here}/d:/data") == HostMount(f"{here}/d", "/data")
    assert volume("./d:/data/:ro") == HostMount(f"{here}/d", "/data", False)
    assert volume(".:/data:rw,z") == HostMount(here, "/data")
    assert volume("/data//x") == "/data/x"
    assert volume("data:/x") == NamedVolume("data", "/x")
    assert volume("my.data-1:/x/:ro,nocopy") == NamedVolume("my.data-1", "/x", False, False)
    monkeypatch.setenv("HOME", here)
    assert volume("~/d:/x") == HostMount(f"{here}/d", "/x")
    for text, message in {
        "data": "not an absolute path",
        "./d:/": "nothing can be mounted at / itself",
        "d:/data": "'d' is no name of a volume",
        "data:x": "not an absolute path",
        "./d:data": "not an absolute path",
        "./d:/data:rx": "not of the form",
        "./d:/data:ro:z": "not of the form",
        ":/data": "not of the form",
        "./nothing:/data": "there is no",
    }.items():
        with pytest.raises(UsageError, match=message):
            volume(text)


def test_mounts(tmp_path: Path) -> None:
    assert mount(f"type=bind,source={tmp_path},target=/a") == HostMount(str(tmp_path), "/a")
    assert mount(f"type=bind,src={tmp_path},dst=/a/,ro") == HostMount(str(tmp_path), "/a", False)
    assert mount(f'type=bind,"src={tmp_path}",destination=/a,readonly=false') == HostMount(str(tmp_path), "/a")
    assert mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=700") == TmpfsMount("/t", 1 << 20, 0o700, exact=True)
    assert mount("type=volume,target=/v") == mount("dst=/v") == "/v"
    assert mount("source=data,target=/v,readonly,volume-nocopy") == NamedVolume("data", "/v", False, False)
    for text, message in {
        "type=bind,target=/a": "needs a source",
        "type=bind,source=/nowhere/x,target=/a": "there is no /nowhere/x",
        "type=cluster,target=/a": "type=cluster is not supported",
        "type=tmpfs": "there is no target",
        "type=tmpfs,target=a": "not an absolute path",
        "type=tmpfs,target=/a,source=/b": "a tmpfs has no source",
        "type=tmpfs,target=/a,tmpfs-mode=9": "no mode",
        "source=a/b,target=/v": "no name of a volume",
        "source=data,target=/v,volume-subpath=x": "the whole volume is shown",
        "target=/v,readonly": "would stay empty",
        "type=bind,source=/,target=/a,bind-propagation=shared": "rprivate here",
        "type=bind,source=/,target=/a,tagret=/b": "'tagret' is not known here",
        "type=bind,source=/,target=/a,readonly=maybe": "true or false",
    }.items():
        with pytest.raises(UsageError, match=message):
            mount(text)


def test_tmpfs() -> None:
    assert tmpfs("/t") == TmpfsMount("/t", noexec=True)
    assert tmpfs("/t:rw,exec,nosuid,size=64k,mode=1770,uid=5,gid=6") == TmpfsMount(
        "/t", 65536, 0o1770, exact=True, uid=5, gid=6
    )
    assert tmpfs("/t:ro") == TmpfsMount("/t", noexec=True, readonly=True)
    for text in ("t", "/", "/t:suid", "/t:size=x", "/t:uid=-1", "/t:moed=1"):
        with pytest.raises(UsageError, match="--tmpfs"):
            tmpfs(text)


def test_two_mounts_at_one_place() -> None:
    with pytest.raises(UsageError, match="two mounts at /t"):
        request("--tmpfs", "/t", "-v", "/t/", "alpine")


@pytest.mark.parametrize(
    ("name", "good"), [("web-1", True), ("a_b.c", True), ("a", False), ("-a", False), ("a b", False)]
)
def test_names_of_containers(name: str, good: bool) -> None:
    if good:
        assert request(f"--name={name}", "alpine").name == name
    else:
        with pytest.raises(UsageError, match="no name of a container"):
            request(f"--name={name}", "alpine")


def test_capabilities_and_security() -> None:
    found = request("--cap-add", "net_admin,CAP_SYS_TIME", "--cap-drop=all", "--security-opt", "no-new-privileges",
                    "--security-opt=seccomp=unconfined", "--security-opt", "label:disable", "alpine")  # fmt: skip
    assert (found.add_capabilities, found.drop_capabilities) == (("NET_ADMIN", "SYS_TIME"), ("ALL",))
    assert found.no_new_privileges and found.unfiltered
    assert not request("--security-opt", "no-new-privileges:false", "alpine").no_new_privileges
    for option in ("seccomp=/a.json", "apparmor=docker-default", "label=type:x", "systempaths=unconfined", "other"):
        with pytest.raises(UsageError, match="--security-opt"):
            request("--security-opt", option, "alpine")
    with pytest.raises(UsageError, match="there is no capability 'NET_ADMINN'"):
        request("--cap-add", "NET_ADMINN", "alpine")


def test_health_options() -> None:
    found = request("--health-cmd", "x", "--health-interval", "1m30s", "--health-retries", "2", "alpine").health
    assert (found.command, found.interval, found.retries, found.timeout) == ("x", 90_000_000_000, 2, None)
    for options in (("--health-interval", "1us"), ("--health-retries", "-1"), ("--health-timeout", "soon")):
        with pytest.raises(UsageError, match="--health"):
            request(*options, "alpine")


def test_limits() -> None:
    limits = request("-m", "64m", "--cpus", "1.5", "--pids-limit", "10", "alpine").limits
    assert limits is not None and (limits.memory, limits.cpu_quota, limits.pids) == (64 << 20, 150_000, 10)


def test_variables_from_a_file_come_before_flags(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_bytes(b"\xef\xbb\xbf# comment\n\nA=1\r\n  B='x y'\nHERE\nNOT\nC=\xff\n")
    found = dict(request("--env-file", str(path), "-e", "A=2", "alpine", HERE="v").env)
    assert found == {"A": "2", "B": "'x y'", "HERE": "v", "C": "\udcff"}
    path.write_text("A=1\na b=c\n")
    with pytest.raises(UsageError, match="line 2"):
        request("--env-file", str(path), "alpine")
    with pytest.raises(UsageError, match="No such file"):
        request("--env-file", "/nowhere/env", "alpine")


@pytest.mark.parametrize("name", [o.key for o in COMMAND.options if o.refused])
def test_what_is_not_supported_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is not supported yet"):
        request(f"{name}=true", "alpine")


def test_contradictions(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--publish needs a network"):
        request("-p", "80:80", "--network", "none", "alpine")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(UsageError, match="--tty needs a terminal"):
        request("-t", "alpine")
