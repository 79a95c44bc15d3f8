"""Wheels of the Python Package Index: each is named by its version and its digest, which stand in kezuri's own text."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast
from zipfile import BadZipFile, ZipFile

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry

REGISTRY = "https://files.pythonhosted.org"
VARIABLE = "KEZURI_PYPI_FILES"
"""The environment variable that names another server with the index's files."""


class WheelPin(NamedTuple):
    """A wheel. It is accepted with this SHA-256 and size (bytes) only, wherever it comes from. `path` is where the
    index keeps it."""

    name: str
    version: str
    sha256: str
    size: int
    path: str


class Wheel:
    """A wheel on disk. Nothing of it is held open between calls."""

    def __init__(self, pin: WheelPin, path: str) -> None:
        self.pin = pin
        self._path = path

    def members(self) -> Iterator[tuple[Entry, BinaryIO | None]]:
        """The files, in the order of the archive, each with a reader of its bytes, which is good until the next one is
        asked for. They are root's; programs are those that are installed as scripts. KezuriError for what is no
        wheel."""
        where = f"{self.pin.name} {self.pin.version} of the Python Package Index"
        try:
            with ZipFile(self._path) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        mode = 0o755 if ".data/scripts/" in info.filename else 0o644
                        entry = Entry(info.filename, "file", mode, 0, 0, info.file_size)
                        with archive.open(info) as content:
                            yield entry, cast(BinaryIO, content)
        except (BadZipFile, NotImplementedError) as error:
            raise KezuriError.of(f"{where}: not a wheel: {error}") from error
