"""Limits of steps and containers, read from the command line (`cli.options`)."""

import re

from kezuri.cli.options import LIMITS, Parsed, UsageError
from kezuri.cli.values import memory
from kezuri.diagnostics import nearest
from kezuri.linux.cgroups import Limits

_LEAST_MEMORY = 6 << 20


def read_limits(parsed: Parsed) -> Limits | None:
    """The limits that the command line sets, None when it sets none. `--resource KEY=VALUE` says them as buildx does.
    UsageError for one that cannot be."""
    said = {key: (f"--{key}", parsed.text(f"--{key}")) for key in LIMITS if parsed.given(f"--{key}")}
    for text in parsed.all("--resource"):
        key, equals, value = text.partition("=")
        if key not in LIMITS or not equals:
            guess = nearest(key, LIMITS)
            hint = f"did you mean {guess}=...?" if guess else f"one of: {', '.join(LIMITS)}"
            raise UsageError.because(f"--resource {text!r} is not of the form LIMIT=VALUE", hint)
        said[key] = (f"--resource {key}", value)
    if not said:
        return None
    if "cpus" in said and ("cpu-quota" in said or "cpu-period" in said):
        raise UsageError.because("--cpus is a quota and a period in one: give it without --cpu-quota and --cpu-period")
    limits = Limits(
        memory=_memory(said),
        memory_swap=_swap(said),
        cpu_quota=_cpus(said) or _number(said, "cpu-quota", 1000, -1),
        cpu_period=_number(said, "cpu-period", 1000),
        cpu_shares=_number(said, "cpu-shares", 2),
        cpus=_list(said, "cpuset-cpus"),
        nodes=_list(said, "cpuset-mems"),
        pids=_number(said, "pids-limit", 1, -1),
    )
    if limits.memory_swap > 0 and not limits.memory:
        raise UsageError.because("--memory-swap needs --memory", "it is the sum of memory and swap")
    if 0 < limits.memory_swap < limits.memory:
        raise UsageError.because("--memory-swap is less than --memory", "it is the sum of memory and swap")
    if limits.cpu_period > 1_000_000:
        raise UsageError.because("--cpu-period is at most 1000000 (a second)")
    return limits if limits.controllers() else None


_Said = dict[str, tuple[str, str]]


def _memory(said: _Said) -> int:
    if "memory" not in said:
        return 0
    name, text = said["memory"]
    size = memory(name, text)
    if 0 < size < _LEAST_MEMORY:
        raise UsageError.because(f"{name} {text}: less than 6m is not enough for any program")
    return size


def _swap(said: _Said) -> int:
    if "memory-swap" not in said:
        return 0
    name, text = said["memory-swap"]
    return -1 if text == "-1" else memory(name, text)


def _cpus(said: _Said) -> int:
    """A quota in each 100 milliseconds."""
    if "cpus" not in said:
        return 0
    name, text = said["cpus"]
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{0,9})?|\.[0-9]{1,9}", text):
        raise UsageError.because(f"{name}: not a number of processors: {text!r}", "write for instance 1.5")
    quota = round(float(text) * 100_000)
    if 0 < quota < 1000:
        raise UsageError.because(f"{name} {text}: the least is 0.01")
    return quota


def _number(said: _Said, key: str, least: int, none: int = 0) -> int:
    """The number of an option, 0 for `none` and 0, which mean no limit."""
    if key not in said:
        return 0
    name, text = said[key]
    if not re.fullmatch(r"-?[0-9]{1,12}", text):
        raise UsageError.because(f"{name}: not a number: {text!r}")
    number = int(text)
    if number in (0, none):
        return 0
    if number < least:
        raise UsageError.because(f"{name} {text}: the least is {least}")
    return number


def _list(said: _Said, key: str) -> str:
    if key not in said:
        return ""
    name, text = said[key]
    pieces = re.fullmatch(r"[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*", text)
    ranges = [piece.split("-") for piece in text.split(",")]
    if not pieces or any(int(ends[0]) > int(ends[-1]) for ends in ranges):
        raise UsageError.because(f"{name}: not a list: {text!r}", "write for instance 0-3,6")
    return text
