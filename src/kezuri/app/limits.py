"""Limits of what is run: made of control groups, or told of where these cannot be had."""

from collections.abc import Callable
from contextlib import ExitStack

from kezuri.diagnostics import KezuriError
from kezuri.linux.cgroup_files import words
from kezuri.linux.cgroups import BadLimit, Groups, Limits

_FLAGS = {
    "memory": {"--memory": "memory", "--memory-swap": "memory_swap"},
    "cpu": {"--cpus or --cpu-quota": "cpu_quota", "--cpu-period": "cpu_period", "--cpu-shares": "cpu_shares"},
    "cpuset": {"--cpuset-cpus": "cpus", "--cpuset-mems": "nodes"},
    "pids": {"--pids-limit": "pids"},
}


def groups(limits: Limits, warn: Callable[[str], None], held: ExitStack) -> Groups:
    """What makes a control group for each process that is run, entered in `held`. `warn` hears of each limit that has
    no effect here, why, and what helps. KezuriError, exit code 2, for one that the kernel refuses."""
    try:
        made = held.enter_context(Groups(limits))
    except BadLimit as error:
        controller = error.setting.partition(".")[0]
        raise KezuriError.of(
            f"{_given(controller, limits)}: the kernel does not take {error.value} for {error.setting}: {error.reason}",
            hint=f"this machine has the processors {_online()}" if error.setting == "cpuset.cpus" else "",
            exit_code=2,
        ) from None
    for reason, remedy in dict.fromkeys((lack.reason, lack.remedy) for lack in made.lacks):
        lacking = [lack.controller for lack in made.lacks if lack.reason == reason]
        flags = ", ".join(_given(controller, limits) for controller in lacking)
        warn(f"without effect here: {flags}: {reason}" + (f" ({remedy})" if remedy else ""))
    return made


def foretell(limits: Limits, warn: Callable[[str], None]) -> None:
    """Say what `groups` would say, before anything else is done."""
    with ExitStack() as held:
        groups(limits, warn, held)


def _online() -> str:
    return "".join(words("/sys/devices/system/cpu/online"))


def _given(controller: str, limits: Limits) -> str:
    return ", ".join(flag for flag, field in _FLAGS[controller].items() if getattr(limits, field))
