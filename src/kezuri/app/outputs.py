"""Where the result of a build goes: one value for each kind of output, checked when it is made from argv."""

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from kezuri.export.annotations import Annotation

Compression = Literal["gzip", "zstd", "uncompressed"]


class ImageOptions(NamedTuple):
    """What an output can ask of the image that it gets: more `names` for it, how new layers are packed (a `level` of
    None is the packer's own choice), and annotations, of which a later one for the same place and key counts."""

    names: tuple[str, ...] = ()
    compression: Compression = "gzip"
    level: int | None = None
    annotations: "tuple[Annotation, ...]" = ()


class StoredImage(NamedTuple):
    """An image in the local store."""

    options: ImageOptions = ImageOptions()


class LayoutTar(NamedTuple):
    """An image as a tar of an OCI layout, in a file; `-` is standard output."""

    dest: str
    options: ImageOptions = ImageOptions()


class LayoutDirectory(NamedTuple):
    """An image as an OCI layout in a directory."""

    dest: str
    options: ImageOptions = ImageOptions()


class DockerArchive(NamedTuple):
    """An image of one platform as `docker load` reads it, in a file; `-` is standard output. Its layers are not
    compressed with zstd."""

    dest: str
    options: ImageOptions = ImageOptions()


class RootDirectory(NamedTuple):
    """The files of the result, added to a directory. `split` is whether each platform gets a directory of its own; with
    None each does where several are built."""

    dest: str
    split: bool | None = None


class RootTar(NamedTuple):
    """The files of the result as a tar, in a file; `-` is standard output. `split` as for RootDirectory."""

    dest: str
    split: bool | None = None


class CacheOnly(NamedTuple):
    """Nothing leaves; the results of the steps are kept in the cache, as always."""


ImageOutput = StoredImage | LayoutTar | LayoutDirectory | DockerArchive
RootOutput = RootDirectory | RootTar
FileOutput = LayoutTar | DockerArchive | RootTar
Output = ImageOutput | RootOutput | CacheOnly
