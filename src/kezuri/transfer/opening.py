"""An archive of images opened, whatever forms it has: an OCI layout, what `docker save` writes, or both in one."""

import os
import stat
from types import TracebackType
from typing import Literal, Self

from kezuri.diagnostics import KezuriError
from kezuri.images.layout import Layout
from kezuri.oci.layout import INDEX_FILE, MARKER_FILE
from kezuri.store.archive_file import ArchiveFile, NoArchive
from kezuri.store.layout_reader import read_archive
from kezuri.transfer.docker_archive import DockerArchive
from kezuri.transfer.doors import Source
from kezuri.transfer.layouts import LayoutSource


class ImageArchive:
    """An archive and the images in it. Use it in a `with`. `layout` and `docker` are None where it lacks that form; one
    of them is there. KezuriError when neither is."""

    def __init__(self, file: ArchiveFile) -> None:
        self._file = file
        try:
            self.layout: Layout | None = None
            if file.size(MARKER_FILE) is not None and file.size(INDEX_FILE) is not None:
                self.layout = Layout(read_archive(file), lambda _: None)
            self.docker: DockerArchive | None = None
            if file.size("manifest.json") is not None or self.layout is None:
                if file.size("manifest.json") is None and file.size("repositories") is None:
                    raise KezuriError.of(
                        f"{file.where}: not an archive of images: it has neither {MARKER_FILE} and {INDEX_FILE} nor "
                        "manifest.json",
                        hint="a root file system becomes an image with `kezuri import`",
                        exit_code=125,
                    )
                self.docker = DockerArchive(file, self.layout)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def source(self, form: Literal["oci", "docker"], selector: str) -> Source:
        """The image of a name, read as one of the forms. KezuriError when the archive does not have that form."""
        if form == "oci":
            if self.layout is None:
                raise KezuriError.of(
                    f"{self._file.where}: not an OCI archive: it has no {MARKER_FILE}",
                    hint=f"it is an archive of `docker save`: write docker-archive:{self._file.where}",
                    exit_code=125,
                )
            return LayoutSource(self.layout, selector)
        if self.docker is None:
            raise KezuriError.of(
                f"{self._file.where}: not an archive of `docker save`: it has no manifest.json",
                hint=f"it is an OCI archive: write oci-archive:{self._file.where}",
                exit_code=125,
            )
        return self.docker.source(self.docker.find(selector))


def open_archive(path: str) -> ImageArchive:
    """The archive at a path, which may be compressed; `-` is standard input. KezuriError when it is none."""
    try:
        if path == "-":
            with open(0, "rb", buffering=0, closefd=False) as stream:
                return ImageArchive(ArchiveFile.read(stream, "standard input"))
        if stat.S_ISDIR(os.stat(path).st_mode):
            raise KezuriError.of(f"{path}: is a directory, not an archive", hint=f"write oci:{path}", exit_code=125)
        return ImageArchive(ArchiveFile.open(path))
    except FileNotFoundError:
        raise KezuriError.of(f"there is no file {path}") from None
    except OSError as error:
        raise KezuriError.of(f"{path}: cannot be read: {error.strerror or error}", exit_code=125) from None
    except NoArchive as error:
        raise KezuriError(
            *(d._replace(hint="a tar archive, which may be compressed, is wanted") for d in error.diagnostics),
            exit_code=125,
        ) from None
