"""`kezuri run`'s argv as a RunRequest."""

import os
import sys
from collections.abc import Mapping

from kezuri.cli.console import Console
from kezuri.cli.options import Parsed, UsageError
from kezuri.cli.values import host, memory, ulimit
from kezuri.containers.request import RunRequest
from kezuri.diagnostics import KezuriError
from kezuri.plan.signals import check_signal
from kezuri.sandbox.step import Port

_MOST_PORTS = 1000
_VOLUME_WORDS = ("ro", "rw", "z", "Z", "cached", "delegated", "consistent", "nocopy", "rprivate", "private")


def run_request(parsed: Parsed, console: Console) -> RunRequest:
    """What the command line asks for. UsageError naming the option that cannot be understood."""
    network = parsed.text("--network", "default")
    ports = tuple(port for text in parsed.all("--publish") for port in published(text))
    if ports and network == "none":
        raise UsageError.because("--publish needs a network", "leave out --network none")
    if parsed.flag("--tty") and (sys.stdin is None or not sys.stdin.isatty()):
        raise UsageError.because("--tty needs a terminal on standard input", "leave out -t")
    return RunRequest(
        image=parsed.operands[0],
        command=parsed.operands[1:],
        entrypoint=parsed.text("--entrypoint") if parsed.given("--entrypoint") else None,
        env=_environment(parsed, console.environ),
        ports=ports,
        volumes=tuple(volume(text) for text in parsed.all("--volume")),
        user=parsed.text("--user"),
        workdir=parsed.text("--workdir"),
        hostname=parsed.text("--hostname"),
        name=parsed.text("--name"),
        network="" if network in ("default", "bridge") else network,
        interactive=parsed.flag("--interactive"),
        tty=parsed.flag("--tty"),
        remove=parsed.flag("--rm", True),
        readonly=parsed.flag("--read-only"),
        pull=parsed.text("--pull", "missing"),
        init=parsed.flag("--init"),
        sig_proxy=parsed.flag("--sig-proxy", True),
        stop_signal=_stop_signal(parsed.text("--stop-signal")),
        grace=_seconds("--stop-timeout", parsed.text("--stop-timeout", "10")),
        platform=parsed.text("--platform"),
        hosts=tuple(host("--add-host", text) for text in parsed.all("--add-host")),
        ulimits=tuple(ulimit("--ulimit", text) for text in parsed.all("--ulimit")),
        shm_size=memory("--shm-size", parsed.text("--shm-size")) if parsed.given("--shm-size") else 0,
    )


def _stop_signal(text: str) -> str:
    if text:
        try:
            check_signal(text)
        except KezuriError as error:
            raise UsageError.because(f"--stop-signal: {error}", error.diagnostics[0].hint) from None
    return text


def _seconds(option: str, text: str) -> float:
    """Whole seconds; less than 0 is for ever."""
    try:
        return float(int(text))
    except ValueError:
        raise UsageError.because(f"{option} {text!r} is no number of seconds", "10, or -1 for ever") from None


def published(text: str) -> tuple[Port, ...]:
    """`80`, `8080:80`, `127.0.0.1:8080:80`, `[::1]:8080:80/udp`, `8000-8009:80-89`; host port 0 is any free one."""
    wrong = UsageError.because(f"--publish {text!r} is not of the form [ADDRESS:]HOST:CONTAINER[/tcp|udp]")
    rest, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in ("tcp", "udp"):
        raise UsageError.because(f"--publish {text}: the protocol is tcp or udp, not {protocol!r}")
    address = ""
    if rest.startswith("["):
        address, bracket, rest = rest[1:].partition("]:")
        if not bracket:
            raise wrong
    parts = rest.split(":")
    if len(parts) == 3:
        address, parts = parts[0], parts[1:]
    if len(parts) > 2:
        raise wrong
    if address:
        from ipaddress import ip_address

        try:
            ip_address(address)
        except ValueError:
            raise UsageError.because(f"--publish {text}: {address!r} is not an IP address") from None
    inside = _ports(parts[-1], text)
    outside = _ports(parts[0], text) if len(parts) == 2 and parts[0] else (0,) * len(inside)
    if len(inside) != len(outside):
        raise UsageError.because(f"--publish {text}: {len(outside)} ports here, but {len(inside)} in the container")
    return tuple(
        Port(there, here, address, "udp" if protocol == "udp" else "tcp") for there, here in zip(inside, outside)
    )


def _ports(text: str, whole: str) -> tuple[int, ...]:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise UsageError.because(f"--publish {whole}: {text!r} is not a port", "a number from 1 to 65535, or a range")
    low, high = int(first), int(last or first)
    if not 1 <= low <= high <= 65535:
        raise UsageError.because(f"--publish {whole}: {text!r} is not a port", "a number from 1 to 65535, or a range")
    if high - low >= _MOST_PORTS:
        raise UsageError.because(f"--publish {whole}: more than {_MOST_PORTS} ports at once")
    return tuple(range(low, high + 1))


def volume(text: str) -> tuple[str, str, bool]:
    """`HOST:CONTAINER[:ro]` as (absolute host path, container path, read-only)."""
    parts = text.split(":")
    if len(parts) < 2:
        raise UsageError.because(
            f"--volume {text}: a volume without a host path is not supported", "write HOST:CONTAINER"
        )
    source, target = parts[0], parts[1]
    words = parts[2].split(",") if len(parts) == 3 else []
    if len(parts) > 3 or not source or any(word not in _VOLUME_WORDS for word in words):
        raise UsageError.because(f"--volume {text!r} is not of the form HOST:CONTAINER[:ro]")
    if not target.startswith("/"):
        raise UsageError.because(f"--volume {text}: {target!r} is not an absolute path in the container")
    if "/" not in source and source not in (".", ".."):
        if source.startswith("~"):
            source = os.path.expanduser(source)
        else:
            raise UsageError.because(
                f"--volume {text}: named volumes are not supported", f"for a directory here write ./{source}"
            )
    elif source.startswith("~/"):
        source = os.path.expanduser(source)
    source = os.path.abspath(source)
    if not os.path.lexists(source):
        raise UsageError.because(f"--volume {text}: there is no {source}", "make it first")
    return source, os.path.normpath(target), "ro" in words


def _environment(parsed: Parsed, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Files first, then flags; the last of a name wins."""
    out: dict[str, str] = {}
    for path in parsed.all("--env-file"):
        _read(path, environ, out)
    for text in parsed.all("--env"):
        _set("--env", text, environ, out)
    return tuple(out.items())


def _set(origin: str, text: str, environ: Mapping[str, str], out: dict[str, str]) -> None:
    key, equals, value = text.partition("=")
    if not key or any(c.isspace() for c in key):
        raise UsageError.because(f"{origin}: {text!r} is not of the form KEY[=VALUE]")
    if equals:
        out[key] = value
    elif key in environ:
        out[key] = environ[key]


def _read(path: str, environ: Mapping[str, str], out: dict[str, str]) -> None:
    """A file of KEY=VALUE lines: blank lines and lines that begin with # are skipped, nothing is unquoted."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(1 << 20)
    except OSError as error:
        raise UsageError.because(f"--env-file {path}: {error.strerror}") from None
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").removeprefix("\ufeff").split("\n"), 1):
        text = line.rstrip("\r").lstrip()
        if text and not text.startswith("#"):
            _set(f"--env-file {path}, line {number}", text, environ, out)
