"""HEALTHCHECK as the image config has it, and as history tells of it."""

from collections.abc import Mapping

from kezuri.dockerfile.instructions import Healthcheck


def health_config(instruction: Healthcheck) -> dict[str, object]:
    """The config's `Healthcheck`: durations in nanoseconds, what was not said left out."""
    command = instruction.command
    check: dict[str, object]
    if command is None:
        check = {"Test": ["NONE"]}
    elif command.shell:
        check = {"Test": ["CMD-SHELL", *command.argv]}
    else:
        check = {"Test": ["CMD", *command.argv]}
    for name, value in (
        ("Interval", instruction.interval),
        ("Timeout", instruction.timeout),
        ("StartPeriod", instruction.start_period),
        ("StartInterval", instruction.start_interval),
        ("Retries", instruction.retries),
    ):
        if value:
            check[name] = value
    return check


def health_text(check: Mapping[str, object]) -> str:
    """The config as history has it: Go's `%+v` of a HealthcheckConfig, which is what BuildKit writes."""
    test = check["Test"]
    words = " ".join(str(w) for w in test) if isinstance(test, list) else ""
    durations = [
        f"{name}:{_go_duration(int(str(check.get(name, 0))))}"
        for name in ("Interval", "Timeout", "StartPeriod", "StartInterval")
    ]
    return f"{{Test:[{words}] {' '.join(durations)} Retries:{check.get('Retries', 0)}}}"


def _go_duration(nanoseconds: int) -> str:
    """A duration as Go's time.Duration prints it."""
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < 1_000_000_000:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if nanoseconds >= size:
                whole, rest = divmod(nanoseconds, size)
                fraction = f".{rest:0{len(str(size)) - 1}d}".rstrip("0").rstrip(".") if size > 1 else ""
                return f"{whole}{fraction}{unit}"
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    hours, minutes = divmod(seconds // 60, 60)
    text = f"{seconds % 60}{fraction}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
