"""ARG and ENV: who sees which value (BuildKit's Dockerfile reference, "ARG" and "Automatic platform ARGs")."""

from collections.abc import Iterable, Mapping

from kezuri.diagnostics import KezuriError
from kezuri.oci.platform import Platform

_NEVER_IN_ENVIRONMENT = ("BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE")
"""Arguments that speak to the builder: declared, they are in history and not in the environment of steps."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")

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


def named_target(variables: Mapping[str, str], stage: Platform) -> Platform | None:
    """The platform that the variables in force name as what is built for, None when they name none: a stage that
    knows its target builds for it. What they leave open is the stage's own."""
    if "TARGETPLATFORM" in variables:
        try:
            return Platform.parse(variables["TARGETPLATFORM"])
        except KezuriError:
            pass
    said = [variables.get(name) for name in ("TARGETOS", "TARGETARCH", "TARGETVARIANT")]
    if all(value is None for value in said):
        return None
    return Platform.normal(said[0] or stage.os, said[1] or stage.architecture, said[2] or "")


def proxy_variables(arguments: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What build arguments say of proxies reaches every RUN, in upper and in lower case, whatever the case in which it
    was given; neither history nor keys know of it. Of several the last in the order of names counts."""
    said: dict[str, str] = {}
    for name in sorted(arguments):
        if name.upper() in _PROXIES:
            said[name.upper()] = arguments[name]
    return tuple((name, said[upper]) for upper in _PROXIES if said.get(upper) for name in (upper, upper.lower()))


class Variables:
    """The variables of one stage: what expansion sees, what a RUN gets, what the image keeps.

    `env` is the base image's, entries as they stand in its config. `build` holds the latest assignment of each name,
    by ENV or by ARG; `image` holds what ENV and the base gave.
    """

    def __init__(self, env: Iterable[str]) -> None:
        self.image: list[str] = list(env)
        if "PATH" not in (entry.partition("=")[0] for entry in self.image):
            self.image.append(f"PATH={DEFAULT_PATH}")
        self.build: dict[str, str] = {}
        self.declared: dict[str, str | None] = {}
        self._places: dict[str, int] = {}
        self._seen_from_image()

    def _seen_from_image(self) -> None:
        # At FROM what the image keeps comes again, also before an ARG of the same name in the stage below.
        for place, entry in enumerate(self.image):
            name, _, value = entry.partition("=")
            self._places.setdefault(name, place)
            self.build.pop(name, None)
            self.build[name] = value

    def copy(self) -> "Variables":
        """The variables that a stage based on this one starts with."""
        new = Variables(())
        new._places.clear()
        new.image, new.build, new.declared = list(self.image), dict(self.build), dict(self.declared)
        new._seen_from_image()
        return new

    def set_env(self, name: str, value: str) -> None:
        """ENV: in a RUN's environment the last assignment stands last; the image's keeps the place of the first, as
        BuildKit has it."""
        self.build.pop(name, None)
        self.build[name] = value
        place = self._places.setdefault(name, len(self.image))
        self.image[place : place + 1] = [f"{name}={value}"]

    def declare(self, name: str, value: str | None) -> None:
        """ARG: with a value it is seen from here on; without one an inherited ENV stays as it is."""
        self.declared[name] = value
        if value is not None and name not in _NEVER_IN_ENVIRONMENT:
            self.build.pop(name, None)
            self.build[name] = value

    def arguments(self) -> tuple[str, ...]:
        """The names of the ARGs that a RUN sees; what an ENV above has given a value is not one."""
        return tuple(name for name in self.declared if name not in self._places and name not in _NEVER_IN_ENVIRONMENT)

    def image_env(self) -> tuple[str, ...]:
        """The environment as the image config keeps it."""
        return tuple(self.image)

    def history_prefix(self) -> str:
        """How history tells a RUN's arguments: `|2 A=1 B= `, or nothing."""
        if not self.declared:
            return ""
        values = [f"{name}={self.build.get(name, value or '')}" for name, value in self.declared.items()]
        return f"|{len(values)} {' '.join(values)} "
