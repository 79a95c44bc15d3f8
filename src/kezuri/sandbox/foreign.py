"""Steps for other platforms: what this machine runs, and the emulator that a step has to be shown for it."""

from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.linux import binfmt
from kezuri.oci.platform import Platform
from kezuri.sandbox.step import HostMount

_MACHINES = {
    "amd64": "x86_64",
    "386": "i386",
    "arm64": "aarch64",
    "arm": "arm",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "loong64": "loongarch64",
    "mips64le": "mips64le",
}

_LEVELS = (
    ("v2", "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"),
    ("v3", "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"),
    ("v4", "avx512f avx512bw avx512cd avx512dq avx512vl"),
)
"""What a processor must have for each level of x86-64 (psABI), in /proc/cpuinfo's words."""


class Here(NamedTuple):
    """What a machine is: its platform, what its processor can (`flags` of /proc/cpuinfo, empty when not known), where
    the kernel's handlers are to be seen."""

    host: Platform
    flags: frozenset[str] = frozenset()
    handlers: str = binfmt.HANDLERS

    @classmethod
    def this(cls) -> "Here":
        """This machine."""
        flags: frozenset[str] = frozenset()
        try:
            with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
                for line in file:
                    if line.startswith("flags"):
                        flags = frozenset(line.partition(":")[2].split())
                        break
        except OSError:
            pass
        return cls(Platform.host(), flags)


def emulator(platform: Platform, scratch: str, here: Here | None = None) -> tuple[HostMount, ...]:
    """The mounts that programs for the platform need to start in a step: the emulator, at its own path. There are none
    where the processor runs the programs itself, or where the kernel keeps the emulator open (flag F).

    KezuriError when such programs cannot start here. In the directory `scratch` one is tried.
    """
    here = here or Here.this()
    host = here.host
    if platform.os != host.os:
        raise KezuriError.of(
            f"steps for {platform} cannot run here: this machine is {host}",
            hint="take what they make from a stage FROM --platform=$BUILDPLATFORM",
        )
    if platform.architecture == host.architecture:
        _check_level(platform, here)
        return ()
    name = _MACHINES.get(platform.architecture)
    machine = binfmt.MACHINES[name] if name is not None else None
    if machine is None or not binfmt.starts(machine, scratch):
        raise KezuriError.of(
            f"this machine ({host}) does not run programs for {platform}, and no emulator is registered for them",
            hint="compile for the other platform instead, in a stage FROM --platform=$BUILDPLATFORM that reads\n"
            "TARGETARCH; or let the kernel emulate: `apt-get install qemu-user-static` registers emulators",
        )
    handler = binfmt.handler_for(machine, here.handlers)
    if handler is None or "F" in handler.flags:
        return ()
    if not binfmt.is_static(handler.interpreter):
        raise KezuriError.of(
            f"the emulator for {platform}, {handler.interpreter}, cannot be shown to a step: it needs libraries",
            hint="install qemu-user-static, or register the emulator with the flag F (fix binary)",
        )
    return (HostMount(handler.interpreter, handler.interpreter, writable=False),)


def _check_level(platform: Platform, here: Here) -> None:
    """KezuriError when the processor lacks what programs of a higher level of x86-64 use."""
    if platform.architecture != "amd64" or not here.flags:
        return
    for level, words in _LEVELS:
        if level > platform.variant:
            return
        missing = [word for word in words.split() if word not in here.flags]
        if missing:
            raise KezuriError.of(
                f"this machine's processor does not run programs for {platform}: it lacks {', '.join(missing)}",
                hint="compile for it in a stage FROM --platform=$BUILDPLATFORM, or name a lower level",
            )
