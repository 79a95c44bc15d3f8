"""The packages of an image's distribution, read from its layers as streams: no further than where their records lie."""

import re
from collections.abc import Callable, Mapping, Sequence
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


class _Search:
    """What was found so far, from the uppermost layer down."""

    def __init__(self) -> None:
        self.whole: Record | None = None
        self.single: dict[str, Record] = {}
        self.releases: dict[str, str] = {}
        self.told: list[str] = []
        self.hidden: set[str] = set()

    @property
    def distribution(self) -> Distribution | None:
        """By os-release; the link of /etc leads to the file of /usr, so that either will do."""
        for path in _OS_RELEASES:
            if path in self.releases:
                return distribution_of(self.releases[path])
        return None

    @property
    def packages(self) -> tuple[Package, ...]:
        if self.whole is not None and self.whole.packages:
            return self.whole.packages
        return tuple(package for record in self.single.values() for package in record.packages)

    def ended(self) -> bool:
        """Whether nothing of the layers below is wanted."""
        return self.whole is not None and (self.distribution is not None or told_by(self.packages) is not None)

    def is_hidden(self, path: str) -> bool:
        """Whether a higher layer has removed or replaced what is at this path."""
        at = path
        while at:
            if at in self.hidden:
                return True
            at = at.rpartition("/")[0]
        return False


def system_packages(layers: Sequence[Descriptor], opened: Opener, where: str) -> SystemPackages:
    """The packages that the image with these layers, the lowest first, shows. KezuriError where a layer cannot be
    read; where there is no record of packages, none are found, and that is told."""
    search = _Search()
    for layer in reversed(layers):
        if search.ended():
            break
        _look_into(layer, opened, search)
    packages = search.packages
    distribution = search.distribution or told_by(packages) or Distribution()
    if search.whole is not None and search.whole.trouble:
        search.told.append(search.whole.trouble)
    if not packages:
        search.told.append(f"{where} has no record of a distribution's packages")
    return SystemPackages(packages, distribution, tuple(dict.fromkeys(search.told)))


def _look_into(layer: Descriptor, opened: Opener, search: _Search) -> None:
    own: set[str] = set()
    where = f"layer {layer.digest}"
    with opened(layer) as stream:
        for entry, data in read_tar(cast(BinaryIO, Decompressed(stream, where)), where):
            if entry.kind in ("whiteout", "opaque"):
                own.add(entry.path)
                continue
            path = entry.path
            if not path.startswith(_PLACES) or entry.kind == "dir":
                continue
            own.add(path)
            if search.is_hidden(path):
                continue
            if path in _OS_RELEASES:
                if data is not None and entry.size <= _MOST_OS_RELEASE:
                    search.releases[path] = data.read(entry.size).decode("utf-8", "replace")
            elif data is not None:
                _record(path, entry.size, data, search)
            elif entry.kind != "file" and kind_of(path, 1) in _WHOLE:
                search.told.append(f"/{path} is a link, and what it leads to was not read")
            if search.ended():
                return
    search.hidden |= own


def _record(path: str, size: int, data: BinaryIO, search: _Search) -> None:
    kind = kind_of(path, size)
    if kind in _WHOLE:
        if search.whole is not None and search.whole.packages:
            return
    elif kind != "dpkg one" or path in search.single:
        return
    if size > _LARGEST:
        raise KezuriError.of(f"/{path} has {size:,} bytes, which is too much for a record of packages", exit_code=125)
    record = parse(kind, path, size, Bytes(_read(data, size)))
    if record is None:
        return
    if kind == "dpkg one":
        if len(search.single) >= _MOST_RECORDS:
            raise KezuriError.of(f"there are more than {_MOST_RECORDS:,} records of packages", exit_code=125)
        search.single[path] = record
    elif record.packages or record.trouble:
        search.whole = record


def _read(data: BinaryIO, size: int) -> bytes:
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
