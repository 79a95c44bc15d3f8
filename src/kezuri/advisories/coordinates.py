"""Where a package is looked for in advisories: the ecosystem, the release, the name and the order of its versions."""

import re
from typing import Final, NamedTuple

from kezuri.packages.package import Package
from kezuri.versions.order import Scheme


class Distribution(NamedTuple):
    """The distribution of a root file system, by its os-release: `id` (`debian`, `alpine`), `version` (`12`, `3.20.3`),
    `title` as people read it, `codename`, and the ids of those that it is `like`. Empty where there is none."""

    id: str = ""
    version: str = ""
    title: str = ""
    codename: str = ""
    like: tuple[str, ...] = ()


class Coordinates(NamedTuple):
    """`ecosystem`, `release` and `name` are as in `Affected`; `version` is what is compared, in the order of `scheme`:
    for packages of a distribution that of the source package."""

    ecosystem: str
    release: str
    name: str
    version: str
    scheme: Scheme


_SYSTEM: Final[dict[str, Scheme]] = {"deb": "dpkg", "apk": "apk", "rpm": "rpm"}
"""The kinds of packages that a distribution keeps."""

_LANGUAGES: Final[dict[str, tuple[str, Scheme]]] = {
    "npm": ("npm", "semver"),
    "pypi": ("PyPI", "pep440"),
    "golang": ("Go", "go"),
    "cargo": ("crates.io", "semver"),
    "maven": ("Maven", "maven"),
    "gem": ("RubyGems", "gem"),
    "composer": ("Packagist", "composer"),
    "nuget": ("NuGet", "nuget"),
    "conda": ("conda", "generic"),
    "pub": ("Pub", "semver"),
    "hex": ("Hex", "semver"),
}
_OF_LANGUAGES: Final = frozenset(ecosystem for ecosystem, _ in _LANGUAGES.values())
_RUNTIMES: Final[dict[str, Scheme]] = {"node": "semver", "python": "pep440", "rust": "semver", "deno": "semver"}
"""Runtimes whose makers say how their versions are ordered; those of the others are `generic`."""

_DISTRIBUTIONS: Final = {
    "debian": "Debian",
    "ubuntu": "Ubuntu",
    "alpine": "Alpine",
    "wolfi": "Wolfi",
    "chainguard": "Chainguard",
    "minimos": "MinimOS",
    "echo": "Echo",
    "alpaquita": "Alpaquita",
    "rhel": "Red Hat",
    "rocky": "Rocky Linux",
    "almalinux": "AlmaLinux",
    "ol": "Oracle Linux",
    "amzn": "Amazon Linux",
    "centos": "CentOS",
    "fedora": "Fedora",
    "sles": "SUSE",
    "opensuse-leap": "openSUSE",
    "opensuse-tumbleweed": "openSUSE",
    "photon": "Photon OS",
    "azurelinux": "Azure Linux",
    "mariner": "Azure Linux",
    "openeuler": "openEuler",
    "mageia": "Mageia",
}
"""What the ids of os-release are called in advisories. Distributions made out of another are not in it: their packages
are rebuilt and numbered by themselves, and what the other says of its own is not true of them."""

_KEPT_BY: Final = {
    **dict.fromkeys(("Debian", "Ubuntu", "Echo"), "deb"),
    **dict.fromkeys(("Alpine", "Wolfi", "Chainguard", "MinimOS", "Alpaquita"), "apk"),
}
"""By which package manager a distribution's packages are kept; those of the others by rpm."""

_ROLLING: Final = frozenset(("Wolfi", "Chainguard", "MinimOS", "Echo"))
_WHOLE: Final = frozenset(("Ubuntu", "Fedora", "SUSE", "openSUSE", "Photon OS", "openEuler"))
"""Distributions whose releases are whole versions (`22.04`); those of the others are the number before the dot."""

_BINARY: Final = frozenset(("AlmaLinux", "Red Hat", "Oracle Linux", "Amazon Linux", "CentOS"))
"""Distributions whose data name each package that is installed, rather than the source it was built from."""

DEBIAN: Final = {
    "buzz": "1.1", "rex": "1.2", "bo": "1.3", "hamm": "2.0", "slink": "2.1", "potato": "2.2", "woody": "3.0",
    "sarge": "3.1", "etch": "4", "lenny": "5", "squeeze": "6", "wheezy": "7", "jessie": "8", "stretch": "9",
    "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14", "duke": "15",
}  # fmt: skip
"""The numbers of Debian's releases by their codenames; `sid` has none."""
_SEPARATORS = re.compile(r"[-_.]+")
_LOWERED: Final = frozenset(("NuGet", "Packagist", "Hex", "Pub"))
_LINE = re.compile(r"\s*([A-Z][A-Z0-9_]*)=(.*)")
_TOOLCHAIN = re.compile(r"(?:go)?(\d+\.\d+(?:\.\d+)?(?:(?:rc|beta)\d+)?)(?:[-+ ].*)?", re.DOTALL)
_SOURCE_RPM = re.compile(r"(.+)-[^-]+-[^-]+\.(?:no)?src\.rpm")
_MOST_LINES, _MOST_VALUE = 200, 1000


def coordinates(package: Package, distribution: Distribution) -> Coordinates | None:
    """Where a package is looked for; None where no data tells of its kind, or it has no version. Packages of a
    distribution that advisories have no word for have its id, so that it can be told that nothing is known of it."""
    if not package.name or not package.version:
        return None
    if package.ecosystem in _SYSTEM:
        return _of_system(package, distribution)
    if package.ecosystem in _LANGUAGES:
        ecosystem, scheme = _LANGUAGES[package.ecosystem]
        name, version = package.full_name, package.version
        if ecosystem == "Go" and name in ("stdlib", "std", "toolchain"):
            name, version = name.replace("std", "stdlib") if name == "std" else name, toolchain_version(version)
        return Coordinates(ecosystem, "", normalised(ecosystem, name), version, scheme)
    if package.ecosystem == "generic":
        if package.name == "go":
            return Coordinates("Go", "", "toolchain", toolchain_version(package.version), "go")
        return Coordinates("runtime", "", package.name, package.version, _RUNTIMES.get(package.name, "generic"))
    return None


def scheme_of(kind: str) -> Scheme:
    """The order of the versions of packages of a kind (`deb`, `npm`); `generic` for those that have none of their own.
    Versions of a runtime are ordered by its name, as `coordinates` says."""
    return _SYSTEM.get(kind) or _LANGUAGES.get(kind, ("", "generic"))[1]


def _of_system(package: Package, distribution: Distribution) -> Coordinates:
    ecosystem, release = of_distribution(distribution)
    if distribution.id in _DISTRIBUTIONS and _KEPT_BY.get(ecosystem, "rpm") != package.ecosystem:
        # Packages that another package manager keeps than the distribution's are of another distribution.
        ecosystem, release = package.ecosystem, ""
    scheme = _SYSTEM[package.ecosystem]
    name, version = package.name, package.version
    if ecosystem not in _BINARY:
        source = _SOURCE_RPM.fullmatch(package.source) if package.ecosystem == "rpm" else None
        name = source[1] if source else package.source or name
        version = package.source_version or version
    return Coordinates(ecosystem or package.ecosystem, release, name, version, scheme)


def of_distribution(distribution: Distribution) -> tuple[str, str]:
    """The ecosystem and release under which the data of a distribution stand; its own id where advisories have no word
    for it, and two empty texts where there is none."""
    ecosystem = _DISTRIBUTIONS.get(distribution.id, distribution.id)
    version = distribution.version
    if ecosystem in _ROLLING:
        return ecosystem, ""
    if ecosystem == "Alpine":
        if "_alpha" in version or not version:
            return ecosystem, "edge"
        return ecosystem, "v" + ".".join(version.split(".")[:2])
    if ecosystem == "Debian" and not version:
        return ecosystem, DEBIAN.get(distribution.codename, distribution.codename)
    if distribution.id == "opensuse-leap":
        return ecosystem, f"Leap {version}"
    if distribution.id == "opensuse-tumbleweed":
        return ecosystem, "Tumbleweed"
    if ecosystem == "openEuler" and (support := re.search(r"\((LTS[^()]{0,20})\)", distribution.title)):
        return ecosystem, f"{version}-{support[1]}"
    return ecosystem, version if ecosystem in _WHOLE else version.partition(".")[0]


def place(ecosystem: str) -> tuple[str, str]:
    """The ecosystem and release of OSV's one word for both (`Debian:12`, `Ubuntu:22.04:LTS`, `Alpine:v3.20`). What is
    true only with a subscription (`Ubuntu:Pro:…`) is an ecosystem of its own; of Red Hat's products the release of
    Enterprise Linux is told, and others stay whole. From which repository of its language a package is
    (`Packagist:https://…`) no record of it says."""
    name, _, rest = ecosystem.partition(":")
    if not rest or name in _OF_LANGUAGES:
        return name, ""
    if name == "Ubuntu":
        parts = rest.split(":")
        number = next((part for part in parts if part[:1].isdigit()), rest)
        special = [part for part in parts if part not in (number, "LTS")]
        return ":".join((name, *special)), number
    if name == "Red Hat":
        found = re.match(r"(?:enterprise_linux|rhel_(?:eus|aus|tus|e4s|els))?:?(\d+)", rest)
        main = rest.startswith("enterprise_linux:")
        return (name, found[1]) if found and main else (ecosystem, "")
    if name in ("Rocky Linux", "AlmaLinux", "Debian", "Amazon Linux", "Oracle Linux", "Azure Linux"):
        return name, rest.partition(".")[0]
    return name, rest


def normalised(ecosystem: str, name: str) -> str:
    """A package's name as its ecosystem compares it. Readers of advisories and `coordinates` both give names so. PyPI:
    PEP 503; NuGet, Packagist, Hex, Pub: small letters; others: as it is written."""
    if ecosystem == "PyPI":
        return _SEPARATORS.sub("-", name).lower()
    return name.lower() if ecosystem in _LOWERED else name


def toolchain_version(version: str) -> str:
    """A version of Go itself as advisories have it: `go1.21rc2 X:boringcrypto` is `1.21.0-rc.2`. What is no such
    version stays as it is."""
    found = _TOOLCHAIN.fullmatch(version)
    if found is None or re.match(r"\d+\.\d+\.\d+-(?:0|rc\.|beta\.)", version):
        return version
    numbers, kind, count = re.fullmatch(r"([\d.]+)(rc|beta)?(\d*)", found[1]).groups()  # type: ignore[union-attr]
    numbers += ".0" * (2 - numbers.count("."))
    return f"{numbers}-{kind}.{count}" if kind else numbers


def distribution_of(os_release: str) -> Distribution:
    """By the text of an os-release (os-release(5)); lines that cannot be read are passed over."""
    fields: dict[str, str] = {}
    for line in os_release[: _MOST_LINES * _MOST_VALUE].splitlines()[:_MOST_LINES]:
        found = _LINE.match(line)
        if found is not None:
            fields[found[1]] = _unquoted(found[2].strip())[:_MOST_VALUE]
    return Distribution(
        fields.get("ID", "").lower(),
        fields.get("VERSION_ID", ""),
        fields.get("PRETTY_NAME", "") or fields.get("NAME", ""),
        fields.get("VERSION_CODENAME", "").lower(),
        tuple(fields.get("ID_LIKE", "").lower().split()),
    )


def _unquoted(text: str) -> str:
    """A value as a shell reads it: quotes at both ends, and `\\` before what is meant as it stands."""
    quote = text[:1]
    if quote in ('"', "'"):
        text = text[1:].removesuffix(quote)
    return text if quote == "'" else re.sub(r'\\(["$`\\])', r"\1", text)
