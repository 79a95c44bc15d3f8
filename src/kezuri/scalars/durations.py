"""Durations as Go writes them: `1h30m`, `1.5s`, `300ms`."""

import re

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "\xb5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?([^0-9.]*)")
_LIMIT = 1 << 63


def parse_duration(text: str, *, days: bool = False) -> int:
    """Nanoseconds, as Go's time.ParseDuration has them; with `days` the unit `d`, which Go lacks, is one of 24 hours.
    ValueError with Go's words for what is no duration."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total, at = 0, 0
    while at < len(rest) or not rest:
        part = _PART.match(rest, at)
        if part is None or not (part.group(1) or part.group(3)):
            raise ValueError(f'time: invalid duration "{text}"')
        whole, _, fraction, unit = part.groups()
        digits = whole.lstrip("0") or "0"
        if len(digits) > 19 or int(digits) > _LIMIT:
            raise ValueError(f'time: invalid duration "{text}"')
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        size = 24 * _UNITS["h"] if days and unit == "d" else _UNITS.get(unit)
        if size is None:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        total += int(digits) * size + _fraction(fraction or "", size)
        if total > _LIMIT:
            raise ValueError(f'time: invalid duration "{text}"')
        at = part.end()
    if text.startswith("-"):
        return -total
    if total >= _LIMIT:
        raise ValueError(f'time: invalid duration "{text}"')
    return total


def _fraction(digits: str, size: int) -> int:
    """What the digits behind the point are worth; with the rounding of floating point, as Go does it."""
    value, scale = 0, 1.0
    for digit in digits[:25]:
        if value > (_LIMIT - 1) // 10 or value * 10 + int(digit) > _LIMIT:
            break
        value = value * 10 + int(digit)
        scale *= 10
    return int(float(value) * (float(size) / scale))
