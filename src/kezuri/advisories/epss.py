"""FIRST's EPSS: the chance that each CVE is exploited within the next 30 days, as CSV (mostly compressed)."""

import re
from collections.abc import Iterator
from io import TextIOWrapper

from kezuri.advisories.fields import moment
from kezuri.advisories.pieces import plain
from kezuri.advisories.reading import Reading
from kezuri.advisories.values import Signal
from kezuri.diagnostics import KezuriError

_MOST_LINE = 1000
_DATE = re.compile(r"score_date:([0-9TZ:.+-]+)")
_CVE = re.compile(r"CVE-\d{4}-\d{4,19}$")


class EpssReading(Reading):
    """The scores of one day."""

    format = "epss"

    def __iter__(self) -> Iterator[Signal]:
        with plain(self.address) as stream:
            text = TextIOWrapper(stream, "ascii", "replace", "\n")
            try:
                yield from self._signals(text)
            finally:
                text.detach()

    def _signals(self, text: TextIOWrapper) -> Iterator[Signal]:
        line = text.readline(_MOST_LINE)
        if line.startswith("#"):
            found = _DATE.search(line)
            self.date = moment(re.sub(r"\+00:?00$", "Z", found[1])) if found else ""
            line = text.readline(_MOST_LINE)
        columns = line.strip().split(",")
        if "cve" not in columns or "epss" not in columns:
            raise KezuriError.of(f"{self.address} has no columns `cve` and `epss`")
        fault, chance = columns.index("cve"), columns.index("epss")
        number = 1
        while line := text.readline(_MOST_LINE):
            number += 1
            if not line.endswith("\n"):
                self.losses.add(f"line {number}", "it is cut short, or no line of scores")
                continue
            cells = line.strip().split(",")
            if len(cells) != len(columns) or not _CVE.match(cells[fault]):
                self.losses.add(f"line {number}", "it has no score of a CVE")
                continue
            try:
                score = float(cells[chance])
            except ValueError:
                score = -1.0
            if not 0.0 <= score <= 1.0:
                self.losses.add(cells[fault], f"{cells[chance][:40]!r} is no chance")
                continue
            yield Signal(cells[fault], chance=score)
