"""What a base image is made of, as values, and the doors through which it is made."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from kezuri.bases.deb import Deb
from kezuri.bases.layer_writer import Files, LayerWriter
from kezuri.bases.tarball import Pin
from kezuri.bases.wheel import WheelPin
from kezuri.oci import Descriptor, ImageConfig, Platform

SUITE = "trixie"
"""The Debian release that is taken where nothing else is said."""

STAND_IN = "dev.kezuri.stand-in"
"""The manifest annotation that says that an image is not the one whose name it bears. It is no label: child images
inherit labels, and they are no stand-ins."""

NOTICE = "etc/kezuri-standin"
"""The file in each stand-in that says the same, with the packages that it was made from."""

CREATED = "2025-01-01T00:00:00Z"
"""When every stand-in was made, as far as it says: the same packages give the same bytes on any day."""


class Layer(NamedTuple):
    """One layer: the Debian packages that it takes files from, the Debian release (`suite`) that has them, and the
    function that writes it.

    The function gets the writer, the packages by name, and the platform.
    """

    name: str
    packages: tuple[str, ...]
    write: Callable[[LayerWriter, Mapping[str, Deb], Platform], None]
    suite: str = SUITE


class PinnedLayer(NamedTuple):
    """One layer from tarballs of the npm registry or wheels of the Python Package Index, and the function that writes
    it: it gets the writer and these packages by name."""

    name: str
    pins: tuple[Pin | WheelPin, ...]
    write: Callable[[LayerWriter, Mapping[str, Files]], None]


class Recipe(NamedTuple):
    """A base image that can be assembled from packages.

    `name` is the official image's full name, `aliases` further full names of the same image. `config` lacks the
    layers. `versions` are (variable, package): environment variables that get a Debian package's upstream version.
    `libraries` are directories beside the usual ones in which programs find theirs. `stand_in` says in one sentence
    what the image is and is not.
    """

    name: str
    aliases: tuple[str, ...]
    platform: Platform
    layers: tuple[Layer | PinnedLayer, ...]
    config: ImageConfig
    stand_in: str
    versions: tuple[tuple[str, str], ...] = ()
    libraries: tuple[str, ...] = ()

    @property
    def packages(self) -> dict[str, tuple[str, ...]]:
        """The names of all Debian packages that are needed, by suite, in the order of their layers."""
        found: dict[str, dict[str, None]] = {}
        for layer in self.layers:
            if isinstance(layer, Layer) and layer.packages:
                found.setdefault(layer.suite, {}).update(dict.fromkeys(layer.packages))
        return {suite: tuple(names) for suite, names in found.items()}

    @property
    def pins(self) -> tuple[Pin | WheelPin, ...]:
        """All tarballs and wheels that are needed, in the order of their layers."""
        return tuple(p for layer in self.layers if isinstance(layer, PinnedLayer) for p in layer.pins)


class BlobSink(Protocol):
    """Where finished blobs go."""

    def put(self, path: str, digest: str, size: int) -> None:
        """Take the content of the file at `path`, which has this digest (`sha256:…`) and this size in bytes.

        The file may be moved away; if it is still there afterwards the caller removes it. The same digest may come
        more than once."""
        ...


class Assembled(NamedTuple):
    """A finished base image. `notes` are sentences for the user: what the packages' authenticity rests on, and where
    they came from."""

    manifest: bytes
    descriptor: Descriptor
    config: ImageConfig
    notes: tuple[str, ...]
