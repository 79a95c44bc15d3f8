"""Platforms: an operating system, an architecture and sometimes a variant."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.oci.fields import Fields

_ARCH = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
}


_TYPED = {"x86": "amd64", "x64": "amd64"}
"""What people type for an architecture that no image has under this name."""
_SYSTEMS = (
    *("aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "macos", "nacl"),
    *("netbsd", "openbsd", "plan9", "solaris", "windows", "zos"),
)
_ARCHITECTURES = (
    *("386", "amd64", "amd64p32", "arm", "arm64", "arm64be", "armbe", "loong64", "mips", "mips64", "mips64le"),
    *("mips64p32", "mips64p32le", "mipsle", "ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390", "s390x", "sparc"),
    *("sparc64", "wasm"),
)
"""The systems and architectures that a single word can name, as in containerd's platforms package. A name with a slash
may have others."""


class Platform(NamedTuple):
    """A platform in normal form: `amd64` never carries `v1`, `arm64` never `v8`, `arm` always a variant."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def normal(cls, system: str, architecture: str, variant: str = "", os_version: str = "") -> "Platform":
        """The platform with the field's synonyms folded (containerd's platforms package)."""
        system, architecture, variant = system.lower() or "linux", architecture.lower(), variant.lower()
        if system == "macos":
            system = "darwin"
        architecture, implied = _ARCH.get(architecture, (architecture, ""))
        variant = implied or variant
        if (architecture == "arm64" and variant in ("v8", "8")) or (architecture == "amd64" and variant == "v1"):
            variant = ""
        elif architecture == "arm":
            variant = {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"}.get(variant, variant)
        return cls(system, architecture, variant, os_version)

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """From `linux/arm64/v8`, `arm64` or `linux`; KezuriError when it is none of these."""
        if text == "local":
            return cls.host()
        parts = text.split("/")
        if not text or len(parts) > 3 or not all(p and all(c.isalnum() or c in "_-." for c in p) for p in parts):
            raise KezuriError.of(
                f"not a platform: {text!r}", hint="write os/architecture, for instance linux/amd64", exit_code=2
            )
        if len(parts) == 1:
            if parts[0].lower() in _SYSTEMS:
                host = cls.host()
                return cls.normal(parts[0], host.architecture, host.variant)
            one = cls.normal("linux", parts[0])
            if one.architecture not in _ARCHITECTURES:
                raise KezuriError.of(
                    f"not a platform: {text!r}: unknown operating system or architecture",
                    hint="write os/architecture, for instance linux/amd64",
                    exit_code=2,
                )
            return one
        return cls.normal(*parts)

    def unknown(self) -> tuple[str, str]:
        """What of the platform nobody has heard of, as "operating system" or "architecture", and the word; two empty
        texts for one that is known."""
        if self.os not in _SYSTEMS:
            return "operating system", self.os
        if self.architecture not in _ARCHITECTURES:
            return "architecture", self.architecture
        return "", ""

    def nearest(self) -> str:
        """The known platform that looks most like this one; empty when none does."""
        system = self.os if self.os in _SYSTEMS else nearest(self.os, _SYSTEMS)
        architecture = self.architecture
        if architecture not in _ARCHITECTURES:
            # Among those that images are made for first.
            common = (*_ARCH, *_TYPED, "amd64", "arm64")
            architecture = nearest(architecture, common) or nearest(architecture, _ARCHITECTURES) or ""
            architecture = _TYPED.get(architecture, architecture)
        return str(Platform.normal(system, architecture, self.variant)) if system and architecture else ""

    @classmethod
    def parse_json(cls, fields: Fields) -> "Platform":
        """From the `platform` object of a descriptor or the fields of an image config."""
        return cls.normal(
            fields.text("os"), fields.text("architecture"), fields.text("variant"), fields.text("os.version")
        )

    @classmethod
    def host(cls) -> "Platform":
        """The platform of this machine."""
        return cls.normal("linux", os.uname().machine)

    def to_json(self) -> dict[str, str]:
        """As the `platform` object of a descriptor."""
        out = {"architecture": self.architecture, "os": self.os}
        if self.os_version:
            out["os.version"] = self.os_version
        if self.variant:
            out["variant"] = self.variant
        return out

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}" + (f"/{self.variant}" if self.variant else "")

    def accepted(self) -> Iterator["Platform"]:
        """The platforms whose images run on this one, best first (containerd's platform vector)."""
        yield self
        if self.architecture == "amd64" and self.variant.startswith("v") and self.variant[1:].isdigit():
            for v in range(int(self.variant[1:]) - 1, 1, -1):
                yield self._replace(variant=f"v{v}")
            yield self._replace(variant="")
        elif self.architecture == "arm" and self.variant[1:].isdigit():
            for v in range(int(self.variant[1:]) - 1, 4, -1):
                yield self._replace(variant=f"v{v}")
        elif self.architecture == "arm64":
            if self.variant:
                yield self._replace(variant="")
            for v in (8, 7, 6, 5):
                yield self._replace(architecture="arm", variant=f"v{v}")
