"""Every flag of `kezuri run`, and what it becomes."""

import io
import os
from pathlib import Path
from typing import Any

import pytest

from kezuri.cli.commands.run import COMMAND
from kezuri.cli.console import Console
from kezuri.cli.options import UsageError, parse
from kezuri.cli.run_request import published, run_request, volume
from kezuri.containers.request import RunRequest
from kezuri.sandbox.step import Port


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
    ("--name n --network none alpine", {"name": "n", "network": "none"}),
    ("--net bridge alpine", {}),
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
    assert volume(f"{here}/d:/data") == (f"{here}/d", "/data", False)
    assert volume("./d:/data/:ro") == (f"{here}/d", "/data", True)
    assert volume(".:/data:rw,z") == (here, "/data", False)
    monkeypatch.setenv("HOME", here)
    assert volume("~/d:/x") == (f"{here}/d", "/x", False)
    for text, message in {
        "/data": "without a host path",
        "d:/data": "named volumes are not supported",
        "./d:data": "not an absolute path",
        "./d:/data:rx": "not of the form",
        "./d:/data:ro:z": "not of the form",
        ":/data": "not of the form",
        "./nothing:/data": "there is no",
    }.items():
        with pytest.raises(UsageError, match=message):
            volume(text)


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
