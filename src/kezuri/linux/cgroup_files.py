"""Where the control groups of this process are, and what the files in them say (cgroups(7))."""

import os
from typing import NamedTuple


class Hierarchy(NamedTuple):
    """Where a controller is: its version, the directory of this process's group, and the topmost one that is seen."""

    version: int
    own: str
    top: str


def hierarchies() -> dict[str, Hierarchy]:
    """Where each controller of this machine is; those of version 2 are told by the group that this process is in."""
    mounted: list[tuple[str, str, list[str]]] = []
    with open("/proc/self/mountinfo") as f:
        for line in f:
            fields, _, rest = line.partition(" - ")
            kind, _, options = rest.split(" ", 2)
            if kind in ("cgroup", "cgroup2"):
                root, at = fields.split(" ")[3:5]
                mounted.append((root, at, options.strip().split(",") if kind == "cgroup" else [""]))
    found: dict[str, Hierarchy] = {}
    with open("/proc/self/cgroup") as f:
        for line in f:
            names, path = line.rstrip("\n").split(":", 2)[1:]
            wanted = names.split(",")
            for root, at, controllers in mounted:
                own = _below(path, root, at)
                if not set(wanted) <= set(controllers) or not os.path.isdir(own):
                    continue
                if names:
                    found.update(dict.fromkeys(wanted, Hierarchy(1, own, at)))
                else:
                    for controller in words(f"{at}/cgroup.controllers") + words(f"{own}/cgroup.controllers"):
                        found.setdefault(controller, Hierarchy(2, own, at))
                break
    return found


def memory_here() -> int:
    """The memory that this process can have, in bytes: the least of the machine's and of all limits of its group and
    of those above. 0 when it is not known."""
    least = field("/proc/meminfo", "MemTotal:") << 10
    hierarchy = hierarchies().get("memory")
    if hierarchy is not None:
        path, file = hierarchy.own, "memory.limit_in_bytes" if hierarchy.version == 1 else "memory.max"
        while path.startswith(hierarchy.top):
            limit = number(f"{path}/{file}")
            least = min(least, limit) if limit else least
            path = os.path.dirname(path)
    return least


def _below(path: str, root: str, at: str) -> str:
    """The directory of a group that /proc names by `path`, where the hierarchy's `root` is mounted at `at`."""
    if root != "/":
        path = path.removeprefix(root) if (path + "/").startswith(root + "/") else "/"
    return at + path.rstrip("/")


def words(path: str) -> list[str]:
    """The words of a file of a group; none when it is not there."""
    try:
        with open(path) as f:
            return f.read().split()
    except OSError:
        return []


def number(path: str) -> int:
    """The number that a file holds; 0 when it holds none."""
    found = words(path)
    return int(found[0]) if found and found[0].isdecimal() else 0


def field(path: str, name: str) -> int:
    """The number after a name in a file; 0 when it is not there."""
    found = words(path)
    return int(found[found.index(name) + 1]) if name in found else 0


def write(path: str, value: str) -> None:
    """Write a value into a file of a group. OSError when the kernel refuses it."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
