"""An image in the local store, which is what a build makes when nothing else is asked for, and what any image that a
build makes can be asked. The other outputs are in `outputs.py`, which such a build does not load."""

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from kezuri.export.annotations import Annotation

Compression = Literal["gzip", "zstd", "uncompressed"]


class ImageOptions(NamedTuple):
    """What an output can ask of the image that it gets: more `names` for it, how new layers are packed (a `level` of
    None is the packer's own choice), and annotations, of which a later one for the same place and key counts. With
    `docker_types` its documents have Docker's media types, which old registries know, in the place of OCI's; with
    `forced` the layers of the base are compressed in the same way as new ones."""

    names: tuple[str, ...] = ()
    compression: Compression = "gzip"
    level: int | None = None
    annotations: "tuple[Annotation, ...]" = ()
    docker_types: bool = False
    forced: bool = False


class StoredImage(NamedTuple):
    """An image in the local store."""

    options: ImageOptions = ImageOptions()
