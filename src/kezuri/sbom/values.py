"""A bill: the components of an image or directory, each with the layer and the instruction that brought it."""

from typing import NamedTuple

from kezuri.advisories.coordinates import Distribution
from kezuri.packages.package import Package


class BillLayer(NamedTuple):
    """A layer as a bill names it: its diff id, the instruction that made it, the Dockerfile and line where that stands
    (empty and 0 where that is not known), and whether it came with the base image."""

    diff_id: str
    text: str = ""
    dockerfile: str = ""
    line: int = 0
    of_base: bool = False


class Component(NamedTuple):
    """A package that the image shows. `layer` is the lowest one in which it is as it is now, -1 where there are no
    layers; `evidence` are the records that tell of it (paths relative to the root; `env:NODE_VERSION` for a variable of
    the config), `foreign` whether it came from elsewhere than its distribution."""

    package: Package
    layer: int = -1
    evidence: tuple[str, ...] = ()
    foreign: bool = False


class Bill(NamedTuple):
    """`name` is what a user calls the subject, `kind` what it is: `image`, `directory`, `sbom`. `digest` is a
    manifest's, empty where there is none; `base` the name of the base image as far as it is known; `created` a time of
    RFC 3339 out of the image's config; `told` what could not be found out. Components are in order of ecosystem, name,
    version and record."""

    name: str
    kind: str
    digest: str
    platform: str
    created: str
    distribution: Distribution
    layers: tuple[BillLayer, ...]
    components: tuple[Component, ...]
    base: str = ""
    told: tuple[str, ...] = ()
