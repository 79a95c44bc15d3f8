"""Debian packages: an ar archive that holds a compressed tar of files (deb(5)), read as a stream."""

from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, Protocol

from kezuri.diagnostics import KezuriError

if TYPE_CHECKING:
    import tarfile

_MAGIC = b"!<arch>\n"
_HEADER = 60


class Package(NamedTuple):
    """A package as the archive's index lists it; `size` is in bytes, `filename` relative to the mirror's root."""

    name: str
    version: str
    architecture: str
    filename: str
    size: int
    sha256: str

    @property
    def upstream(self) -> str:
        """The version of the program itself, without Debian's epoch and revision (deb-version(7))."""
        whole = self.version.partition(":")[2] or self.version
        return whole.rpartition("-")[0] or whole


class Content(Protocol):
    """The bytes of a file, read once from the front."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, all that are left when it is negative, empty at the end; KezuriError naming the
        package when it is damaged."""
        ...


class Member(NamedTuple):
    """A file of a package. `path` is relative without a leading `./`; `link` is a symlink's target as written or the
    path of a hard link's first name; `content` must be read before the next member is asked for."""

    path: str
    kind: Literal["file", "dir", "symlink", "hardlink"]
    mode: int
    uid: int
    gid: int
    size: int
    link: str
    content: Content | None


class Deb:
    """A package file on disk. Nothing of it is held open between calls."""

    def __init__(self, package: Package, path: str) -> None:
        self.package = package
        self.path = path

    def members(self) -> Iterator[Member]:
        """The files in the order of the archive; KezuriError naming the package when it is not a readable one."""
        return self._members("data.tar")

    def read(self, path: str) -> bytes:
        """One file's content; KezuriError when the package does not hold it."""
        for member in self.members():
            if member.path == path and member.content is not None:
                return member.content.read()
        raise KezuriError.of(
            f"{self.package.name} {self.package.version} has no file {path}",
            hint="the Debian package has changed its layout: report this to kezuri",
        )

    def control(self) -> str:
        """The text of the control file (deb-control(5))."""
        for member in self._members("control.tar"):
            if member.path == "control" and member.content is not None:
                return member.content.read().decode("utf-8", "surrogateescape")
        raise self._broken("no control file")

    def _members(self, which: str) -> Iterator[Member]:
        import tarfile

        try:
            with open(self.path, "rb") as file, _decompressed(file, *self._find(file, which)) as plain:
                with tarfile.open(fileobj=plain, mode="r|", errors="surrogateescape") as tar:
                    for info in tar:
                        member = self._member(tar, info)
                        if member is not None:
                            yield member
                # What follows the end of the tar is read too: a cut or changed stream shows only there.
                while plain.read(1 << 16):
                    pass
        except _damage() as error:
            raise self._broken(str(error) or type(error).__name__) from None

    def _find(self, file: BinaryIO, which: str) -> tuple[str, int]:
        """Moves to the ar member whose name begins with `which`; its name and size."""
        if file.read(len(_MAGIC)) != _MAGIC:
            raise self._broken("not an ar archive")
        while True:
            header = file.read(_HEADER)
            if len(header) < _HEADER:
                raise self._broken(f"no {which}")
            name = header[:16].decode("ascii", "replace").strip().rstrip("/")
            digits = header[48:58].strip()
            if header[58:] != b"`\n" or not digits.isdigit():
                raise self._broken("a damaged ar header")
            size = int(digits)
            if name == which or name.startswith(which + "."):
                return name, size
            file.seek(size + size % 2, 1)

    def _member(self, tar: "tarfile.TarFile", info: "tarfile.TarInfo") -> Member | None:
        path = self._path(info.name)
        mode = info.mode & 0o7777
        if not path:
            return None
        if info.isdir():
            return Member(path, "dir", mode, info.uid, info.gid, 0, "", None)
        if info.issym():
            return Member(path, "symlink", 0o777, info.uid, info.gid, 0, info.linkname, None)
        if info.islnk():
            return Member(path, "hardlink", mode, info.uid, info.gid, 0, self._path(info.linkname), None)
        if info.isreg():
            content = tar.extractfile(info)
            assert content is not None
            return Member(path, "file", mode, info.uid, info.gid, info.size, "", _Checked(content, self._broken))
        raise self._broken(f"{path} is neither a file, a directory nor a link")

    def _path(self, name: str) -> str:
        parts = [p for p in name.split("/") if p not in ("", ".")]
        if ".." in parts:
            raise self._broken(f"the path {name!r} leaves the root")
        return "/".join(parts)

    def _broken(self, why: str) -> KezuriError:
        return KezuriError.of(f"{self.package.name} {self.package.version}: not a readable Debian package: {why}")


class _Checked:
    """A file's content whose damage is told as the package's."""

    def __init__(self, content: IO[bytes], broken: Callable[[str], KezuriError]) -> None:
        self._content = content
        self._broken = broken

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._content.read(size)
        except _damage() as error:
            raise self._broken(str(error) or type(error).__name__) from None


def _damage() -> tuple[type[Exception], ...]:
    """What the readers raise when the bytes are not what they should be."""
    import zlib
    from gzip import BadGzipFile
    from lzma import LZMAError
    from tarfile import TarError

    from zstandard import ZstdError

    return TarError, LZMAError, ZstdError, BadGzipFile, zlib.error, EOFError


class _Part:
    """A file's next `size` bytes, as a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, empty at the part's end."""
        if size < 0 or size > self._left:
            size = self._left
        data = self._file.read(size)
        if size and not data:
            raise EOFError("the archive is cut short")
        self._left -= len(data)
        return data


def _decompressed(file: BinaryIO, name: str, size: int) -> Any:
    part: Any = _Part(file, size)
    if name.endswith(".xz"):
        from lzma import LZMAFile

        return LZMAFile(part)
    if name.endswith(".zst"):
        from io import BufferedReader

        from zstandard import ZstdDecompressor

        return BufferedReader(ZstdDecompressor().stream_reader(part, read_size=1 << 17))
    if name.endswith(".gz"):
        from gzip import GzipFile

        return GzipFile(fileobj=part, mode="rb")
    if name.endswith(".tar"):
        from contextlib import nullcontext

        return nullcontext(part)
    raise KezuriError.of(f"{name}: a compression that Debian packages do not use")
