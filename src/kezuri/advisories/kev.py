"""CISA's catalogue of vulnerabilities that are known to be exploited (KEV), as JSON."""

from collections.abc import Iterator

from kezuri.advisories.fields import Unusable, mapping, moment, sequence, word
from kezuri.advisories.notation import json_value
from kezuri.advisories.pieces import plain
from kezuri.advisories.reading import Reading
from kezuri.advisories.values import Signal
from kezuri.diagnostics import KezuriError

_LARGEST = 64 << 20


class KevReading(Reading):
    """The catalogue: since when each fault is in it, and whether ransomware uses it."""

    format = "kev"

    def __iter__(self) -> Iterator[Signal]:
        with plain(self.address) as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise KezuriError.of(f"{self.address} has more than {_LARGEST} bytes, which are not read")
        document = mapping(json_value(data, self.address))
        faults = document.get("vulnerabilities")
        if not isinstance(faults, list):
            raise KezuriError.of(f"{self.address} is no catalogue of exploited vulnerabilities: it has no list of them")
        self.date = moment(document.get("dateReleased"))
        count = document.get("count")
        if isinstance(count, int) and count != len(faults):
            raise KezuriError.of(f"{self.address} is not whole: it has {len(faults)} faults and says {count}")
        for each in sequence(faults):
            fault = mapping(each)
            try:
                cve = word(fault.get("cveID"), "the CVE")
            except Unusable as trouble:
                self.losses.add(self.address, str(trouble))
                continue
            added = moment(fault.get("dateAdded"))
            if not added:
                self.losses.add(cve, "the day on which it was added is missing")
                continue
            yield Signal(cve, added, fault.get("knownRansomwareCampaignUse") == "Known")
