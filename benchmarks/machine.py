"""What every measurement says and needs: the machine, the kezuri that is measured, an end in peace."""

import os
import platform
import sys
from types import FrameType


def command(path: str | None) -> list[str]:
    """The kezuri to measure: the one at `path`, else the one of this Python."""
    if path is not None:
        return [os.path.abspath(path)]
    beside = os.path.join(os.path.dirname(sys.executable), "kezuri")
    return [beside] if os.access(beside, os.X_OK) else [sys.executable, "-m", "kezuri"]


def machine() -> str:
    """This machine in one line."""
    model = ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) // 1_000_000
    load = os.getloadavg()[0]
    return (
        f"Machine: {os.cpu_count()} x {model or platform.machine()}, {memory} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load {load:.1f} before the start."
    )


def say(text: str) -> None:
    """What is happening, for whoever waits."""
    print(text, file=sys.stderr)


def ended(number: int, frame: FrameType | None) -> None:
    """A signal ends the program as an error does: everything that is held is let go of."""
    raise SystemExit(128 + number)
