"""The texts of option values, read: sizes, durations, key=value lists, addresses, limits."""

from kezuri.cli.options import Parsed, UsageError

_LIMITS = (
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()  # noqa: SIM905
)


def memory(name: str, text: str) -> int:
    """Bytes from `64m`, `1.5GiB` or `1024`. UsageError naming option `name`."""
    from kezuri.scalars.sizes import parse_size

    try:
        return parse_size(text)
    except ValueError:
        raise UsageError.because(
            f"{name}: not a size: {text!r}", "write for instance 64m, 1.5g or a number of bytes"
        ) from None


def duration(name: str, text: str) -> float:
    """Seconds from `24h`, `1h30m`, `10d` or `90`: Go's durations, days, and a number of seconds. UsageError naming
    option `name`, also for a duration below zero."""
    from kezuri.scalars.durations import parse_duration

    try:
        nanoseconds = parse_duration(f"{text}s" if text.isdecimal() else text, days=True)
    except ValueError:
        nanoseconds = -1
    if nanoseconds < 0:
        raise UsageError.because(f"{name}: not a duration: {text!r}", "write for instance 24h, 30m or 7d")
    return nanoseconds / 1e9


def fields(name: str, text: str) -> tuple[str, ...]:
    """The comma-separated fields of a value, with CSV quotes (`"name=a,b",dest=c`). UsageError for a stray quote."""
    if '"' not in text:
        return tuple(text.split(","))
    out: list[str] = []
    at, end = 0, len(text)
    while at <= end:
        if text[at : at + 1] == '"':
            field, at = "", at + 1
            while True:
                close = text.find('"', at)
                if close < 0:
                    raise UsageError.because(f'{name}: a quote " is not closed in {text!r}')
                field += text[at:close]
                at = close + 1
                if text[at : at + 1] != '"':
                    break
                field, at = field + '"', at + 1
            if text[at : at + 1] not in ("", ","):
                raise UsageError.because(f"{name}: text follows a closing quote in {text!r}")
            out.append(field)
        else:
            comma = text.find(",", at)
            stop = end if comma < 0 else comma
            out.append(text[at:stop])
            at = stop
        if at >= end:
            break
        at += 1
    return tuple(out)


def pairs(name: str, text: str) -> tuple[tuple[str, str], ...]:
    """The fields as (key, value), keys in lower case. UsageError for a field without `=`."""
    out = []
    for field in fields(name, text):
        key, equals, value = field.partition("=")
        if not equals:
            raise UsageError.because(f"{name}: {field!r} is not a key=value pair in {text!r}")
        out.append((key.strip().lower(), value))
    return tuple(out)


def split(values: tuple[str, ...]) -> tuple[str, ...]:
    """Every value of a repeated option whose values may be comma lists, without empty ones."""
    return tuple(part for value in values for part in (p.strip() for p in value.split(",")) if part)


def pair(name: str, text: str, form: str = "KEY=VALUE") -> tuple[str, str]:
    """One `key=value`; UsageError when there is no `=` or no key."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError.because(f"{name} {text!r} is not of the form {form}")
    return key, value


def host(name: str, text: str) -> tuple[str, str]:
    """`--add-host` as (name, address): `db:10.0.0.1`, `db=10.0.0.1`, `db=[::1]`, `db:host-gateway`.

    Steps share this machine's loopback interface, so `host-gateway` is 127.0.0.1 here.
    """
    sign = "=" if "=" in text else ":"
    label, _, address = text.partition(sign)
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if not label or not address or any(c.isspace() for c in text):
        raise UsageError.because(f"{name} {text!r} is not of the form HOST:IP")
    if address == "host-gateway":
        return label, "127.0.0.1"
    from ipaddress import ip_address

    try:
        return label, str(ip_address(address))
    except ValueError:
        raise UsageError.because(f"{name} {text!r}: {address!r} is not an IP address") from None


def ulimit(name: str, text: str) -> tuple[str, int, int]:
    """`nofile=1024[:2048]` as (name, soft, hard), -1 for unlimited. UsageError for an unknown limit."""
    limit, numbers = pair(name, text, "LIMIT=SOFT[:HARD]")
    if limit not in _LIMITS:
        from kezuri.diagnostics import nearest

        guess = nearest(limit, _LIMITS)
        hint = f"did you mean {guess}?" if guess else f"one of: {', '.join(_LIMITS)}"
        raise UsageError.because(f"{name}: unknown limit {limit!r}", hint)
    soft, _, hard = numbers.partition(":")
    try:
        low = int(soft)
        high = int(hard) if hard else low
    except ValueError:
        raise UsageError.because(f"{name} {text!r} is not of the form LIMIT=SOFT[:HARD]") from None
    if low < -1 or high < -1 or (high != -1 and (low > high or low == -1)):
        raise UsageError.because(f"{name} {text!r}: the soft limit is above the hard limit")
    return limit, low, high


_FORMS = frozenset(
    (
        *("table", "json", "sarif", "cyclonedx", "cyclonedx-json", "cyclonedx-xml", "spdx-json", "spdx-tag-value"),
        *("syft-json", "syft-table", "syft-text", "github-json", "purls", "template", "junit"),
    )
)


def output_file(parsed: Parsed) -> str:
    """The file of `--output`, empty for none. UsageError where it is what Syft and Grype take there, a form: a file of
    that name is nothing that anybody wants (`./json` makes one)."""
    file = parsed.text("--output")
    if file.partition("=")[0] in _FORMS:
        raise UsageError.because(
            f"--output takes a file, not the form {file!r}", "use --format, and --output for the file"
        )
    return file
