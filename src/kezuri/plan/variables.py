"""ARG and ENV: who sees which value (BuildKit's Dockerfile reference, "ARG" and "Automatic platform ARGs")."""

from collections.abc import Mapping

from kezuri.oci.platform import Platform

PROXIES = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
"""Build arguments that reach every RUN, and neither history nor key, unless the Dockerfile declares them."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def platform_arguments(target: Platform, build: Platform, stage: str) -> dict[str, str]:
    """The automatic global arguments. `stage` is the target's name, `default` when it has none."""
    return {
        "BUILDPLATFORM": str(build),
        "BUILDOS": build.os,
        "BUILDOSVERSION": build.os_version,
        "BUILDARCH": build.architecture,
        "BUILDVARIANT": build.variant,
        "TARGETPLATFORM": str(target),
        "TARGETOS": target.os,
        "TARGETOSVERSION": target.os_version,
        "TARGETARCH": target.architecture,
        "TARGETVARIANT": target.variant,
        "TARGETSTAGE": stage,
    }


class Variables:
    """The variables of one stage: what expansion sees, what a RUN gets, what the image keeps.

    `build` holds the latest assignment of each name, by ENV or by ARG; `image` holds what ENV and the base gave.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self.image: dict[str, str] = dict(env)
        if "PATH" not in self.image:
            self.image["PATH"] = DEFAULT_PATH
        self.build: dict[str, str] = dict(self.image)
        self.declared: dict[str, str | None] = {}

    def copy(self) -> "Variables":
        """The variables that a stage based on this one starts with."""
        new = Variables({})
        new.image, new.build, new.declared = dict(self.image), dict(self.build), dict(self.declared)
        return new

    def set_env(self, name: str, value: str) -> None:
        """ENV: in a RUN's environment the last assignment stands last; the image's keeps the place of the first, as
        BuildKit has it."""
        self.build.pop(name, None)
        self.build[name] = value
        self.image[name] = value

    def declare(self, name: str, value: str | None) -> None:
        """ARG: with a value it is seen from here on; without one an inherited ENV stays as it is."""
        self.declared[name] = value
        if value is not None:
            self.build.pop(name, None)
            self.build[name] = value

    def image_env(self) -> tuple[str, ...]:
        """The environment as the image config keeps it."""
        return tuple(f"{k}={v}" for k, v in self.image.items())

    def history_prefix(self) -> str:
        """How history tells a RUN's arguments: `|2 A=1 B= `, or nothing."""
        if not self.declared:
            return ""
        values = [f"{name}={self.build.get(name, '')}" for name in self.declared]
        return f"|{len(values)} {' '.join(values)} "
