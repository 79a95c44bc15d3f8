"""Debian's security tracker: what each source package is affected by in each release, also where nothing mends it.

`https://security-tracker.debian.org/tracker/data/json`, one object of source packages of some 80 MB, which is read
package by package. A release's `status` is `open`, `resolved` in a `fixed_version` (`0`: it was never affected) or
`undetermined`; `nodsa_reason` `ignored`, and the urgency `end-of-life`, say that nobody is going to mend it there.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from kezuri.advisories.coordinates import DEBIAN
from kezuri.advisories.fields import Unusable, mapping, severity, summary, word
from kezuri.advisories.notation import Parts
from kezuri.advisories.pieces import plain
from kezuri.advisories.reading import Reading
from kezuri.advisories.values import Advisory, Affected, Entry, Status
from kezuri.versions.ranges import Event

_ID = re.compile(r"(?:CVE-\d{4}-\d{4,19}|TEMP-\d{7}-[0-9A-F]{6}|[A-Z]{2,8}-\d[\w-]{0,60})$")
_SUFFIXES: Final = ("-security", "-lts", "-proposed-updates", "-updates", "-backports")
_START = Event("introduced", "0")
_PAGE: Final = "https://security-tracker.debian.org/tracker/"


class DebianReading(Reading):
    """The tracker's data. A fault of several source packages comes once for each of them."""

    format = "debian"

    def __iter__(self) -> Iterator[Entry]:
        with plain(self.address) as stream:
            for package, faults in Parts(stream, self.address).members():
                if not isinstance(faults, dict):
                    self.losses.add(package[:200], "it has no faults where they should be")
                    continue
                for fault, told in faults.items():
                    try:
                        entry = self._entry(package, fault, mapping(told))
                    except Unusable as trouble:
                        self.losses.add(f"{fault[:200]} of {package[:200]}", str(trouble))
                        continue
                    self.ecosystems.update((each.ecosystem, each.release) for each in entry.affected)
                    yield entry

    def _entry(self, package: str, fault: str, told: dict[str, Any]) -> Entry:
        if not _ID.match(fault):
            raise Unusable("it is no id of a fault")
        name, releases = word(package, "the name of a package"), mapping(told.get("releases"))
        if not releases:
            raise Unusable("no release is told of")
        affected = tuple(_affected(name, release, mapping(state)) for release, state in releases.items())
        # The urgency is that of one package in one release. It is not the fault's: a copy that nobody builds is
        # unimportant, and the library that it was copied from is not.
        advisory = Advisory(fault, self.name, (), summary(told.get("description")), references=(f"{_PAGE}{fault}",))
        return Entry(advisory, affected)


def _affected(name: str, release: str, state: dict[str, Any]) -> Affected:
    for suffix in _SUFFIXES:
        release = release.removesuffix(suffix)
    number = DEBIAN.get(release, word(release, "the name of a release"))
    urgency, fixed = state.get("urgency"), state.get("fixed_version")
    status: Status = "affected"
    events: tuple[Event, ...] = (_START,)
    match state.get("status"):
        case "resolved" if fixed == "0":
            status, events = "not-affected", ()
        case "resolved" if isinstance(fixed, str) and fixed:
            events = (_START, Event("fixed", word(fixed, "a version")))
        case "open":
            given_up = state.get("nodsa_reason") == "ignored" or urgency == "end-of-life"
            status = "wont-fix" if given_up else "affected"
        case "undetermined" | "resolved":
            status = "undetermined"
        case other:
            raise Unusable(f"the status {str(other)[:40]!r} is not known")
    return Affected("Debian", number, name, (events,) if events else (), (), status, severity(urgency))
