"""Archives of Java: which artifacts of Maven a jar holds, in itself and in the jars within it."""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final

from kezuri.packages.maven_groups import group_of
from kezuri.packages.package import Bytes, Package, Peek, Record, text_of

_ENDS: Final = (".jar", ".war", ".ear", ".hpi", ".jpi")
_MOST_PROPERTIES = 64 << 10
_MOST_INNER = 64 << 20
_MOST_ALL = 512 << 20
_MOST_DIRECTORY = 12 << 20
_EXPANSION = 8
_MOST_MEMBERS = 200_000
_MOST_PACKAGES = 5_000
_DEPTH = 3
_NAMED = re.compile(r"(?:.*/)?(.+?)-(?!\d+\.x\.)(\d[A-Za-z0-9_.+-]*)\.[a-z]+$")


def is_archive(name: str) -> bool:
    """Whether a file is called like an archive of Java."""
    return name.endswith(_ENDS)


def record(data: Peek, path: str, size: int) -> Record | None:
    """The artifacts of an archive: first the one that it is, then those that are in it. None for what is no zip. Where
    it holds more than is read, the record says so."""
    reading = _Reading(min(_MOST_ALL, _MOST_DIRECTORY + size * _EXPANSION))
    try:
        itself, within = reading.archive(_Window(data, size), path, 0)
    except _BROKEN:
        return None
    trouble = f"/{path} holds more than is read of an archive: not all of its packages are known" if reading.cut else ""
    if itself is None and not within:
        return Record("archive", trouble=trouble) if trouble else None
    first = itself or Package("maven", "", built_here=True)
    if within:
        first = first._replace(built_here=True)
    return Record("archive", (first, *within), trouble=trouble)


_BROKEN: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    OSError,
    ValueError,
    RuntimeError,
    EOFError,
    LookupError,
    OverflowError,
)
"""What a damaged or encrypted zip makes of its reader."""


class _Reading:
    """One archive being read, and all in it: however they are nested, there is an end."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._left = _MOST_PACKAGES
        self.cut = False
        """Whether anything was left out for being too much."""

    def archive(self, file: Any, path: str, depth: int) -> tuple[Package | None, list[Package]]:
        """The artifact that an archive is, None where that is not told, and those that are in it."""
        found: list[Package] = []
        within: list[Package] = []
        manifest = b""
        with zipfile.ZipFile(file) as archive:
            for number, info in enumerate(archive.infolist()):
                if number >= _MOST_MEMBERS or self._left <= 0:
                    self.cut = True
                    break
                name = info.filename
                if name == "META-INF/MANIFEST.MF":
                    manifest = self._read(archive, info, _MOST_PROPERTIES)
                elif name.startswith("META-INF/maven/") and name.endswith("/pom.properties"):
                    package = _of_properties(self._read(archive, info, _MOST_PROPERTIES))
                    if package is not None:
                        found.append(package)
                        self._left -= 1
                elif is_archive(name) and depth < _DEPTH:
                    if info.file_size <= min(_MOST_INNER, self._room):
                        within += self._inner(archive, info, depth)
                    else:
                        self.cut = True
        itself = _own(found, manifest, path)
        return itself, [each for each in found if each != itself] + within

    def _inner(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, depth: int) -> Iterator[Package]:
        try:
            raw = self._read(archive, info, _MOST_INNER)
            itself, within = self.archive(_Window(Bytes(raw), len(raw)), info.filename, depth + 1)
        except _BROKEN:
            return
        if itself is not None:
            self._left -= 1
            yield itself
        yield from within

    def _read(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
        most = min(most, self._room)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return b""
        with archive.open(info) as member:
            raw = member.read(most + 1)
        self._room -= len(raw)
        if info.filename == "META-INF/MANIFEST.MF":
            return raw[:most]  # Where an archive is signed it goes on with every file; what counts stands first.
        self.cut = self.cut or len(raw) > most
        return raw if len(raw) <= most else b""


def _own(found: list[Package], manifest: bytes, path: str) -> Package | None:
    """The artifact that the archive itself is."""
    if len(found) == 1 and _agrees(found[0], manifest):
        return found[0]
    name = path.rpartition("/")[2]
    for package in found:
        if name.startswith(f"{package.name}-{package.version}.") or name.rpartition(".")[0] == package.name:
            return package
    return _of_manifest(manifest, path)


def _agrees(package: Package, manifest: bytes) -> bool:
    """Whether an archive's only artifact can be it: one that was put into it has another bundle's name around it."""
    bundle = re.search(rb"^Bundle-SymbolicName:\s*([^;\r\n]+)", manifest, re.MULTILINE)
    if bundle is None:
        return True
    plain = re.sub(r"[-_.]", "", package.name)
    return plain in re.sub(r"[-_.]", "", text_of(bundle[1]))


def _of_properties(data: bytes) -> Package | None:
    fields: dict[str, str] = {}
    for line in data.split(b"\n"):
        key, equals, value = line.partition(b"=")
        if equals:
            fields[text_of(key)] = text_of(value, 500)
    group, name, version = (fields.get(key, "") for key in ("groupId", "artifactId", "version"))
    return Package("maven", name, version, namespace=group) if name and version else None


def _of_manifest(data: bytes, path: str) -> Package | None:
    """By the words of a manifest, else by the file's name."""
    fields: dict[str, str] = {}
    for line in data.replace(b"\r\n", b"\n").replace(b"\n ", b"").split(b"\n"):
        key, colon, value = line.partition(b":")
        if not line and fields:
            break  # what follows is about single files
        if colon:
            fields.setdefault(text_of(key), text_of(value, 500))
    named = _NAMED.match(path)
    version = fields.get("Implementation-Version") or (named[2] if named else "") or fields.get("Bundle-Version", "")
    name = named[1] if named else ""
    name = name or fields.get("Implementation-Title") or fields.get("Bundle-SymbolicName", "").partition(";")[0]
    if not name or not version or " " in name:
        return None
    group = group_of(name, version) or fields.get("Implementation-Vendor-Id", "")
    return Package("maven", name, version, namespace=group, licence=fields.get("Bundle-License", ""))


class _Window(io.RawIOBase):
    """A file's bytes as a zip's reader wants them."""

    def __init__(self, data: Peek, size: int) -> None:
        self._data = data
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._size)[whence]
        if base + offset < 0:
            raise ValueError
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > _MOST_DIRECTORY:
            raise OSError  # a table of contents of no possible size
        raw = self._data.at(self._at, wanted)
        self._at += len(raw)
        return raw
