"""Sizes and ages as people read them, in the words that docker uses."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def size(count: int) -> str:
    """Bytes in units of 1000 with three digits: `7.05MB`, as `docker images` prints them."""
    return _scaled(count, 3)


def amount(count: int) -> str:
    """Bytes in units of 1000 with two decimals, as progress lines show them: `12.34MB`."""
    if count < 1000:
        return f"{count}B"
    value, unit = float(count), 0
    while value >= 999.995 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{value:.2f}{_UNITS[unit]}"


def _scaled(count: int, digits: int) -> str:
    value, unit = float(count), 0
    limit = 1000 - 0.5 * 10 ** (3 - digits)
    while value >= limit and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    text = f"{value:.{digits}g}"
    return text + _UNITS[unit]


def age(seconds: float) -> str:
    """How long, roughly: `About a minute`, `3 weeks`."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    minutes = whole // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 46:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{hours // 24 // 365} years"


def since(created: str, now: float) -> str:
    """RFC 3339 text as `3 weeks ago`; `N/A` when there is none, the text itself when it cannot be read."""
    from kezuri.oci.dates import seconds

    if not created or created.startswith("0001-01-01"):
        return "N/A"
    moment = seconds(created)
    if moment is None:
        return created
    return f"{age(max(0.0, now - moment))} ago"


def moment(created: str) -> str:
    """RFC 3339 text as docker prints a time: `2024-01-01 00:00:00 +0000 UTC`, in this machine's zone; `N/A` when there
    is none, the text itself when it cannot be read."""
    from time import localtime, strftime

    from kezuri.oci.dates import seconds

    if not created or created.startswith("0001-01-01"):
        return "N/A"
    found = seconds(created)
    return created if found is None else strftime("%Y-%m-%d %H:%M:%S %z %Z", localtime(found))


def duration(seconds: float) -> str:
    """Seconds as people say them: `0.04 s`, `43 s`, `3 min 20 s`."""
    if seconds < 0.995:
        return f"{seconds:.2g} s" if seconds >= 0.005 else "0 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def span(low: float, high: float) -> str:
    """A range of seconds: `38-52 s`, `58 s to 1 min 5 s`; one figure where the ends look alike or are short."""
    first, last = duration(low), duration(high)
    if first == last or high < 0.1:
        return last
    if high < 59.5:
        return f"{first.removesuffix(' s')}-{last}"
    return f"{first} to {last}"
