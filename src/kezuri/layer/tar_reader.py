"""Tar streams to entries, trusting nothing: ustar, GNU and PAX, told apart header by header."""

import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NoReturn, cast
from zlib import adler32

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import AUFS_LINKS, Entry, Kind
from kezuri.layer.tar_writer import OVERLAY_XATTRS

_CHUNK = 1 << 20
_ZERO = bytes(512)
_MOST_EXTENDED = 1 << 20
"""Bytes that a PAX header or a GNU long name may have; Go's reader has the same limit."""
_MOST_PATH = 4096
_OF_AUFS = (AUFS_LINKS, ".wh..wh.aufs", ".wh..wh.orph")
"""What aufs keeps in the root of a layer for itself."""
_MOST_DEPTH = 512
_MOST_SIZE = 1 << 50
_MOST_ID = (1 << 32) - 2
_MOST_SECONDS = 1 << 53
_SECOND = 1_000_000_000

# name mode uid gid size mtime checksum type link magic owner group major minor prefix
_unpack = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x").unpack

_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "char",
    b"4": "block",
    b"5": "dir",
    b"6": "fifo",
}


def read_tar(stream: BinaryIO, where: str, *, rootless: bool = False) -> Iterator[tuple[Entry, BinaryIO | None]]:
    """The entries of a plain tar stream in order; files come with a reader of their bytes, good until the next entry.

    Names are cleaned (`/` and `./` at the front are dropped, `a/../b` is `b`); `.wh.` names become whiteouts and opaque
    marks, as does a character device 0:0; other `.wh..wh.` names are aufs's own and left out, except the files in
    AUFS_LINKS, which hard links lead to; so are global PAX headers and the overlay file system's own extended
    attributes. A path may come twice: the last one counts. The stream is read to its end. KezuriError, naming `where`
    and the offset in the tar, for anything that is not a sound tar, for names that leave the root or have more than
    4096 characters or 512 parts, and for what is not supported (sparse files, multi-volume archives). With `rootless`,
    what is named as the root and is no directory is passed over.
    """
    return _Reader(stream, where, rootless).entries()


class Member(io.BufferedIOBase):
    """The bytes of one file of a tar stream."""

    def __init__(self, source: "_Source", size: int) -> None:
        self._source = source
        self.left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        left = self.left
        if size is None or size < 0 or size > left:
            size = left
        self.left = left - size
        return self._source.take(size) if size else b""

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(_CHUNK if size < 0 else size)


class _Source:
    """A stream read in large pieces and taken in small ones."""

    __slots__ = ("_base", "_data", "_pos", "_read", "where")

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self._data = b""
        self._pos = 0
        self._base = 0
        self.where = where

    @property
    def offset(self) -> int:
        return self._base + self._pos

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        pos = self._pos
        end = pos + size
        if end <= len(self._data):
            self._pos = end
            return self._data[pos:end]
        parts = [self._data[pos:]]
        left = size - len(parts[0])
        while left:
            data = self._more()
            if not data:
                raise KezuriError.of(f"{self.where} is truncated: it ends at byte {self.offset}")
            part = data[:left]
            self._pos = len(part)
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        left = size - (len(self._data) - self._pos)
        if left <= 0:
            self._pos += size
            return
        while left > 0:
            data = self._more()
            if not data:
                raise KezuriError.of(f"{self.where} is truncated: it ends at byte {self.offset}")
            self._pos = min(left, len(data))
            left -= len(data)

    def at_end(self) -> bool:
        return self._pos == len(self._data) and not self._more()

    def drain(self) -> None:
        while self._more():
            pass

    def _more(self) -> bytes:
        self._base += len(self._data)
        self._pos = 0
        try:
            self._data = self._read(_CHUNK)
        except OSError as error:
            raise KezuriError.of(f"cannot read {self.where}: {error.strerror or error}") from error
        return self._data


class _Reader:
    def __init__(self, stream: BinaryIO, where: str, rootless: bool) -> None:
        self._source = _Source(stream, where)
        self._where = where
        self._rootless = rootless
        self._at = 0

    def _bad(self, what: str) -> NoReturn:
        raise KezuriError.of(f"{self._where}: {what}, at byte {self._at} of the tar")

    def entries(self) -> Iterator[tuple[Entry, BinaryIO | None]]:
        source = self._source
        take = source.take
        pax: dict[str, bytes] = {}
        long_name: bytes | None = None
        long_link: bytes | None = None
        while True:
            self._at = source.offset
            if source.at_end():
                if pax or long_name or long_link:
                    self._bad("the archive ends after an extended header")
                return
            block = take(512)
            fields = _unpack(block)
            name, mode, uid, gid, size, mtime, stored, kind, link, magic, _, _, major, minor, prefix = fields
            # Sums modulo 65521: adler32's lower half. The checksum field itself counts as eight spaces.
            if (_octal(stored) - (adler32(block) & 0xFFFF) + (adler32(stored) & 0xFFFF) - 256) % 65521 or not stored[0]:
                if block == _ZERO:
                    self._end()
                    return
                if not _signed_sum_matches(block, stored):
                    self._bad("this is not a tar header (its checksum is wrong)")
            length = _octal(size)
            if length < 0:
                length = self._number(size, "size")
            if kind in b"xgLK":
                body = self._extended(kind, length)
                if kind == b"x":
                    pax.update(self._records(body))
                elif kind == b"L":
                    long_name = body.split(b"\0", 1)[0]
                elif kind == b"K":
                    long_link = body.split(b"\0", 1)[0]
                continue
            if magic[:6] == b"ustar\0" and prefix[0]:
                name = prefix.split(b"\0", 1)[0] + b"/" + name.split(b"\0", 1)[0]
            else:
                name = name.split(b"\0", 1)[0]
            link = link.split(b"\0", 1)[0]
            if long_name is not None:
                name, long_name = long_name, None
            if long_link is not None:
                link, long_link = long_link, None
            owner = self._id(uid)
            group = self._id(gid)
            seconds = _octal(mtime)
            if seconds < 0:
                seconds = self._number(mtime, "time", signed=True)
            when = seconds * _SECOND
            xattrs: tuple[tuple[str, bytes], ...] = ()
            if pax:
                name = pax.get("path", name)
                link = pax.get("linkpath", link)
                if "size" in pax:
                    length = self._decimal(pax["size"], "size")
                if "uid" in pax:
                    owner = self._decimal(pax["uid"], "uid")
                if "gid" in pax:
                    group = self._decimal(pax["gid"], "gid")
                if "mtime" in pax:
                    when = self._time(pax["mtime"])
                xattrs = self._xattrs(pax)
                pax = {}
            if length > _MOST_SIZE:
                self._bad(f"an absurd size of {length} bytes")
            if owner > _MOST_ID or group > _MOST_ID:
                self._bad(f"an impossible owner {owner}:{group}")
            if not -_MOST_SECONDS < when // _SECOND < _MOST_SECONDS:
                self._bad("an absurd time")
            sort = _KINDS.get(kind)
            if sort is None:
                self._unsupported(kind)
            if kind == b"\0" and name.endswith(b"/"):
                # Before tar had a type for directories, programs wrote them as files whose names end in a slash.
                sort = "dir"
                source.skip(length + -length % 512)
            bits = _octal(mode)
            if bits < 0:
                bits = self._number(mode, "mode")
            bits &= 0o7777
            path = self._path(name)
            if not path and self._rootless and sort != "dir":
                source.skip(length + -length % 512 if sort == "file" else 0)
                continue
            if ".wh." in path:
                marked = self._marked(path)
                if marked is not None or self._is_left_out(path, sort):
                    if sort in ("file", "dir", "hardlink"):
                        if marked is not None:
                            yield marked, None
                        source.skip(length + -length % 512 if sort == "file" else 0)
                        continue
                    self._bad(f"{path!r} is neither a whiteout nor a file")
            if sort == "file":
                if not path:
                    self._bad("a file without a name")
                member = Member(source, length)
                entry = Entry(path, "file", bits, owner, group, length, when, "", (0, 0), xattrs)
                yield entry, cast(BinaryIO, member)
                left, member.left = member.left, 0
                left += -length % 512
                if left:
                    source.skip(left)
            elif sort == "dir":
                yield Entry(path, "dir", bits, owner, group, 0, when, "", (0, 0), xattrs), None
            else:
                if not path:
                    self._bad(f"a {sort} without a name")
                yield self._other(path, sort, bits, owner, group, when, link, (major, minor), xattrs), None

    def _other(
        self,
        path: str,
        kind: Kind,
        mode: int,
        uid: int,
        gid: int,
        when: int,
        link: bytes,
        device: tuple[bytes, bytes],
        xattrs: tuple[tuple[str, bytes], ...],
    ) -> Entry:
        target, numbers = "", (0, 0)
        if kind == "hardlink":
            target = self._path(link)
            if not target:
                self._bad(f"{path!r} is a hard link to nothing")
        elif kind == "symlink":
            target = self._text(link)
            if not target:
                self._bad(f"{path!r} is a symbolic link to nothing")
        elif kind in ("char", "block"):
            numbers = (self._device(device[0]), self._device(device[1]))
            if kind == "char" and numbers == (0, 0):
                return Entry(path, "whiteout", 0)
        return Entry(path, kind, mode, uid, gid, 0, when, target, numbers, xattrs)

    def _end(self) -> None:
        """Read what follows the first empty block: a second one or nothing, then padding of any kind."""
        source = self._source
        if not source.at_end() and source.take(512) != _ZERO:
            self._bad("data after the end of the archive")
        source.drain()

    def _extended(self, kind: bytes, length: int) -> bytes:
        if length > _MOST_EXTENDED:
            self._bad(f"an extended header of {length} bytes, more than {_MOST_EXTENDED}")
        if kind == b"g":
            self._source.skip(length + -length % 512)
            return b""
        body = self._source.take(length)
        self._source.skip(-length % 512)
        return body

    def _records(self, body: bytes) -> dict[str, bytes]:
        records: dict[str, bytes] = {}
        at = 0
        while at < len(body):
            space = body.find(b" ", at, at + 8)
            digits = body[at:space] if space > 0 else b""
            if not digits.isdigit():
                self._bad("a PAX record without a length")
            end = at + int(digits)
            equals = body.find(b"=", space, end)
            if end > len(body) or equals < 0 or body[end - 1 : end] != b"\n":
                self._bad("a PAX record that does not fit its length")
            key = self._decoded(body[space + 1 : equals])
            value = body[equals + 1 : end - 1]
            if key.startswith("GNU.sparse."):
                self._bad("a sparse file, which is not supported")
            if key in ("path", "linkpath") and b"\0" in value:
                self._bad("a name with a NUL byte")
            if value or key.startswith("SCHILY.xattr."):
                records[key] = value
            else:
                # An empty value takes a record back (POSIX pax).
                records.pop(key, None)
            at = end
        return records

    def _xattrs(self, pax: dict[str, bytes]) -> tuple[tuple[str, bytes], ...]:
        found = []
        for key, value in pax.items():
            if key.startswith("SCHILY.xattr."):
                name = key[13:]
                if not name or "\0" in name:
                    self._bad("an extended attribute without a proper name")
                if not name.startswith(OVERLAY_XATTRS):
                    found.append((name, value))
        found.sort()
        return tuple(found)

    def _path(self, name: bytes) -> str:
        text = self._text(name)
        if text[-1:] == "/":
            text = text.rstrip("/")
        if text[:1] in ("/", ".") or "//" in text or "/." in text:
            parts: list[str] = []
            for part in text.split("/"):
                if part == "..":
                    if not parts:
                        self._bad(f"the name {text!r} leaves the root")
                    parts.pop()
                elif part and part != ".":
                    parts.append(part)
            if not parts and ".." in text and not self._rootless:
                # A name such as a/.. means the root itself, and that is no entry either.
                self._bad(f"the name {text!r} leaves the root")
            text = "/".join(parts)
        elif not text and not name and not self._rootless:
            self._bad("an entry without a name")
        if text.count("/") >= _MOST_DEPTH:
            self._bad(f"a name of more than {_MOST_DEPTH} parts")
        return text

    def _text(self, name: bytes) -> str:
        if len(name) > _MOST_PATH:
            self._bad(f"a name of {len(name)} bytes")
        return self._decoded(name)

    def _decoded(self, raw: bytes) -> str:
        return raw.decode("utf-8", "surrogateescape")

    def _is_left_out(self, path: str, kind: Kind) -> bool:
        """Whether the name is one that aufs keeps for its own use, so that it is left out of the layer."""
        if path.startswith(_OF_AUFS):
            return kind != "file" or not path.startswith(AUFS_LINKS + "/")
        return path.rpartition("/")[2].startswith(".wh.")

    def _marked(self, path: str) -> Entry | None:
        """The whiteout or opaque mark that this path stands for; None for an ordinary name and for aufs's own."""
        parent, _, base = path.rpartition("/")
        if path.startswith(_OF_AUFS):
            return None
        if "/.wh." in "/" + parent:
            self._bad(f"the name {path!r} lies under a whiteout")
        if not base.startswith(".wh."):
            return None
        if base == ".wh..wh..opq":
            return Entry(parent, "opaque", 0)
        if base.startswith(".wh..wh."):
            return None
        hidden = base[4:]
        if hidden in ("", ".", ".."):
            self._bad(f"a whiteout of {hidden!r}")
        return Entry(f"{parent}/{hidden}" if parent else hidden, "whiteout", 0)

    def _number(self, field: bytes, what: str, signed: bool = False) -> int:
        """A number in GNU's base 256, or in an octal field that `_octal` does not read."""
        if field[0] & 0x80:
            value = int.from_bytes(field, "big")
            bits = len(field) * 8
            if field[0] & 0x40:
                value -= 1 << bits
            else:
                value -= 1 << (bits - 1)
            if value < 0 and not signed:
                self._bad(f"a negative {what}")
            return value
        value = _octal(field[1:]) if signed and field[:1] == b"-" else -1
        if value >= 0:
            return -value
        return self._bad(f"a header with an unreadable {what}")

    def _id(self, field: bytes) -> int:
        value = _octal(field)
        return value if value >= 0 else self._number(field, "owner")

    def _device(self, field: bytes) -> int:
        value = _octal(field)
        return value if value >= 0 else self._number(field, "device number")

    def _decimal(self, value: bytes, what: str) -> int:
        if not value.isdigit() or len(value) > 20:
            self._bad(f"a PAX record with an unreadable {what}")
        return int(value)

    def _time(self, value: bytes) -> int:
        whole, _, fraction = value.partition(b".")
        negative = whole[:1] == b"-"
        digits = whole[1:] if negative else whole
        if not digits.isdigit() or len(digits) > 20 or (fraction and not fraction.isdigit()):
            self._bad("a PAX record with an unreadable time")
        nanoseconds = int(digits) * _SECOND + int(fraction[:9].ljust(9, b"0"))
        return -nanoseconds if negative else nanoseconds

    def _unsupported(self, kind: bytes) -> NoReturn:
        if kind == b"S":
            self._bad("a sparse file, which is not supported")
        if kind in (b"M", b"V"):
            self._bad("part of a multi-volume archive, which is not supported")
        self._bad(f"an entry of unknown type {kind!r}")


def _octal(field: bytes) -> int:
    """An octal field, which spaces or NULs may surround; an empty one is 0; -1 when it is something else."""
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if not digits:
        return 0
    if not digits.isdigit():
        return -1
    try:
        return int(digits, 8)
    except ValueError:
        return -1


def _signed_sum_matches(block: bytes, stored: bytes) -> bool:
    """Whether the checksum is the sum of signed bytes, as some old writers had it."""
    wanted = _octal(stored)
    total = sum(block[:148]) + sum(block[156:]) + 256
    signed = total - 256 * sum(1 for byte in block[:148] + block[156:] if byte > 127)
    return wanted >= 0 and stored[0] != 0 and wanted in (total, signed)
