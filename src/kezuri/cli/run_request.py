"""`kezuri run`'s argv as a RunRequest."""

import re
import sys
from collections.abc import Mapping, Sequence

from kezuri.cli.console import Console
from kezuri.cli.limits import read_limits
from kezuri.cli.options import Parsed, UsageError
from kezuri.cli.run_mounts import Mounted, device, mount, tmpfs, volume
from kezuri.cli.run_security import capabilities, security
from kezuri.cli.values import duration, host, memory, ulimit
from kezuri.containers.health import HealthOptions
from kezuri.containers.request import NamedVolume, RunRequest
from kezuri.diagnostics import KezuriError
from kezuri.plan.signals import check_signal
from kezuri.sandbox.step import HostMount, Port, TmpfsMount

_MOST_PORTS = 1000
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,200}\Z")


def run_request(parsed: Parsed, console: Console) -> RunRequest:
    """What the command line asks for. UsageError naming the option that cannot be understood."""
    network = parsed.text("--network", "default")
    ports = tuple(port for text in parsed.all("--publish") for port in published(text))
    if (ports or parsed.flag("--publish-all")) and network == "none":
        raise UsageError.because("--publish needs a network", "leave out --network none")
    if ports and network == "host":
        raise UsageError.because(
            "ports cannot be published with --network host", "the container has this machine's ports already"
        )
    if parsed.flag("--tty") and (sys.stdin is None or not sys.stdin.isatty()):
        raise UsageError.because("--tty needs a terminal on standard input", "leave out -t")
    mounted = [
        *(volume(text) for text in parsed.all("--volume")),
        *(mount(text) for text in parsed.all("--mount")),
        *(tmpfs(text) for text in parsed.all("--tmpfs")),
        *(device(text) for text in parsed.all("--device")),
    ]
    _once(mounted)
    name = parsed.text("--name")
    if name and _NAME.match(name) is None:
        raise UsageError.because(
            f"--name {name!r} is no name of a container",
            "two letters or digits or more, after the first _ . - as well",
        )
    secured = security(parsed)
    return RunRequest(
        image=parsed.operands[0],
        command=parsed.operands[1:],
        entrypoint=parsed.text("--entrypoint") if parsed.given("--entrypoint") else None,
        env=environment(parsed, console.environ),
        ports=ports,
        mounts=tuple(m for m in mounted if isinstance(m, HostMount | TmpfsMount)),
        named=tuple(m for m in mounted if isinstance(m, NamedVolume)),
        volumes=tuple(m for m in mounted if isinstance(m, str)),
        user=parsed.text("--user"),
        workdir=parsed.text("--workdir"),
        hostname=parsed.text("--hostname"),
        name=name,
        group_add=parsed.all("--group-add"),
        add_capabilities=capabilities("--cap-add", parsed),
        drop_capabilities=capabilities("--cap-drop", parsed),
        unfiltered=secured.unfiltered,
        no_new_privileges=secured.no_new_privileges,
        tools=parsed.flag("--tools"),
        cidfile=parsed.text("--cidfile"),
        limits=read_limits(parsed),
        asks_for_gateway=any(text.endswith("host-gateway") for text in parsed.all("--add-host")),
        network="" if network == "default" else network,
        interactive=parsed.flag("--interactive"),
        tty=parsed.flag("--tty"),
        remove=parsed.flag("--rm", True),
        readonly=parsed.flag("--read-only"),
        pull=parsed.text("--pull", "missing"),
        init=parsed.flag("--init"),
        sig_proxy=parsed.flag("--sig-proxy", True),
        publish_all=parsed.flag("--publish-all"),
        exposed=tuple(port for text in parsed.all("--expose") for port in exposed(text)),
        dns=tuple(_address(text) for text in parsed.all("--dns")),
        dns_search=tuple(_word("--dns-search", text) for text in parsed.all("--dns-search")),
        dns_options=tuple(_word("--dns-option", text) for text in parsed.all("--dns-option")),
        health=health_options(parsed),
        stop_signal=stop_signal(parsed.text("--stop-signal")),
        grace=_seconds("--stop-timeout", parsed.text("--stop-timeout", "10")),
        platform=parsed.text("--platform"),
        hosts=tuple(host("--add-host", text) for text in parsed.all("--add-host")),
        ulimits=tuple(ulimit("--ulimit", text) for text in parsed.all("--ulimit")),
        shm_size=memory("--shm-size", parsed.text("--shm-size")) if parsed.given("--shm-size") else 0,
    )


def _once(mounted: Sequence[Mounted]) -> None:
    """UsageError when two are mounted at the same place."""
    seen: set[str] = set()
    for one in mounted:
        target = one if isinstance(one, str) else one.target
        if target in seen:
            raise UsageError.because(f"two mounts at {target}")
        seen.add(target)


def stop_signal(text: str) -> str:
    """The signal as it was written; UsageError when there is no such signal."""
    if text:
        try:
            check_signal(text)
        except KezuriError as error:
            raise UsageError.because(f"--stop-signal: {error}", error.diagnostics[0].hint) from None
    return text


def health_options(parsed: Parsed) -> HealthOptions:
    """What is asked of the health check; 0 of anything is docker's default."""
    given = [name for name in parsed.values if name.startswith("--health-")]
    if parsed.flag("--no-healthcheck"):
        if given:
            raise UsageError.because(f"--no-healthcheck and {given[0]} contradict each other")
        return HealthOptions(disabled=True)
    retries = parsed.text("--health-retries", "0")
    if not retries.isdecimal() or len(retries) > 9:
        raise UsageError.because(f"--health-retries {retries!r} is no number of failures")
    return HealthOptions(
        command=parsed.text("--health-cmd"),
        interval=_nanoseconds("--health-interval", parsed),
        timeout=_nanoseconds("--health-timeout", parsed),
        start_period=_nanoseconds("--health-start-period", parsed),
        start_interval=_nanoseconds("--health-start-interval", parsed),
        retries=int(retries) if parsed.given("--health-retries") else None,
    )


def _nanoseconds(name: str, parsed: Parsed) -> int | None:
    if not parsed.given(name):
        return None
    value = round(duration(name, parsed.text(name)) * 1e9)
    if 0 < value < 1_000_000:
        raise UsageError.because(f"{name} {parsed.text(name)}: the least is 1ms")
    return value


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
    free = len(parts) < 2 or parts[0] in ("", "0")
    outside = (0,) * len(inside) if free else _ports(parts[0], text)
    if len(inside) != len(outside):
        raise UsageError.because(f"--publish {text}: {len(outside)} ports here, but {len(inside)} in the container")
    return tuple(
        Port(there, here, address, "udp" if protocol == "udp" else "tcp") for there, here in zip(inside, outside)
    )


def exposed(text: str) -> tuple[str, ...]:
    """`80`, `80-90/udp` as `80/tcp` and so on."""
    numbers, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in ("tcp", "udp"):
        raise UsageError.because(f"--expose {text}: the protocol is tcp or udp, not {protocol!r}")
    return tuple(f"{number}/{protocol}" for number in _ports(numbers, text, "--expose"))


def _address(text: str) -> str:
    from ipaddress import ip_address

    try:
        return str(ip_address(text))
    except ValueError:
        raise UsageError.because(f"--dns {text!r} is not an IP address") from None


def _word(option: str, text: str) -> str:
    if not text or any(c.isspace() for c in text):
        raise UsageError.because(f"{option} {text!r} is not one word", f"give {option} once for each")
    return text


def _ports(text: str, whole: str, option: str = "--publish") -> tuple[int, ...]:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise UsageError.because(f"{option} {whole}: {text!r} is not a port", "a number from 1 to 65535, or a range")
    low, high = int(first), int(last or first)
    if not 1 <= low <= high <= 65535:
        raise UsageError.because(f"{option} {whole}: {text!r} is not a port", "a number from 1 to 65535, or a range")
    if high - low >= _MOST_PORTS:
        raise UsageError.because(f"{option} {whole}: more than {_MOST_PORTS} ports at once")
    return tuple(range(low, high + 1))


def environment(parsed: Parsed, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
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
