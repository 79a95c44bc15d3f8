"""What to do about findings, as orders that a person can follow: which of them go by it, and which stay."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from kezuri.advisories.coordinates import scheme_of
from kezuri.packages.package import SYSTEM, Package
from kezuri.sbom.values import Bill, BillLayer
from kezuri.scan.mending import nearest_mending
from kezuri.scan.urgency import worst_first
from kezuri.scan.values import Doing, Finding, Remedy
from kezuri.versions.order import Unordered, comparison

_UPGRADES: Mapping[str, str] = {
    "deb": "apt-get update && apt-get install -y --only-upgrade {}",
    "apk": "apk upgrade --no-cache {}",
    "rpm": "dnf upgrade -y {}",
}
_LANGUAGES: Mapping[str, str] = {
    "npm": "npm install {}@{}",
    "pypi": "pip install '{}>={}'",
    "cargo": "cargo update -p {} --precise {}",
    "golang": "go get {}@{}",
    "gem": "bundle update {} --conservative  # to {}",
    "composer": "composer require '{}:^{}'",
    "nuget": "dotnet add package {} --version {}",
}
_GO = "go"
_OF_GO = (_GO, "stdlib", "toolchain")
"""Parts of Go, which are of one version."""
_PLAIN = "@/._+~:-"
_MOST_NAMES = 12
"""Packages that one command names; of more the whole distribution is brought up to date."""
_EVERYTHING: Mapping[str, str] = {
    "deb": "apt-get update && apt-get upgrade -y",
    "apk": "apk upgrade --no-cache",
    "rpm": "dnf upgrade -y",
}

_Group = tuple[str, str, object]
"""Its kind, its ecosystem or subject, and what keeps groups apart."""


def remedies(bill: Bill, findings: Sequence[Finding]) -> tuple[Remedy, ...]:
    """What mends the findings that count, which stand in order of urgency: first what mends the most urgent ones, of
    equal urgency what mends more. What came with the base image goes with a newer one; a package of the distribution
    with an upgrade where it was installed; one of a language with the nearest version that mends all that is known of
    it; licences that are not forbidden need nothing. What nothing mends is last, with an empty order."""
    groups: dict[_Group, list[int]] = {}
    for number, finding in enumerate(findings):
        if not finding.ignored:
            group = _group(bill, finding)
            if group is not None:
                groups.setdefault(group, []).append(number)
    found = [
        Remedy(_KINDS[group[0]], _order(bill, group, [findings[each] for each in numbers]), tuple(numbers))
        for group, numbers in groups.items()
    ]

    def urgency(remedy: Remedy) -> tuple[object, ...]:
        first = findings[remedy.findings[0]]
        known = first.signal is not None and bool(first.signal.exploited)
        return remedy.kind == "none", not known, worst_first(first.severity), -len(remedy.findings), remedy.findings[0]

    return tuple(sorted(found, key=urgency))


_KINDS: Mapping[str, Doing] = {
    "base": "base",
    "successor": "base",
    "packages": "packages",
    "licences": "packages",
    "language": "language",
    "runtime": "runtime",
    "move": "runtime",
    "secret": "secret",
    "settings": "settings",
    "none": "none",
}


def comes_with_base(layers: Sequence[BillLayer], finding: Finding) -> bool:
    """Whether a finding's layer is one of the base image."""
    return 0 <= finding.layer < len(layers) and layers[finding.layer].of_base


def _group(bill: Bill, finding: Finding) -> _Group | None:
    if finding.kind == "secret":
        return "secret", "", ""
    if finding.kind == "misconfiguration":
        return "settings", "", ""
    if finding.kind == "licence":
        return ("licences", "", "") if finding.severity == "critical" else None
    if finding.kind == "end-of-life":
        if not finding.fixed:
            return "none", "", ""
        return "successor" if finding.component < 0 else "move", finding.id, finding.fixed
    if not finding.fixed:
        return "none", "", ""
    if comes_with_base(bill.layers, finding):
        return "base", "", ""
    package = bill.components[finding.component].package if finding.component >= 0 else Package("", finding.name)
    if package.ecosystem in SYSTEM:
        return "packages", package.ecosystem, finding.layer
    if finding.name in _OF_GO and package.ecosystem in ("generic", "golang"):
        return "runtime", "golang", (_GO, finding.installed.removeprefix("go").removeprefix("v"))
    kind = "runtime" if package.ecosystem in ("generic", "") else "language"
    # Of several copies of a package each version goes by itself: they may need different ones.
    return kind, package.ecosystem, (finding.name, finding.installed)


def _order(bill: Bill, group: _Group, findings: Sequence[Finding]) -> str:
    kind, ecosystem, _ = group
    if kind == "base":
        if bill.base:
            return f"build on a newer build of {bill.base}: kezuri build --pull"
        return "build on a newer build of its base image: kezuri build --pull"
    if kind == "successor":
        return f"move to a base image with {findings[0].fixed[0]}"
    if kind == "move":
        return f"move to {findings[0].fixed[0]}"
    if kind == "packages":
        names = sorted({finding.name for finding in findings})
        plain = all(_is_plain(name) for name in names)
        if plain and len(names) <= _MOST_NAMES:
            return _UPGRADES[ecosystem].format(" ".join(names))
        return _EVERYTHING[ecosystem]
    if kind in ("language", "runtime"):
        return _update(ecosystem, findings)
    if kind == "secret":
        return "take the secrets out of the image, and change them: whoever has the image has them"
    if kind == "licences":
        return "replace the packages whose licence is forbidden"
    if kind == "settings":
        return f"kezuri check {bill.name}" if bill.kind == "image" else "mend what the rules tell"
    return ""


def _update(ecosystem: str, findings: Sequence[Finding]) -> str:
    name, version = findings[0].name, version_that_mends(ecosystem, findings)
    if name in _OF_GO and ecosystem == "golang":
        return f"build with Go {version.removeprefix('go').removeprefix('v')}"
    form = _LANGUAGES.get(ecosystem)
    if form is None or not (_is_plain(name) and _is_plain(version)):
        return f"bring {name} to {version}"
    if ecosystem == "golang" and not version.startswith("v"):
        version = f"v{version}"
    return form.format(name, version)


def version_that_mends(ecosystem: str, findings: Sequence[Finding]) -> str:
    """The nearest version that mends all these findings, which are about one package: of all versions, where the one
    that is installed cannot be compared, and the last in the order of letters, where those that mend cannot be."""
    each = [finding.fixed for finding in findings]
    compare = comparison(scheme_of(ecosystem))
    for installed in (findings[0].installed, ""):
        with suppress(Unordered):
            return nearest_mending(compare, installed, each)
    return max(fixed[0] for fixed in each)


def _is_plain(text: str) -> bool:
    """Whether a shell takes a word as it is: nobody's package makes a command of more than it names."""
    return bool(text) and text[0] != "-" and all(char.isascii() and (char.isalnum() or char in _PLAIN) for char in text)
