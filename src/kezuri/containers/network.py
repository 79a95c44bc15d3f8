"""The network of a container: which one it gets, its name servers, its published ports."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Literal, NamedTuple

from kezuri.containers.request import RunRequest
from kezuri.diagnostics import KezuriError
from kezuri.sandbox import uplink
from kezuri.sandbox.step import Port, Uplink

_MISSING = "install pasta (package passt) or slirp4netns"


class Network(NamedTuple):
    """What a container has of networks; `notice` is what its user has to know of it."""

    kind: Literal["host", "none", "private"]
    uplink: Uplink | None = None
    notice: str = ""


def choose(request: RunRequest, ports: tuple[Port, ...]) -> Network:
    """The network that the request asks for, as far as this machine can give it.

    As with docker, a container has one of its own that reaches out, where a program for that is installed. Where none
    is, it has this machine's, or, when ports are to be published, one of its own that reaches nothing.
    """
    if request.network == "none":
        return Network("none")
    if request.network == "host":
        if ports:
            raise KezuriError.of(
                "ports cannot be published with --network host",
                hint="the container has this machine's ports already",
                exit_code=2,
            )
        return Network("host")
    found = uplink.find()
    if found is not None:
        return Network("private", found)
    if ports:
        return Network("private", None, f"the container has published ports and cannot reach out: {_MISSING}")
    if request.network == "bridge":
        return Network("host", None, f"the container shares this machine's network: for one of its own {_MISSING}")
    return Network("host")


def resolver(request: RunRequest, network: Network, machine: str) -> tuple[str, Network]:
    """The text of the container's resolv.conf, and the network that it needs; `machine` is the text of this machine's.
    Empty: what the sandbox has."""
    asked = request.dns or request.dns_search or request.dns_options
    if network.kind == "none" or (network.uplink is None and not asked):
        return "", network
    lines = [line.split() for line in machine.splitlines()]
    servers = request.dns or tuple(line[1] for line in lines if line[:1] == ["nameserver"] and len(line) > 1)
    if network.uplink is not None and not request.dns:
        # Those on the machine's own loopback are out of reach.
        servers = tuple(name for name in servers if not _is_loopback(name))
        if not servers:
            servers = (uplink.RESOLVER[network.uplink.program],)
            network = network._replace(uplink=network.uplink._replace(answers=True))
    search = request.dns_search or tuple(w for line in lines if line[:1] in (["search"], ["domain"]) for w in line[1:])
    options = request.dns_options or tuple(w for line in lines if line[:1] == ["options"] for w in line[1:])
    out = [f"nameserver {server}" for server in servers]
    out += [f"search {' '.join(search)}"] if search and search != (".",) else []
    out += [f"options {' '.join(options)}"] if options else []
    return "\n".join(out) + "\n", network


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def published(request: RunRequest, exposed: Sequence[str]) -> tuple[Port, ...]:
    """The ports to be published: those that are named, and with `--publish-all` all others that are exposed, by the
    request or (as `80/tcp`) by the image."""
    ports = list(request.ports)
    if request.publish_all:
        known = {(port.container, port.protocol) for port in ports}
        for text in (*exposed, *request.exposed):
            number, _, protocol = text.partition("/")
            if protocol in ("", "tcp", "udp") and number.isdecimal():
                port = Port(int(number), 0, "", "udp" if protocol == "udp" else "tcp")
                if (port.container, port.protocol) not in known:
                    known.add((port.container, port.protocol))
                    ports.append(port)
    return tuple(ports)


def told(asked: Sequence[Port], bound: Sequence[Port]) -> tuple[str, ...]:
    """What is to be said of the ports whose number here was left to us: one line each."""
    lines = []
    for container, protocol in dict.fromkeys((p.container, p.protocol) for p in asked if not p.host):
        places = [
            f"[{p.address}]:{p.host}" if ":" in p.address else f"{p.address}:{p.host}"
            for p in bound
            if (p.container, p.protocol) == (container, protocol)
        ]
        lines.append(f"port {container}/{protocol} of the container is {' and '.join(places)} here")
    return tuple(lines)
