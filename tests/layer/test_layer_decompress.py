"""Streams in any compression, whole or broken."""

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from typing import BinaryIO, cast

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import decompress, detect

PLAIN = b"".join(b"line %d\n" % n for n in range(60_000))


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "plain": bytes,
}
compressed = pytest.mark.parametrize("form", ["gzip", "zstd", "bzip2", "xz"])


class Slow(io.RawIOBase):
    """A stream that gives one or a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(self._step)


@pytest.mark.parametrize("form", FORMS)
def test_whole_streams(form: str) -> None:
    blob = FORMS[form](PLAIN)
    assert detect(blob[:512]) == form
    assert decompress(io.BytesIO(blob), "blob").read() == PLAIN
    stream = decompress(cast(BinaryIO, Slow(blob, 4099)), "blob")
    parts = []
    while part := stream.read(10_007):
        parts.append(part)
    assert b"".join(parts) == PLAIN
    assert all(len(part) == 10_007 for part in parts[:-1])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("step", [1, 3])
def test_streams_in_drops(form: str, step: int) -> None:
    blob = FORMS[form](PLAIN[:5000]) + FORMS[form](b"more")
    assert decompress(cast(BinaryIO, Slow(blob, step)), "blob").read() == PLAIN[:5000] + b"more"


def test_skippable_zstd_frames_and_gzip_padding() -> None:
    skip = (0x184D2A50).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"hello"
    assert decompress(io.BytesIO(skip + zstd(PLAIN) + skip + zstd(b"x") + skip), "blob").read() == PLAIN + b"x"
    assert decompress(io.BytesIO(gzip.compress(PLAIN) + bytes(1000)), "blob").read() == PLAIN


@compressed
def test_truncated_anywhere(form: str) -> None:
    blob = FORMS[form](PLAIN[:3000])
    for end in range(6, len(blob)):
        with pytest.raises(KezuriError, match="the blob"):
            decompress(io.BytesIO(blob[:end]), "the blob").read()


@compressed
def test_something_else_behind(form: str) -> None:
    with pytest.raises(KezuriError, match="blob"):
        decompress(io.BytesIO(FORMS[form](PLAIN) + b"garbage that is long enough"), "blob").read()


@compressed
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_is_an_error_or_harmless(form: str, data: st.DataObject) -> None:
    blob = bytearray(FORMS[form](PLAIN[:2000]))
    at = data.draw(st.integers(6, len(blob) - 1))
    blob[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert decompress(io.BytesIO(bytes(blob)), "blob").read() == PLAIN[:2000]
    except KezuriError:
        pass


@compressed
def test_bombs_stop_at_the_limit(form: str) -> None:
    bomb = FORMS[form](bytes(12 << 20))
    stream = decompress(io.BytesIO(bomb), "bomb", limit=5 << 20)
    total = 0
    with pytest.raises(KezuriError, match=r"bomb unpacks to more than 5242880 bytes"):
        while part := stream.read(1 << 16):
            total += len(part)
    assert total <= 5 << 20


def test_a_zstd_window_beyond_the_bound_is_an_error() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=30, strategy=1)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    blob = stream.compress(b"x") + stream.flush()
    with pytest.raises(KezuriError, match="zstd"):
        decompress(io.BytesIO(blob), "blob").read()


def test_empty_streams_are_plain() -> None:
    assert decompress(io.BytesIO(b""), "blob").read() == b""


def test_without_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)
    blob = gzip.compress(PLAIN) + gzip.compress(b"x") + bytes(10)
    assert decompress(cast(BinaryIO, Slow(blob, 100)), "blob").read() == PLAIN + b"x"
    with pytest.raises(KezuriError, match="truncated"):
        decompress(io.BytesIO(blob[:500]), "blob").read()
