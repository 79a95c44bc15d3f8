"""Where a package is looked for in advisories: the ecosystem, the release, the name and the order of its versions."""

from typing import NamedTuple

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


def coordinates(package: Package, distribution: Distribution) -> Coordinates | None:
    """Where a package is looked for; None where no data tells of its kind, or it has no version."""
    raise NotImplementedError((package, distribution))


def distribution_of(os_release: str) -> Distribution:
    """By the text of an os-release (os-release(5)); lines that cannot be read are passed over."""
    raise NotImplementedError(os_release)
