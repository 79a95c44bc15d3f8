"""The networks of containers: ports, name servers, and what is said of them."""

import os
import re
import signal
import socket
import threading
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS
from tests.containers.containers_place import Place

from kezuri.containers.network import Network, choose, published, resolver, told
from kezuri.containers.request import RunRequest
from kezuri.linux import userns
from kezuri.sandbox import uplink
from kezuri.sandbox.step import Port, Uplink

ALONE = pytest.mark.skipif(uplink.find() is not None, reason="pasta or slirp4netns is installed")
REACHES = pytest.mark.skipif(uplink.find() is None, reason="neither pasta nor slirp4netns is installed")
PASTA = Uplink("pasta", "/usr/bin/pasta")


@pytest.mark.parametrize("found", [None, PASTA])
def test_which_network(monkeypatch: pytest.MonkeyPatch, found: Uplink | None) -> None:
    monkeypatch.setattr(uplink, "find", lambda: found)
    port = (Port(80, 0),)
    kinds = {
        (network, bool(ports)): choose(RunRequest("a", network=network), ports)
        for network in ("", "bridge", "none", "host")
        for ports in ((), port)
        if not (ports and network in ("none", "host"))
    }
    own = Network("private", PASTA)
    if found:
        assert {kinds[key] for key in kinds if key[0] in ("", "bridge")} == {own}
    else:
        assert kinds["", False] == Network("host")
        assert "shares this machine's network" in kinds["bridge", False].notice
        assert kinds["", True].kind == "private" and "cannot reach out" in kinds["", True].notice
    assert (kinds["none", False], kinds["host", False]) == (Network("none"), Network("host"))


def test_name_servers() -> None:
    machine = "# x\nnameserver 127.0.0.53\nnameserver 10.0.0.1\nsearch a b\noptions ndots:2\n"
    own = Network("private", PASTA)
    assert resolver(RunRequest("a"), Network("host"), machine) == ("", Network("host"))
    assert resolver(RunRequest("a"), own, machine) == ("nameserver 10.0.0.1\nsearch a b\noptions ndots:2\n", own)
    text, network = resolver(RunRequest("a"), own, "nameserver ::1\n")
    assert text == f"nameserver {uplink.RESOLVER['pasta']}\n"
    assert network.uplink is not None and network.uplink.answers
    asked = RunRequest("a", dns=("1.1.1.1",), dns_search=(".",), dns_options=("use-vc",))
    assert resolver(asked, Network("host"), machine)[0] == "nameserver 1.1.1.1\noptions use-vc\n"
    assert resolver(asked, Network("none"), machine)[0] == ""


def test_all_exposed_ports_are_published() -> None:
    request = RunRequest("a", ports=(Port(80, 8080),), publish_all=True, exposed=("81/udp",))
    assert published(request, ("80/tcp", "82", "83/sctp")) == (Port(80, 8080), Port(82, 0), Port(81, 0, "", "udp"))
    assert published(request._replace(publish_all=False), ("80/tcp",)) == (Port(80, 8080),)


def test_chosen_ports_are_told() -> None:
    bound = (Port(80, 4000, "0.0.0.0"), Port(80, 4000, "::"), Port(81, 81, "127.0.0.1"))
    assert told((Port(80, 0), Port(81, 81, "127.0.0.1")), bound) == (
        "port 80/tcp of the container is 0.0.0.0:4000 and [::]:4000 here",
    )


def _is_childless(pid: int) -> bool:
    return not Path(f"/proc/{pid}/task/{pid}/children").read_text()


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()


def _outside(pid: int) -> bool:
    """Whether the process is on the machine's own network."""
    return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")


def _get(address: str, port: int) -> bytes:
    with socket.create_connection((address, port), 10) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = b""
        while piece := connection.recv(4096):
            said += piece
    return said


@pytest.mark.usefixtures("place")
class TestContainers:
    """With real ones."""

    pytestmark = RUNS_STEPS

    def test_a_free_port_is_told_and_answers_on_both_families(self, place: Place) -> None:
        command = "echo hello > /index.html; echo up; exec httpd -f -p 80 -h /"
        with place.running("-p", "80", "plain", "sh", "-c", command) as container:
            said = container.wait_for("up\n")
            found = re.search(r"port 80/tcp of the container is 0\.0\.0\.0:(\d+)", said)
            assert found
            for address in ("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",):
                answer = b""
                for _ in range(100):  # it listens a moment after it has spoken
                    try:
                        answer = _get(address, int(found[1]))
                    except OSError:
                        threading.Event().wait(0.1)
                    if answer:
                        break
                assert answer.endswith(b"hello\n")

    def test_a_port_that_is_taken_is_named(self, place: Place) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            said = place.run("-p", f"{number}:80", "plain", "true")
        assert said.returncode == 125 and f"cannot publish port 0.0.0.0:{number}/tcp" in said.stderr

    @ALONE
    def test_without_a_program_for_it_the_network_is_told(self, place: Place) -> None:
        said = place.run("--network", "bridge", "plain", "true")
        assert said.returncode == 0 and "shares this machine's network" in said.stderr
        said = place.run("-p", "127.0.0.1:0:80", "plain", "true")
        assert said.returncode == 0 and "cannot reach out: install pasta" in said.stderr

    @REACHES
    def test_a_network_of_its_own_reaches_out_and_not_the_loopback_here(self, place: Place) -> None:
        with socket.create_server(("127.0.0.1", 0)) as here:
            number = here.getsockname()[1]
            said = place.run("plain", "sh", "-c", f"ip route | grep -c default; nc -w 2 127.0.0.1 {number} || echo no")
        assert (said.stdout, said.returncode) == ("1\nno\n", 0)

    @pytest.mark.skipif(not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="/dev/net/tun is not to be had")
    @pytest.mark.parametrize("program", ["pasta", "slirp4netns"])
    def test_a_program_that_fails_leaves_the_loopback_and_is_told(
        self, place: Place, tmp_path: Path, program: str
    ) -> None:
        os.chmod(tmp_path, 0o755)
        if program != "pasta" and userns.find_program("pasta"):
            pytest.skip("pasta is installed, and the first choice")
        path = tmp_path / program
        path.write_text("#!/bin/sh\necho a line >&2\necho it rains >&2\nexit 1\n")
        path.chmod(0o755)
        environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        said = place.run("plain", "sh", "-c", "ip route; echo up", environ=environ)
        assert (said.returncode, said.stdout) == (0, "up\n")
        assert f"{program} gives the container no network: it rains" in said.stderr

    def test_the_end_of_who_carries_the_ports_is_told_and_clients_are_refused(self, place: Place) -> None:
        command = "echo hello > /index.html; echo up; exec httpd -f -p 80 -h /"
        with place.running("-p", "127.0.0.1:0:80", "plain", "sh", "-c", command) as container:
            found = re.search(r"is 127\.0\.0\.1:(\d+) here", container.wait_for("up\n"))
            assert found
            # The supervisor has made it before the container's own process.
            *_, carrier, _ = [pid for pid in container.processes() if _is_childless(pid)]
            os.kill(carrier, signal.SIGKILL)
            said = container.wait_for("cannot be reached any more")
            assert "the process that carries connections was killed (SIGKILL): the container goes on" in said
            with pytest.raises(ConnectionRefusedError):
                _get("127.0.0.1", int(found[1]))
            container.signal(signal.SIGTERM)
            assert container.end() == 143

    @pytest.mark.skipif(not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="/dev/net/tun is not to be had")
    def test_the_way_out_is_given_the_container_s_network_alone(self, place: Place, tmp_path: Path) -> None:
        """Neither sockets that listen, nor the container's streams, nor how its supervisor is given orders."""
        if userns.find_program("pasta"):
            pytest.skip("pasta is installed, and the first choice")
        os.chmod(tmp_path, 0o755)
        (tmp_path / "pasta").write_text("#!/bin/sh\necho $(readlink /proc/self/fd/*) >&2; exit 1\n")
        (tmp_path / "pasta").chmod(0o755)
        environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        said = place.run("-p", "127.0.0.1:0:80", "plain", "true", environ=environ).stderr
        _, _, held = said.partition("gives the container no network: ")
        assert "net:[" in held and "socket:" not in held and "pipe:" not in held.replace("pipe:", "", 1), said

    @pytest.mark.skipif(not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="/dev/net/tun is not to be had")
    def test_the_end_of_the_way_out_is_told(self, place: Place, tmp_path: Path) -> None:
        if userns.find_program("pasta"):
            program, environ = "pas", dict[str, str]()  # it may go on as passt.avx2
        else:
            # As pasta does: what stays in the background is ready when the first process has ended.
            os.chmod(tmp_path, 0o755)
            program, environ = "sleep", {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
            (tmp_path / "pasta").write_text("#!/bin/sh\nsleep 1000 &\n")
            (tmp_path / "pasta").chmod(0o755)
        with place.running("plain", "sh", "-c", "echo up; sleep 1000", environ=environ) as container:
            container.wait_for("up\n")
            (carrier,) = [pid for pid in container.processes() if _name(pid).startswith(program) and _outside(pid)]
            os.kill(carrier, signal.SIGKILL)
            assert "pasta was killed (SIGKILL): the container goes on without a way out" in container.wait_for(
                "way out"
            )

    def test_name_servers_reach_the_container(self, place: Place) -> None:
        said = place.run("--dns", "192.0.2.1", "--dns-search", "x.test", "plain", "cat", "/etc/resolv.conf")
        assert "nameserver 192.0.2.1\nsearch x.test\n" in said.stdout
        assert place.run("--dns", "one", "plain", "true").returncode == 2
