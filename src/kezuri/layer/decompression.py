"""Compressed streams to plain bytes. The content tells how it is compressed, memory is bounded, damage is an error."""

import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Literal, cast

from kezuri.diagnostics import KezuriError

Form = Literal["gzip", "zstd", "bzip2", "xz", "plain"]

_CHUNK = 256 << 10
_PIECE = 1 << 20
_MOST_ZSTD_WINDOW = 128 << 20
_MOST_XZ_MEMORY = 256 << 20
_ZSTD_MAGIC = 0xFD2FB528
_SKIPPABLE = 0x184D2A50


def detect(head: bytes) -> Form:
    """How a stream that begins with these bytes (512 are enough) is compressed."""
    if head[257:262] == b"ustar":
        return "plain"
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
        return "zstd"
    if head[:3] == b"BZh":
        return "bzip2"
    if head[:6] == b"\xfd7zXZ\0":
        return "xz"
    return "plain"


def decompress(stream: BinaryIO, where: str, limit: int | None = None) -> BinaryIO:
    """The stream's plain bytes, read as they are asked for, in bounded memory (zstd windows up to 128 MiB).

    gzip, zstd, bzip2 and xz are recognised by their first bytes, everything else is passed on as it is. `read(n)` gives
    fewer than n bytes only at the end. KezuriError, naming `where`, for damaged or truncated data, or once there are
    more than `limit` plain bytes.
    """
    return cast(BinaryIO, Decompressed(stream, where, limit))


class Decompressed(io.BufferedIOBase):
    """The plain bytes of a stream; `form` says what it was. Closing it leaves the stream open."""

    def __init__(self, stream: BinaryIO, where: str, limit: int | None = None) -> None:
        self._where = where
        self._limit = limit
        self.total = 0
        """How many plain bytes came so far."""
        self._held = b""
        raw = _Raw(stream, where)
        self.form: Form = detect(raw.peek())
        self._pieces = _guarded(_FORMS[self.form](raw), self.form, raw)

    def readable(self) -> bool:
        return True

    def piece(self) -> bytes:
        """Some of the bytes, as many as are at hand; none at the end."""
        held = self._held
        if held:
            self._held = b""
            return held
        data = next(self._pieces, b"")
        self.total += len(data)
        if self._limit is not None and self.total > self._limit:
            raise KezuriError.of(
                f"{self._where} unpacks to more than {self._limit} bytes", hint="it may have been made to fill the disk"
            )
        return data

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(self.piece, b""))
        parts: list[bytes] = []
        left = size
        while left:
            data = self.piece()
            if not data:
                break
            if len(data) > left:
                self._held = data[left:]
                data = data[:left]
            parts.append(data)
            left -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read1(self, size: int = -1, /) -> bytes:
        data = self.piece()
        if 0 <= size < len(data):
            self._held = data[size:]
            data = data[:size]
        return data


class _Raw:
    """The compressed stream, of which bytes can be looked at before they are taken, and given back."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self._stream = stream
        self.where = where
        self.offset = 0
        self._ahead = b""

    def peek(self) -> bytes:
        while len(self._ahead) < 512:
            more = self._get(_CHUNK)
            if not more:
                break
            self._ahead += more
        return self._ahead[:512]

    def next(self) -> bytes:
        data, self._ahead = self._ahead or self._get(_CHUNK), b""
        self.offset += len(data)
        return data

    def push(self, data: bytes) -> None:
        """Give bytes back."""
        self._ahead = data + self._ahead
        self.offset -= len(data)

    def _get(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:
            raise KezuriError.of(f"cannot read {self.where}: {error.strerror or error}") from error


class _Damaged(Exception):
    """What is wrong, in words."""


def _guarded(pieces: Iterator[bytes], form: str, raw: _Raw) -> Iterator[bytes]:
    try:
        yield from pieces
    except (KezuriError, GeneratorExit):
        raise
    except Exception as error:
        # Each codec has an error class of its own.
        detail = str(error) if isinstance(error, _Damaged) else "damaged data"
        raise KezuriError.of(f"{raw.where}: {form}: {detail}, before byte {raw.offset}") from error


def _plain(raw: _Raw) -> Iterator[bytes]:
    while data := raw.next():
        yield data


def _gzip(raw: _Raw) -> Iterator[bytes]:
    make = _inflater()
    first = True
    while data := raw.next():
        if not first:
            # After a member: another one, or the zeros that some writers pad with (GNU gzip ignores them too).
            if not data.strip(b"\0"):
                continue
            while len(data) < 2 and (more := raw.next()):
                data += more
            if data[:2] != b"\x1f\x8b":
                raise _Damaged("something that is not gzip follows")
        first = False
        inflate = make()
        yield from _drain(inflate, data, raw)


def _drain(codec: Any, data: bytes, raw: _Raw) -> Iterator[bytes]:
    """Decompress one member of gzip, and give back the bytes that follow it."""
    while True:
        out = codec.decompress(data, _PIECE)
        if out:
            yield out
        if codec.eof:
            if codec.unused_data:
                raw.push(codec.unused_data)
            return
        data = codec.unconsumed_tail
        if not data and len(out) < _PIECE:
            data = raw.next()
            if not data:
                raise _Damaged("truncated")


def _inflater() -> Callable[[], Any]:
    try:
        from isal import isal_zlib
    except ImportError:
        import zlib

        return lambda: zlib.decompressobj(31)
    return lambda: isal_zlib.decompressobj(31)


def _zstd(raw: _Raw) -> Iterator[bytes]:
    import zstandard

    reader = _ZstdFrames(raw)
    limited = zstandard.ZstdDecompressor(max_window_size=_MOST_ZSTD_WINDOW)
    stream = limited.stream_reader(cast(Any, reader), read_size=_CHUNK, read_across_frames=True)
    while data := stream.read(_PIECE):
        yield data
    if not reader.whole:
        raise _Damaged("truncated")


class _ZstdFrames:
    """Follows the frames of a stream (RFC 8878 §3.1) while it hands the bytes on to the decoder, because the decoder
    does not notice that a stream is cut off."""

    def __init__(self, raw: _Raw) -> None:
        self._raw = raw
        self._skip = 0
        self._left = b""
        self._in_frame = False
        self._checksum = False
        self._last = False

    @property
    def whole(self) -> bool:
        return not self._in_frame and not self._skip and not self._left

    def read(self, size: int) -> bytes:
        data = self._raw.next()
        if len(data) > size:
            self._raw.push(data[size:])
            data = data[:size]
        self._follow(data)
        return data

    def _follow(self, data: bytes) -> None:
        if self._skip >= len(data):
            self._skip -= len(data)
            return
        data = self._left + data[self._skip :]
        self._skip = 0
        at, end = 0, len(data)
        while at < end:
            step = self._step(data, at)
            if step < 0:
                break
            at += step
        self._left = data[at:] if at < end else b""
        self._skip = max(0, at - end)

    def _step(self, data: bytes, at: int) -> int:
        """How far the next header and what it announces reach; -1 when more bytes are needed to tell."""
        if self._in_frame:
            if len(data) - at < 3:
                return -1
            word = int.from_bytes(data[at : at + 3], "little")
            size = 1 if word >> 1 & 3 == 1 else word >> 3
            if word & 1:
                self._in_frame = False
                size += 4 if self._checksum else 0
            return 3 + size
        if len(data) - at < 8:
            # The smallest frame has 9 bytes, the smallest skippable frame 8.
            return -1
        magic = int.from_bytes(data[at : at + 4], "little")
        if magic & 0xFFFFFFF0 == _SKIPPABLE:
            return 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        if magic != _ZSTD_MAGIC:
            raise _Damaged("something that is not zstd follows")
        flags = data[at + 4]
        single = flags >> 5 & 1
        content = (1 if single else 0, 2, 4, 8)[flags >> 6]
        self._in_frame = True
        self._checksum = bool(flags & 4)
        return 5 + (0 if single else 1) + (0, 1, 2, 4)[flags & 3] + content


def _bzip2(raw: _Raw) -> Iterator[bytes]:
    import bz2

    yield from _members(raw, bz2.BZ2Decompressor, b"BZh")


def _xz(raw: _Raw) -> Iterator[bytes]:
    import lzma

    yield from _members(raw, lambda: lzma.LZMADecompressor(memlimit=_MOST_XZ_MEMORY), b"\xfd7zXZ\0")


def _members(raw: _Raw, make: Callable[[], Any], magic: bytes) -> Iterator[bytes]:
    data = raw.next()
    while data:
        codec = make()
        while True:
            out = codec.decompress(data, _PIECE)
            if out:
                yield out
            if codec.eof:
                data = codec.unused_data
                break
            data = b""
            if codec.needs_input:
                data = raw.next()
                if not data:
                    raise _Damaged("truncated")
        data = data or raw.next()
        while data and not data.strip(b"\0"):
            data = raw.next()
        if data and not data.startswith(magic[: len(data)]):
            raise _Damaged("something else follows")


_FORMS: dict[Form, Callable[[_Raw], Iterator[bytes]]] = {
    "plain": _plain,
    "gzip": _gzip,
    "zstd": _zstd,
    "bzip2": _bzip2,
    "xz": _xz,
}
