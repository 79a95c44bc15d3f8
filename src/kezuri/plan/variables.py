"""ARG and ENV: who sees which value (BuildKit's Dockerfile reference, "ARG" and "Automatic platform ARGs"), and how
much text they may make."""

from collections.abc import Iterable, Mapping

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.expansion import expand, expand_heredoc, expand_words
from kezuri.dockerfile.instructions import Heredoc
from kezuri.oci.platform import Platform

_NEVER_IN_ENVIRONMENT = ("BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE")
"""Arguments that are meant for the builder. Where they are declared, history names them, and no RUN gets them."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

MOST_TEXT = 64 << 20
"""Characters of histories and environments that one plan may hold, beside the Dockerfile's own."""


class Growth:
    """Counts the text that a plan holds: a few lines that double a value must not take the whole machine. One for all
    its stages; `written` is the length of the Dockerfile."""

    def __init__(self, written: int) -> None:
        self._left = MOST_TEXT + written

    @property
    def exceeded(self) -> bool:
        """Whether the limit was passed. Whoever evaluates stops then."""
        return self._left < 0

    def add(self, characters: int) -> None:
        """Count some more; KezuriError when it is too much."""
        self._left -= characters
        if self.exceeded:
            raise KezuriError.of(
                f"the histories and environments of this Dockerfile hold more than {MOST_TEXT >> 20} MiB of text",
                hint="a variable that grows from line to line, or that is long and set before many steps?",
            )


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
    """The platform that is built for according to the variables in force (TARGETPLATFORM, or TARGETOS and the like);
    None when none of them is set. What they leave open is taken from the stage's own platform."""
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
    """The proxy variables that every RUN gets from the build arguments. An argument may be given in any case and is set
    in upper and in lower case; of several the last in the order of names counts. Neither history nor keys contain
    them."""
    said: dict[str, str] = {}
    for name in sorted(arguments):
        if name.upper() in _PROXIES:
            said[name.upper()] = arguments[name]
    return tuple((name, said[upper]) for upper in _PROXIES if said.get(upper) for name in (upper, upper.lower()))


class Variables:
    """The variables of one stage: what expansion sees, what a RUN gets, what the image keeps.

    `env` is the base image's, entries as they stand in its config. `build` holds the latest assignment of each name,
    by ENV or by ARG; `image` holds what ENV and the base gave. `unset` collects the variables that were asked for and
    had no value, each with the names of those that had one. `escape` is the file's escape character.
    """

    def __init__(self, env: Iterable[str], escape: str = "\\") -> None:
        self._escape = escape
        self.unset: list[tuple[str, tuple[str, ...]]] = []
        self.image: list[str] = list(env)
        if "PATH" not in (entry.partition("=")[0] for entry in self.image):
            self.image.append(f"PATH={DEFAULT_PATH}")
        self.build: dict[str, str] = {}
        self.declared: dict[str, str | None] = {}
        self._places: dict[str, int] = {}
        self._seen_from_image()

    def _seen_from_image(self) -> None:
        # A new stage starts with the image's variables: they win over an ARG of the same name in the stage before.
        for place, entry in enumerate(self.image):
            name, _, value = entry.partition("=")
            self._places.setdefault(name, place)
            self.build.pop(name, None)
            self.build[name] = value

    def copy(self) -> "Variables":
        """The variables that a stage based on this one starts with."""
        new = Variables((), self._escape)
        new._places.clear()
        new.image, new.build, new.declared = list(self.image), dict(self.build), dict(self.declared)
        new._seen_from_image()
        return new

    def expand(self, text: str) -> str:
        """The text with the variables in it replaced; KezuriError when it cannot be expanded."""
        return expand(text, self.build, self._escape, self._missing)

    def words(self, text: str) -> tuple[str, ...]:
        """As expand, split on blanks that were not quoted."""
        return expand_words(text, self.build, self._escape)

    def heredoc(self, heredoc: Heredoc) -> str:
        """The text of a here-document, expanded where its name was not quoted."""
        return expand_heredoc(heredoc.text, self.build, self._missing) if heredoc.expand else heredoc.text

    def input_name(self, name: str) -> str:
        """The name after `from=`. BuildKit refuses variables there; every value is known here when the plan is made,
        so kezuri takes them (docs/compatibility.md)."""
        if "$" not in name:
            return name
        expanded = self.expand(name)
        if not expanded:
            raise KezuriError.of(f"from={name} is empty after expansion", hint="declare it with ARG and give a value")
        return expanded

    def _missing(self, name: str) -> None:
        # An ARG without a value is declared: to use it is no mistake.
        if name not in self.declared:
            self.unset.append((name, tuple(self.build)))

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
