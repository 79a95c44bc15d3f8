"""How old data is, by a clock that may itself be wrong."""

from collections.abc import Sequence
from datetime import UTC, datetime

from kezuri.advisories.values import DataSet
from kezuri.diagnostics import Diagnostic

WEEK = 7 * 86400
"""Seconds after which data is old when nobody says otherwise."""
_DAY = 86400
_FIRST, _LAST = -62135596800, 253402300799
_NAMED = 3


def instant(seconds: float) -> str:
    """A time since the epoch as RFC 3339 has it, in UTC and without fractions; before the year 1 and after 9999 it has
    none, and the nearest stands in."""
    return datetime.fromtimestamp(int(min(max(seconds, _FIRST), _LAST)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str) -> float | None:
    """Seconds since the epoch of a time or a date of RFC 3339, which is in UTC where it does not say; None for what is
    neither."""
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def current(data: DataSet) -> str:
    """Until when data is known to be what its keeper says: when its server was asked last, else the date that it has
    itself. Empty where neither is known: when a file was brought here says nothing of that."""
    return data.checked or data.date


def remarks(sets: Sequence[DataSet], now: float, limit: int | None = None) -> tuple[Diagnostic, ...]:
    """What has to be said of the age of data: what is older than `limit` seconds (None: a week), and what is from the
    future, so that nobody knows how old it is. `now` is this machine's clock, in seconds since the epoch."""
    limit = WEEK if limit is None else limit
    old: list[tuple[float, str]] = []
    future: list[tuple[float, str]] = []
    undated: list[str] = []
    for data in sets:
        when = seconds(current(data))
        if when is None:
            undated.append(data.name)
        elif when > now + _DAY:
            future.append((when, data.name))
        elif when < now - limit:
            old.append((when, data.name))
    said = []
    if old:
        oldest = min(old)[0]
        said.append(
            Diagnostic(
                "warning",
                f"the advisories of {_names([name for _, name in sorted(old)])} are old: of {instant(oldest)[:10]}, "
                f"{int((now - oldest) // _DAY)} days ago",
                hint="`kezuri db update` fetches newer ones; what has been found since is not known here",
            )
        )
    if future:
        latest = max(future)[0]
        said.append(
            Diagnostic(
                "warning",
                f"the advisories of {_names([name for _, name in future])} are of {instant(latest)[:10]}, "
                f"and this machine's clock says {instant(now)[:10]}: how old they are is not known",
                hint="set the clock, then `kezuri db update`",
            )
        )
    if undated:
        said.append(Diagnostic("warning", f"how old the advisories of {_names(undated)} are is not known"))
    return tuple(said)


def _names(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} (+{len(names) - _NAMED})"
