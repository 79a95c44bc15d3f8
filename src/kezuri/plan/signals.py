"""STOPSIGNAL: names and numbers of signals (moby's signal package)."""

from kezuri.diagnostics import KezuriError, nearest


def _signals() -> dict[str, int]:
    import signal

    names = {name[3:]: int(value) for name, value in signal.Signals.__members__.items()}
    start, end = int(signal.SIGRTMIN), int(signal.SIGRTMAX)
    for i in range(1, 16):
        names[f"RTMIN+{i}"] = start + i
    for i in range(1, 15):
        names[f"RTMAX-{i}"] = end - i
    return names


def signal_number(text: str) -> int | None:
    """The number of a signal such as `SIGTERM`, `term` or `9`; None when there is no such signal. Any number but 0 is
    taken for one."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if digits.isascii() and digits.isdigit() and len(digits) < 30:
        number = int(text)
        return number if number and -(1 << 63) <= number < 1 << 63 else None
    return _signals().get(text.upper().removeprefix("SIG"))


def check_signal(text: str) -> None:
    """KezuriError when the text names no signal."""
    if signal_number(text) is None:
        near = nearest(text.upper().removeprefix("SIG"), _signals())
        raise KezuriError.of(f"invalid signal: {text}", hint=f"did you mean SIG{near}?" if near else "")
