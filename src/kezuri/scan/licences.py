"""Licences of components: how much each asks of those who ship it, and a policy of what is forbidden."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Literal, NamedTuple

from kezuri.advisories.values import Severity
from kezuri.sbom.licences import CALLED, gnu
from kezuri.sbom.values import Bill
from kezuri.scan.findings import purl
from kezuri.scan.values import Finding

Demand = Literal["network", "strong", "weak", "notice", "unknown"]
"""What a licence asks: `network` for the source even of those who only use the program over a network, or more than
open source may ask; `strong` for the source of all that is linked with it; `weak` for that of its own files;
`notice` to be named, or nothing."""

SEVERITY: dict[Demand, Severity] = {
    "network": "high",
    "strong": "medium",
    "weak": "low",
    "notice": "low",
    "unknown": "unknown",
}
_DEMANDS: tuple[tuple[Demand, re.Pattern[str]], ...] = (
    ("network", re.compile(r"(AGPL|SSPL|BUSL|Elastic-|CC-BY-NC|CPAL|OSL|RPL|Commons-Clause|EUPL|CC-BY-ND)", re.I)),
    ("weak", re.compile(r"(LGPL|MPL|EPL|CDDL|CPL|APSL|IPL|MS-RL|Ruby\Z|Artistic|CC-BY-SA|ErlPL|GFDL|OFL)", re.I)),
    ("strong", re.compile(r"(GPL|QPL|Sleepycat|CECILL-2|CECILL-1|copyleft-next)", re.I)),
    (
        "notice",
        re.compile(
            r"(MIT|BSD|Apache|ISC|0BSD|Zlib|Unlicense|CC0|CC-BY-[0-9]|PSF|Python|BSL-1|X11|curl|OpenSSL|Unicode|WTFPL"
            r"|BlueOak|NCSA|PostgreSQL|HPND|Libpng|FTL|ICU|public-domain|PD|NTP|TCL|Vim|PHP|W3C|ZPL|AFL|bzip2|IJG|Info-ZIP"
            r"|SMLNJ|Beerware|UPL|expat|permissive|TU-Berlin|MS-PL|blessing|dtoa|JSON)",
            re.I,
        ),
    ),
)
_WORD = re.compile(r"[()]|[^\s(),;|]+|[,;|]")
_MOST = 4000
"""Characters of a licence text that are looked at."""
_NAMES = {
    **CALLED,
    "apache 2.0": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "the apache software license, version 2.0": "Apache-2.0",
    "bsd license": "BSD-3-Clause",
    "bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "mit license": "MIT",
    "the mit license": "MIT",
    "the mit license (mit)": "MIT",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "python software foundation license": "PSF-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "public domain": "public-domain",
}


class Row(NamedTuple):
    """A line of the report: a licence as it is written, what it asks, and the numbers of components that have it."""

    licence: str
    demand: Demand
    components: tuple[int, ...]


def report(bill: Bill) -> tuple[Row, ...]:
    """The licences of a bill, those that ask the most first; components without one are under an empty licence."""
    found: dict[str, list[int]] = {}
    for number, component in enumerate(bill.components):
        found.setdefault(component.package.licence.strip(), []).append(number)
    rows = [Row(licence, demand(licence), tuple(numbers)) for licence, numbers in found.items()]
    order = list(SEVERITY)
    return tuple(sorted(rows, key=lambda row: (order.index(row.demand), -len(row.components), row.licence)))


def findings(bill: Bill, forbidden: Sequence[str], *, all_of_them: bool) -> Iterator[Finding]:
    """What of the licences is worth saying: with `all_of_them` each that asks for more than a notice, or is not known;
    and in any case what the policy forbids, as critical. `forbidden` are identifiers or patterns of them (`GPL-*`)."""
    for row in report(bill):
        rule = next((each for each in forbidden if forbids(each, row.licence)), "")
        if not rule and (not all_of_them or row.demand == "notice"):
            continue
        for number in row.components:
            package = bill.components[number].package
            if not rule and not row.licence and package.ecosystem == "generic":
                continue  # runtimes have no record that could name one
            yield Finding(
                "licence",
                row.licence or "unknown",
                f"the licence {row.licence} is forbidden by {rule}" if rule and row.licence else _TITLES[row.demand],
                "critical" if rule else SEVERITY[row.demand],
                number,
                package.full_name,
                package.version,
                layer=bill.components[number].layer,
                path=next((path for path in bill.components[number].evidence if not path.startswith("env:")), ""),
                purl=purl(bill.components[number], bill),
                note=f"forbidden: {rule}" if rule else row.demand,
            )


_TITLES: dict[Demand, str] = {
    "network": "its licence asks for more than other licences of open source do",
    "strong": "its licence asks for the source of what is linked with it",
    "weak": "its licence asks for the source of changes to it",
    "notice": "its licence asks to be named",
    "unknown": "its licence is not known",
}


@lru_cache(4096)
def demand(licence: str) -> Demand:
    """What a licence asks, be it an SPDX expression or the words of a record: of alternatives (OR) the one that asks
    the least, of several together (AND, commas) the one that asks the most."""
    order = list(SEVERITY)
    worst = -1
    for together in _alternatives(licence):
        demands = [order.index(_of_word(word)) for word in together]
        most = min(demands, default=len(order) - 1)
        worst = max(worst, most)
    return order[worst] if worst >= 0 else "unknown"


@lru_cache(4096)
def forbids(rule: str, licence: str) -> bool:
    """Whether a rule of the policy forbids what is under this licence: whichever alternative (OR) is chosen, it has to
    obey one that the rule names. `unknown` forbids what has no licence."""
    alternatives = _alternatives(licence)
    if not alternatives:
        return rule == "unknown"
    matches = re.compile(translate(canonical(rule)), re.I).match
    plain = re.compile(translate(rule), re.I).match
    return all(any(matches(word) or plain(word) for word in together) for together in alternatives)


def canonical(word: str) -> str:
    """A licence by its SPDX identifier where it is written in one of the other usual ways: `GPLv3+`, `GPL-2`, `Expat`,
    `MIT License`."""
    word = word.strip()
    return _NAMES.get(word.lower()) or gnu(word) or word


def _of_word(word: str) -> Demand:
    return next((demand for demand, pattern in _DEMANDS if pattern.match(word)), "unknown")


@lru_cache(4096)
def _alternatives(licence: str) -> tuple[tuple[str, ...], ...]:
    """The licence taken apart: alternatives, each of licences that hold together. More than 64 are not told apart:
    then all hold together, so that nothing is called allowed that may not be."""
    text = licence[:_MOST].strip()
    if text.lower() in _NAMES:
        return ((_NAMES[text.lower()],),)
    words = _WORD.findall(text)
    if not words:
        return ()
    reader = _Reader(words)
    found = reader.either(0)
    if len(found) > _MOST_ALTERNATIVES or reader.at < len(words):
        every = [canonical(word) for word in words if word not in "(),;|" and word.upper() not in ("AND", "OR", "WITH")]
        return (tuple(dict.fromkeys(every)),) if every else ()
    return tuple(tuple(dict.fromkeys(each)) for each in found if each)


_MOST_ALTERNATIVES, _DEEPEST = 64, 50


class _Reader:
    """Reads `A OR (B AND C)`, and the looser forms of records: commas and semicolons are AND, bars are OR, several
    words beside each other one name."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self.at = 0

    def either(self, depth: int) -> list[list[str]]:
        found = self._together(depth)
        while self.at < len(self._words) and self._words[self.at].upper() in ("OR", "|"):
            self.at += 1
            found = [*found, *self._together(depth)][: _MOST_ALTERNATIVES + 1]
        return found

    def _together(self, depth: int) -> list[list[str]]:
        found = self._one(depth)
        while self.at < len(self._words) and self._words[self.at].upper() in ("AND", ",", ";"):
            self.at += 1
            right = self._one(depth)
            found = [[*a, *b] for a in found for b in right][: _MOST_ALTERNATIVES + 1]
        return found

    def _one(self, depth: int) -> list[list[str]]:
        if self.at < len(self._words) and self._words[self.at] == "(" and depth < _DEEPEST:
            self.at += 1
            found = self.either(depth + 1)
            if self.at < len(self._words) and self._words[self.at] == ")":
                self.at += 1
            return found
        name: list[str] = []
        while self.at < len(self._words) and self._words[self.at].upper() not in ("AND", "OR", "|", ",", ";", "(", ")"):
            if self._words[self.at].upper() == "WITH":
                self.at += 2  # an exception only allows more
                continue
            name.append(self._words[self.at])
            self.at += 1
        return [[canonical(" ".join(name))]] if name else [[]]
