"""What a tag says: version, distribution with its release, whether it is a small variant, and for what it is made."""

import re
from typing import Final, Literal, NamedTuple

Libc = Literal["glibc", "musl", ""]

CODENAMES: Final = {
    "jessie": ("debian", "8"), "stretch": ("debian", "9"), "buster": ("debian", "10"), "bullseye": ("debian", "11"),
    "bookworm": ("debian", "12"), "trixie": ("debian", "13"), "forky": ("debian", "14"), "sid": ("debian", "sid"),
    "trusty": ("ubuntu", "14.04"), "xenial": ("ubuntu", "16.04"), "bionic": ("ubuntu", "18.04"),
    "focal": ("ubuntu", "20.04"), "jammy": ("ubuntu", "22.04"), "noble": ("ubuntu", "24.04"),
    "resolute": ("ubuntu", "26.04"), "al2023": ("amzn", "2023"), "al2": ("amzn", "2"),
}  # fmt: skip
"""Words of tags that name a release of a distribution."""
_UNRELEASED: Final = ("sid", "forky")
_SYSTEMS: Final = ("alpine", "debian", "ubuntu", "ubi", "ol", "oraclelinux", "amazonlinux", "fedora", "centos", "rocky")
_RELEASE = re.compile(rf"(?:v?({'|'.join(_SYSTEMS)}))(\d+(?:\.\d+)*)?\Z")
_IDS: Final = {"ubi": "rhel", "ol": "ol", "oraclelinux": "ol", "amazonlinux": "amzn"}
_VERSION = re.compile(r"v?(\d{1,9}(?:[._]\d{1,9}){0,5})((?:u\d+)?)((?:rc|RC|beta|alpha|a|b|M|pre)\d*)?\Z")
_NUMBER = re.compile(r"\d+(?:\.\d+)*\Z")
_DATE = re.compile(r"20\d{6}(?:\.\d+)?\Z")
_BUILD = re.compile(r"b\d+\Z")
_EARLY: Final = frozenset(
    ("rc", "ea", "beta", "alpha", "tip", "edge", "nightly", "dev", "preview", "canary", "testing", "unstable", "sid")
)
_WINDOWS: Final = ("windowsservercore", "nanoserver", "ltsc", "windows")
_ALIASES: Final = frozenset(("latest", "lts", "current", "stable", "mainline", "oldstable", "oldoldstable", "rolling"))
_DEFAULTS: Final = frozenset(("cli", "jdk"))
"""What a tag stands for anyway that does not say it: `php:8-cli` is `php:8`, `eclipse-temurin:21-jdk` is `:21`."""


class Tag(NamedTuple):
    """A tag taken apart. `version` is as it is written (`20.11.1`), empty for none; `number` its numbers.
    `distribution` is an id of os-release (`debian`, `alpine`), `release` its number, both empty where the tag does not
    say it; `flavours` are the other words, in order: `fpm`, `jre`; `early` tells of what is not finished."""

    text: str
    version: str = ""
    number: tuple[int, ...] = ()
    distribution: str = ""
    release: str = ""
    slim: bool = False
    flavours: tuple[str, ...] = ()
    early: bool = False
    windows: bool = False
    dated: bool = False

    @property
    def depth(self) -> int:
        """How many numbers its version has: 1 of `20`, 3 of `20.11.1`."""
        return len(self.number)

    @property
    def libc(self) -> Libc:
        """The C library, as far as the distribution is known."""
        return "" if not self.distribution else "musl" if self.distribution == "alpine" else "glibc"

    @property
    def shape(self) -> tuple[str, str, bool, tuple[str, ...]]:
        """What two tags of one repository have in common that differ by their version alone."""
        return self.distribution, self.release, self.slim, self.flavours


def parse_tag(text: str) -> Tag:
    """A tag taken apart; every text is one, and what is not understood is a flavour. Takes time linear in its
    length."""
    found = Tag(text)
    flavours: list[str] = []
    words = text[:128].split("-")
    for number, word in enumerate(words):
        low = word.lower()
        release = _RELEASE.match(low)
        if not number and (version := _VERSION.match(word)) is not None:
            numbers = tuple(int(each) for each in re.split(r"[._]", version[1]))
            dated = bool(_DATE.match(word))
            early = bool(version[3])
            found = found._replace(version=word.removeprefix("v"), number=numbers, early=early, dated=dated)
        elif low in CODENAMES:
            distribution, number_of = CODENAMES[low]
            early = found.early or low in _UNRELEASED
            found = found._replace(distribution=distribution, release=number_of, early=early)
        elif release is not None:
            found = found._replace(distribution=_IDS.get(release[1], release[1]), release=release[2] or found.release)
        elif found.distribution and not found.release and _NUMBER.match(low):
            found = found._replace(release=low)  # `alpine-3.22`
        elif low == "slim" or low == "minimal":
            found = found._replace(slim=True)
        elif low in _EARLY:
            found = found._replace(early=True)
        elif low.startswith(_WINDOWS):
            found = found._replace(windows=True)
        elif _DATE.match(low):
            found = found._replace(dated=True)
        elif low in _ALIASES or low in _DEFAULTS or _BUILD.match(low) or not low:
            continue
        elif found.early and low.isdigit():
            continue  # `28-ea-11`
        else:
            flavours.append(low)
    return found._replace(flavours=tuple(flavours))
