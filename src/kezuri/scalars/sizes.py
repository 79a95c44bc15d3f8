"""Sizes in bytes as docker's go-units writes them: `64m`, `1.5GiB`, `1024`."""

_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_LIMIT = 1 << 63


def parse_size(text: str) -> int:
    """Bytes, as go-units' RAMInBytes has them: units are of 1024 in either spelling (`kb`, `KiB`), one space may stand
    before them, a part of a byte is dropped. ValueError when the text is no size, or none that 63 bits hold."""
    low = text.lower()
    number = low.rstrip("bikmgtp")
    unit = low[len(number) :]
    if unit not in ("", "b") and (unit[0] not in _UNITS or unit[1:] not in ("", "b", "ib")):
        raise ValueError(text)
    number = number.removesuffix(" ")
    # Python reads more than Go as a number: digits of other scripts, `1_000`, blanks around it.
    if not number.isascii() or "_" in number or number[:1] in ("", " ", "+") or number[-1] not in "0123456789.":
        raise ValueError(text)
    value = float(number) * _UNITS.get(unit[:1], 1)
    if not 0 <= value < _LIMIT:
        raise ValueError(text)
    return int(value)
