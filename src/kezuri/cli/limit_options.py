"""The options that limit what steps and containers use, as docker names them; `cli.limits` reads them."""

from kezuri.cli.options import Option

KEYS = (
    "memory",
    "memory-swap",
    "cpus",
    "cpu-shares",
    "cpu-period",
    "cpu-quota",
    "cpuset-cpus",
    "cpuset-mems",
    "pids-limit",
)


def limit_options(of: str) -> tuple[Option, ...]:
    """The options, for a command that limits what `of` says ("a step", "the container")."""
    return (
        Option(("--memory", "-m"), "text", f"The most memory that {of} may use", "BYTES"),
        Option(("--memory-swap",), "text", "The most memory and swap together; -1: all swap (default: twice)", "BYTES"),
        Option(("--cpus",), "text", f"How many processors' time {of} may use", "N"),
        Option(("--cpu-shares", "-c"), "text", "Weight against others for processor time (usual: 1024)", "N"),
        Option(("--cpu-period",), "text", "Period of --cpu-quota (default 100000)", "MICROSECONDS"),
        Option(("--cpu-quota",), "text", "Processor time in each period", "MICROSECONDS"),
        Option(("--cpuset-cpus",), "text", "Which processors may be used, like 0-3,6", "LIST"),
        Option(("--cpuset-mems",), "text", "Which memory nodes may be used", "LIST"),
        Option(("--pids-limit",), "text", f"How many processes {of} may have; -1: no limit", "N"),
    )
