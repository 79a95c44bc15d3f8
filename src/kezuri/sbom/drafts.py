"""A bill while its document is read: components and layers come in any order, and what could not be read is counted."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kezuri.advisories.coordinates import Distribution
from kezuri.packages.package import SYSTEM, Package, number_of
from kezuri.sbom import purls
from kezuri.sbom.values import Bill, BillLayer, Component
from kezuri.sbom.wording import BEGINNING, OURS, UNNAMED, clean

_MOST: Final = 1000
"""Characters of a name, a version or a path that are kept."""
_MOST_WORDS: Final = 2000
_MOST_LAYERS: Final = 1000
_RECORDS: Final = 100


def text(value: object, most: int = _MOST) -> str:
    """A text of a document; empty for what is none."""
    return clean(value[:most].strip()) if isinstance(value, str) else ""


def listed(value: object) -> list[Any]:
    """A list of a document; empty for what is none."""
    return value if isinstance(value, list) else []


def fields(value: object) -> Mapping[str, Any]:
    """An object of a document; empty for what is none."""
    return value if isinstance(value, dict) else {}


class Draft:
    """What is known so far. `said` are properties, by their names; of a name that comes again the values are in a
    row."""

    def __init__(self) -> None:
        self.name = self.kind = self.digest = self.platform = self.created = self.base = ""
        self.distribution = Distribution()
        self.layers: list[BillLayer] = []
        self.told: list[str] = []
        self._found: list[tuple[Component, str]] = []
        self._systems: Counter[Distribution] = Counter()
        self._unnamed = self._without = 0

    def subject(self, name: str, version: str, kind: str, said: Mapping[str, list[str]]) -> None:
        """What the document is about."""
        first = _first(said)
        ours = f"{OURS}kind" in first
        self.name = "" if ours and name == UNNAMED else name
        self.created = "" if self.created == BEGINNING else self.created
        self.kind = first.get(f"{OURS}kind", kind)
        self.digest = first.get(f"{OURS}digest", version if version.startswith("sha256:") else "")
        self.platform = first.get(f"{OURS}platform", "")
        self.base = first.get(f"{OURS}base", "")
        self.told += said.get(f"{OURS}told", [])
        for number in range(_MOST_LAYERS):
            start = f"{OURS}layer:{number}:"
            diff_id = first.get(f"{start}diffId", "")
            if not diff_id:
                break
            dockerfile, _, line = first.get(f"{start}dockerfile", "").rpartition(":")
            self.layers.append(
                BillLayer(
                    diff_id,
                    first.get(f"{start}instruction", ""),
                    dockerfile,
                    number_of(line.encode("utf-8", "replace")),
                    f"{start}ofBase" in first,
                )
            )
        if not self.layers:
            # Trivy's, in the image's order.
            for name in ("aquasecurity:trivy:DiffID", "DiffID"):
                self.layers += map(BillLayer, said.get(name, [])[:_MOST_LAYERS])

    def system(self, name: str, version: str, title: str, said: Mapping[str, list[str]]) -> None:
        """The distribution. Syft tells of it in properties."""
        first = _first(said)
        self.distribution = Distribution(
            first.get("syft:distro:id", name).lower(),
            first.get("syft:distro:versionID", version),
            title or first.get("syft:distro:prettyName", ""),
            first.get(f"{OURS}codename", first.get("syft:distro:versionCodename", "")),
            tuple(first.get(f"{OURS}like", first.get("syft:distro:idLike:0", "")).split()),
        )

    def component(
        self,
        name: str,
        version: str,
        purl_text: str,
        licence: str,
        records: Iterable[str],
        said: Mapping[str, list[str]],
        source: tuple[str, str] = ("", ""),
        vendor: str = "",
    ) -> None:
        """A component: by its package URL, and where it has none, by its name. `records` are paths from the root on;
        `source` is the package that it was built from, with its version; `vendor` is told of packages of the system."""
        first = _first(said)
        name = name.strip("/")
        purl = purls.parse(purl_text) if purl_text else None
        if purl is None:
            if not name:
                self._unnamed += 1
                return
            self._without += 1
            space, _, own = name.rpartition("/")
            package = Package("generic", own, version, namespace=space)
        else:
            package = _as_written(purls.package(purl), name)
            if found := purls.distribution(purl):
                self._systems[found] += 1
            if not package.version:
                package = package._replace(version=version)
        source_name = first.get(f"{OURS}source", first.get("aquasecurity:trivy:SrcName", source[0]))
        source_version = first.get(f"{OURS}sourceVersion", "") or _trivy_version(first) or source[1]
        if package.ecosystem in SYSTEM and not package.source:
            package = package._replace(source=source_name if source_name != package.name else "")
        if package.ecosystem in SYSTEM and not package.source_version and not package.source.endswith(".rpm"):
            package = package._replace(source_version=source_version if source_version != package.version else "")
        package = package._replace(
            licence=first.get(f"{OURS}licence", licence)[:_MOST_WORDS],
            size=number_of(first.get(f"{OURS}size", "").encode("utf-8", "replace")),
            built_here=f"{OURS}builtHere" in first,
            vendor=vendor if package.ecosystem in SYSTEM else "",
            architecture=package.architecture or first.get(f"{OURS}architecture", ""),
        )
        evidence = tuple(dict.fromkeys(record.removeprefix("/") for record in records if record))[:_RECORDS]
        diff_id = first.get(
            f"{OURS}layer:diffId", first.get("aquasecurity:trivy:LayerDiffID", first.get("LayerDiffID", ""))
        )
        diff_id = diff_id or first.get("syft:location:0:layerID", "")
        number = first.get(f"{OURS}layer", "")
        self._found.append((Component(package, -1, evidence, f"{OURS}foreign" in first), f"{number}|{diff_id}"))

    def bill(self) -> Bill:
        """The bill, in order."""
        numbers = {layer.diff_id: number for number, layer in reversed(list(enumerate(self.layers)))}
        components = set()
        for component, where in self._found:
            number, _, diff_id = where.partition("|")
            at = int(number) if number.isdecimal() and len(number) < 5 else numbers.get(diff_id, -1)
            components.add(component._replace(layer=at if at < len(self.layers) else -1))
        told = list(self.told)
        if self._without:
            told.append(f"{self._without} components have no package URL: nothing is known about them by name alone")
        if self._unnamed:
            told.append(f"{self._unnamed} components have neither a name nor a package URL, and are left out")
        distribution = self.distribution
        if not distribution.id and self._systems:
            distribution = max(self._systems, key=lambda one: (self._systems[one], one))
        return Bill(
            self.name,
            self.kind or "sbom",
            self.digest,
            self.platform,
            self.created,
            distribution,
            tuple(self.layers),
            tuple(sorted(components, key=_order)),
            self.base,
            tuple(told),
        )


def _order(component: Component) -> tuple[object, ...]:
    package = component.package
    return (package.ecosystem, package.full_name, package.version, component.evidence, component)


def _first(said: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: values[0] for name, values in said.items() if values}


def _as_written(package: Package, name: str) -> Package:
    """The name as the document has it beside the package URL, which is in small letters for some ecosystems."""
    for between in ("/", ":"):
        space, found, own = name.rpartition(between)
        if package.namespace and found and (space.lower(), own.lower()) == _small(package):
            return package._replace(namespace=space, name=own)
    # PyPI's names are told as its records have them: normalised.
    same = package.ecosystem != "pypi" and name.lower() == package.name.lower()
    return package._replace(name=name) if same else package


def _small(package: Package) -> tuple[str, str]:
    return package.namespace.lower(), package.name.lower()


def _trivy_version(first: Mapping[str, str]) -> str:
    """The version of a source package, which Trivy takes apart."""
    version = first.get("aquasecurity:trivy:SrcVersion", "")
    release, epoch = first.get("aquasecurity:trivy:SrcRelease", ""), first.get("aquasecurity:trivy:SrcEpoch", "")
    if version and release:
        version = f"{version}-{release}"
    return f"{epoch}:{version}" if version and epoch not in ("", "0") else version
