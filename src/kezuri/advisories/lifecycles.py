"""When distributions and runtimes end: a table with its sources and its date, and files of the same facts read."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from kezuri.advisories.coordinates import Distribution

Standing = Literal["supported", "extended", "ended", "rolling", "unreleased"]
"""`extended`: its makers have stopped, somebody else (LTS teams, ESM) goes on for free or for money."""


class Lifecycle(NamedTuple):
    """The life of one release. `subject` is the id of the distribution or the name of the runtime (`debian`, `node`),
    `cycle` its release (`12`, `20`), `title` as people say it (`Debian 12 bookworm`). Dates are RFC 3339 days, empty
    where they are not known or not settled: `released`; `ends`, when its makers stop mending it; `extended`, when the
    last who go on stop. `rolling` is one that has no releases. `source` says who has told so."""

    subject: str
    cycle: str
    title: str
    released: str = ""
    ends: str = ""
    extended: str = ""
    rolling: bool = False
    source: str = ""
    codename: str = ""

    def standing(self, day: str) -> Standing:
        """How it stands on a day (RFC 3339). Support lasts until the end of the day that is named."""
        raise NotImplementedError(day)


class Lifecycles:
    """Lives, asked by distribution and by runtime. `date` is the day on which the table was last right."""

    def __init__(self, lives: Iterable[Lifecycle], date: str) -> None:
        raise NotImplementedError((lives, date))

    @property
    def date(self) -> str:
        raise NotImplementedError

    def of_distribution(self, distribution: Distribution) -> Lifecycle | None:
        """The life of a distribution's release; None where it is not in the table."""
        raise NotImplementedError(distribution)

    def of_runtime(self, name: str, version: str) -> Lifecycle | None:
        """The life of a runtime's release line, by the name that `packages` gives it (`node`, `python`, `go`, `java`,
        `ruby`, `php`, `dotnet`, `rust`, …) and its whole version; None where it is not in the table."""
        raise NotImplementedError((name, version))

    def all(self, subject: str) -> tuple[Lifecycle, ...]:
        """All releases of a distribution or runtime, the newest first."""
        raise NotImplementedError(subject)

    def successor(self, life: Lifecycle, day: str) -> Lifecycle | None:
        """The oldest newer release that is supported on a day and, for runtimes with long-term lines, is one of
        these."""
        raise NotImplementedError((life, day))


def lifecycles(*paths: str) -> Lifecycles:
    """The table that comes with kezuri; what the files at `paths` say (JSON of endoflife.date, CSV of distro-info-data)
    goes before it. KezuriError for a file that is neither."""
    raise NotImplementedError(paths)
