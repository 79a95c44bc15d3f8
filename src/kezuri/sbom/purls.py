"""Package URLs read (ECMA-427, the purl specification)."""

from typing import NamedTuple

from kezuri.packages.package import Package


class PackageURL(NamedTuple):
    """A package URL in its parts, decoded. `qualifiers` are in the order of their keys."""

    type: str
    namespace: str
    name: str
    version: str = ""
    qualifiers: tuple[tuple[str, str], ...] = ()
    subpath: str = ""


def parse(text: str) -> PackageURL | None:
    """The parts of a package URL; None for what is none."""
    raise NotImplementedError(text)


def package(purl: PackageURL) -> Package:
    """The package that it names, as records of packages would have told of it."""
    raise NotImplementedError(purl)
