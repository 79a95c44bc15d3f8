"""The life of one release of a distribution or runtime, as a value."""

from typing import Literal, NamedTuple

Standing = Literal["supported", "extended", "ended", "rolling", "unreleased"]
"""`extended`: its makers have stopped, somebody else (LTS teams, ESM) goes on for free or for money."""


class Lifecycle(NamedTuple):
    """The life of one release. `subject` is the id of the distribution or the name of the runtime (`debian`, `node`),
    `cycle` its release (`12`, `20`), `title` as people say it (`Debian 12 bookworm`). Dates are RFC 3339 days, empty
    where they are not known or not settled: `released`; `ends`, when its makers stop mending it; `extended`, when the
    last who go on stop. `rolling` is one that has no releases, `unreleased` one that is not finished. `source` says who
    has told so. `long_term` is no release that others outlive by years (odd Node.js, Java between two LTS)."""

    subject: str
    cycle: str
    title: str
    released: str = ""
    ends: str = ""
    extended: str = ""
    rolling: bool = False
    source: str = ""
    codename: str = ""
    long_term: bool = True
    unreleased: bool = False

    def standing(self, day: str) -> Standing:
        """How it stands on a day (RFC 3339; what follows the day is not looked at). Support lasts until the end of the
        day that is named."""
        today = day[:10]
        if self.rolling:
            return "rolling"
        if self.unreleased or (self.released and today < self.released):
            return "unreleased"
        if not self.ends or today <= self.ends:
            return "supported"
        return "extended" if self.extended and today <= self.extended else "ended"


def titled(title: str, cycle: str, codename: str) -> str:
    """What a release is called: the title, its number and its codename, none of them twice."""
    return " ".join(dict.fromkeys(part for part in (title, "" if cycle == "*" else cycle, codename) if part))
