"""Where the result of a build goes: one value for each kind of output, checked when it is made from argv.

Every kind has `options`: what is asked of the image, and None where the output is none."""

from typing import Literal, NamedTuple

from kezuri.app.stored_image import ImageOptions, StoredImage


class PushedImage(NamedTuple):
    """An image in the registries of its names and, where it is `kept`, in the local store. `by_digest` is to push it
    without a tag; `canonical` is to name it by its digest, too."""

    options: ImageOptions = ImageOptions()
    by_digest: bool = False
    canonical: bool = False
    kept: bool = True


class LoadedImage(NamedTuple):
    """An image in the local store that is handed to docker or podman as well: to the `engine` that is named, else to
    the one that answers."""

    options: ImageOptions = ImageOptions()
    engine: Literal["", "docker", "podman"] = ""


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

    @property
    def options(self) -> None:
        """It is no image."""


class RootTar(NamedTuple):
    """The files of the result as a tar, in a file; `-` is standard output. `split` as for RootDirectory."""

    dest: str
    split: bool | None = None

    @property
    def options(self) -> None:
        """It is no image."""


class CacheOnly(NamedTuple):
    """Nothing leaves; the results of the steps are kept in the cache, as always."""

    @property
    def options(self) -> None:
        """It is no image."""


ImageOutput = StoredImage | PushedImage | LoadedImage | LayoutTar | LayoutDirectory | DockerArchive
RootOutput = RootDirectory | RootTar
FileOutput = LayoutTar | DockerArchive | RootTar
Output = ImageOutput | RootOutput | CacheOnly
