"""Times as image documents write them (RFC 3339), and as numbers."""

from datetime import UTC, datetime


def timestamp(seconds: float) -> str:
    """RFC 3339 text in UTC, as Go prints a time: no trailing zeros of the fraction."""
    moment = datetime.fromtimestamp(seconds, UTC)
    text = moment.replace(tzinfo=None).isoformat(timespec="seconds")
    fraction = f".{moment.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"


def seconds(created: str) -> float | None:
    """RFC 3339 text as seconds since the epoch, None when it is none."""
    try:
        moment = datetime.fromisoformat(created.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
