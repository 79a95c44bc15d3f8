"""The packages of an image's distribution, read from its layers as streams: no further than where their records lie."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import BinaryIO, Final, NamedTuple, cast

from kezuri.advisories.coordinates import Distribution, distribution_of
from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import Decompressed
from kezuri.layer.tar_reader import read_tar
from kezuri.oci.descriptor import Descriptor
from kezuri.packages.package import Bytes, Package, Record
from kezuri.packages.records import kind_of, parse
from kezuri.packages.runtimes import declared

_WHOLE: Final = frozenset(("dpkg", "apk", "rpm sqlite", "rpm ndb", "rpm bdb"))
"""Records that tell of all packages at once: that of the uppermost layer counts, and what is below it does not."""
_STARTS: Final = (
    "var/lib/dpkg/", "lib/apk/db/", "usr/lib/apk/db/", "var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/",
)  # fmt: skip
_OS_RELEASES: Final = ("etc/os-release", "usr/lib/os-release")
_PLACES: Final = (*_STARTS, *_OS_RELEASES)
_ABOVE: Final = tuple(
    {f"{path[:at]}/" for path in _PLACES for at in range(len(path)) if path[at] == "/" and at < len(path) - 1}
)
"""The directories above them, each of which a layer may remove."""
_MOST_OS_RELEASE = 64 << 10
_LARGEST = 192 << 20
"""Bytes of a record; no database of rpm's has as many."""
_MOST_RECORDS = 20_000
_BASE_FILES = ("base-files", "alpine-release", "alpine-baselayout-data", "alpine-baselayout")
_DEBIANS_OWN = re.compile(r"(\d{1,3})(?:\.\d{1,3})?(?:\+deb\d+u\d+)?\Z")
"""The version of Debian's own base-files counts on from the release (`12.4+deb12u8`); that of others is another one."""
_VARIABLES: Final = (
    ("PYTHON_VERSION", "python"),
    ("JAVA_VERSION", "openjdk"),
    ("RUBY_VERSION", "ruby"),
    ("PHP_VERSION", "php"),
    ("RUST_VERSION", "rust"),
    ("DOTNET_VERSION", "Microsoft.NETCore.App"),
)
"""Variables of official images whose runtimes leave a record of their own, too, which lies behind all their files."""

Opener = Callable[[Descriptor], BinaryIO]
"""Opens a layer's blob at its beginning; to be used in a `with`."""


class SystemPackages(NamedTuple):
    """What was found: the packages, their distribution, and what could not be read."""

    packages: tuple[Package, ...]
    distribution: Distribution
    told: tuple[str, ...] = ()


class LayerFindings(NamedTuple):
    """What one layer tells by itself: records by their paths, whole ones and those of single packages; the texts of
    os-release; paths that lower layers do not show; records that are links. It was read to its end, unless `cut`: it
    has a record of all packages, and its distribution."""

    whole: tuple[tuple[str, tuple[Package, ...], str], ...] = ()
    single: tuple[tuple[str, tuple[Package, ...]], ...] = ()
    releases: tuple[tuple[str, str], ...] = ()
    hidden: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    cut: bool = False


Known = Callable[[Descriptor, Callable[[], LayerFindings]], LayerFindings]
"""Gives what a layer tells: what is known of it already, or what the function finds that reads it."""


def _read(layer: Descriptor, read: Callable[[], LayerFindings]) -> LayerFindings:
    return read()


class _Search:
    """What was found so far, from the uppermost layer down."""

    def __init__(self) -> None:
        self.whole: tuple[Package, ...] = ()
        self.single: dict[str, tuple[Package, ...]] = {}
        self.releases: dict[str, str] = {}
        self.told: list[str] = []
        self._hidden: set[str] = set()

    @property
    def distribution(self) -> Distribution | None:
        """By os-release; the link of /etc leads to the file of /usr, so that either will do."""
        for path in _OS_RELEASES:
            if path in self.releases:
                return distribution_of(self.releases[path])
        return None

    @property
    def packages(self) -> tuple[Package, ...]:
        return self.whole or tuple(package for each in self.single.values() for package in each)

    @property
    def ended(self) -> bool:
        """Whether nothing of the layers below is wanted."""
        return bool(self.whole) and (self.distribution is not None or told_by(self.whole) is not None)

    def is_hidden(self, path: str) -> bool:
        """Whether a higher layer has removed or replaced what is at this path."""
        while path:
            if path in self._hidden:
                return True
            path = path.rpartition("/")[0]
        return False

    def hides(self, findings: LayerFindings) -> bool:
        """Whether what a layer was read for is not shown: its record of packages, or its os-release where a higher
        layer has the packages."""
        if self.whole and any(not self.is_hidden(path) for path, _ in findings.releases):
            return False
        return all(self.is_hidden(path) for path, _, _ in findings.whole)

    def add(self, findings: LayerFindings) -> None:
        """Take what a lower layer tells, as far as it is shown."""
        for path, packages, trouble in findings.whole:
            if not self.whole and not self.is_hidden(path):
                self.whole = packages
                self.told += [trouble] if trouble else []
        for path, packages in findings.single:
            if path not in self.single and not self.is_hidden(path):
                self.single[path] = packages
        for path, text in findings.releases:
            if not self.is_hidden(path):
                self.releases.setdefault(path, text)
        for path in findings.links:
            if not self.whole and not self.is_hidden(path):
                self.told.append(f"/{path} is a link, and what it leads to was not read")
        self._hidden.update(findings.hidden)


def system_packages(layers: Sequence[Descriptor], opened: Opener, where: str, known: Known = _read) -> SystemPackages:
    """The packages that the image with these layers, the lowest first, shows. KezuriError where a layer cannot be
    read; where there is no record of packages, none are found, and that is told."""
    search = _Search()
    for layer in reversed(layers):
        findings = known(layer, partial(read_layer, layer, opened))
        if findings.cut and search.hides(findings):
            findings = read_layer(layer, opened, to_end=True)
        search.add(findings)
        if search.ended:
            break
    packages = search.packages
    distribution = search.distribution or told_by(packages) or Distribution()
    if not packages:
        search.told.append(f"{where} has no record of a distribution's packages")
    return SystemPackages(packages, distribution, tuple(dict.fromkeys(search.told)))


def read_layer(layer: Descriptor, opened: Opener, to_end: bool = False) -> LayerFindings:
    """What a layer tells, read no further than to a record of all packages with their distribution, unless `to_end`.
    KezuriError where it cannot be read."""
    whole: list[tuple[str, tuple[Package, ...], str]] = []
    single: list[tuple[str, tuple[Package, ...]]] = []
    releases: dict[str, str] = {}
    hidden: dict[str, None] = {}
    links: list[str] = []
    where, cut = f"layer {layer.digest}", False
    if layer.media_type.endswith("+encrypted"):
        raise KezuriError.of(f"{where} is encrypted", exit_code=125)
    with opened(layer) as stream:
        for entry, data in read_tar(cast(BinaryIO, Decompressed(stream, where)), where):
            path = entry.path
            if entry.kind in ("whiteout", "opaque"):
                if path.startswith(_PLACES) or f"{path}/".startswith(_ABOVE) or not path:
                    hidden[path] = None
                continue
            if not path.startswith(_PLACES) or entry.kind == "dir":
                continue
            hidden[path] = None
            if path in _OS_RELEASES:
                if data is not None and entry.size <= _MOST_OS_RELEASE:
                    releases[path] = data.read(entry.size).decode("utf-8", "replace")
            elif data is not None:
                record, kind = _record(path, entry.size, data)
                if kind == "dpkg one":
                    if len(single) >= _MOST_RECORDS:
                        raise KezuriError.of(
                            f"there are more than {_MOST_RECORDS:,} records of packages", exit_code=125
                        )
                    single.append((path, record.packages))
                elif record.packages or record.trouble:
                    whole.append((path, record.packages, record.trouble))
            elif entry.kind != "file" and kind_of(path, 1) in _WHOLE:
                links.append(path)
            cut = any(packages and (releases or told_by(packages)) for _, packages, _ in whole)
            if cut and not to_end:
                break
    return LayerFindings(
        tuple(whole), tuple(single), tuple(releases.items()), tuple(hidden), tuple(links), cut and not to_end
    )


def _record(path: str, size: int, data: BinaryIO) -> tuple[Record, str]:
    """What a record tells, nothing where the file is none, and its kind."""
    kind = kind_of(path, size)
    if kind not in _WHOLE and kind != "dpkg one":
        return Record(""), ""
    if size > _LARGEST:
        raise KezuriError.of(f"/{path} has {size:,} bytes, which is too much for a record of packages", exit_code=125)
    record = parse(kind, path, size, Bytes(_bytes(data, size))) or Record(kind)
    bare = tuple(package._replace(files=(), directories=()) for package in record.packages)
    return record._replace(packages=bare), kind


def _bytes(data: BinaryIO, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := data.read(min(size, 1 << 20))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def told_by(packages: Sequence[Package]) -> Distribution | None:
    """The distribution by the version of the package that holds its name; None where that does not tell. It spares
    reading the lowest layer for a file of a few lines."""
    for package in packages:
        if package.name not in _BASE_FILES:
            continue
        if package.ecosystem == "deb" and (own := _DEBIANS_OWN.match(package.version)) is not None:
            return Distribution("debian", own[1], f"Debian {own[1]}")
        if package.ecosystem == "apk" and package.name == "alpine-release":
            version = package.version.partition("-")[0]
            return Distribution("alpine", version, f"Alpine Linux v{'.'.join(version.split('.')[:2])}")
    return None


def runtimes(environment: Mapping[str, str]) -> tuple[Package, ...]:
    """The runtimes that an image's config tells of."""
    found = list(declared(environment))
    known = {package.name for package in found}
    for variable, name in _VARIABLES:
        version = environment.get(variable, "").strip().removeprefix("jdk-").removeprefix("jdk").lstrip("v")
        if version[:1].isdigit() and len(version) <= 60 and name not in known:
            found.append(Package("generic", name, version))
    # What Go's toolchain builds has its standard library in it.
    found += [Package("golang", "stdlib", each.version) for each in found if each.name == "go"]
    return tuple(found)
