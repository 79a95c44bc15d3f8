"""How the bytes of a layer are compressed, and the name of the encoder that fixes those bytes."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from kezuri.diagnostics import KezuriError

Kind = Literal["gzip", "zstd", "none"]

BLOCK = 1 << 20
"""The tar stream is cut into blocks of this many bytes, always at the same places, because igzip's output depends on
where its input is cut. The size is part of what an encoder id stands for: change it and the ids must change."""

WINDOW = 32 << 10
"""How many bytes of the block before it a gzip block may refer to (RFC 1951: 32 KiB)."""

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""RFC 1952 §2.3: deflate, no flags, no time, operating system unknown: nothing of this machine is in it."""

EMPTY_GZIP = bytes.fromhex("1f8b08000000000000ff621805a360148c5800080000ffff2eafb5ef00040000")
"""The layer without entries as BuildKit writes it: its digest, sha256:4f4fb700ef54…, is known to every registry."""

_MOST_ZSTD = 19

BlockEncoder = Callable[[bytes, bytes, bool], bytes]
"""(block, the end of the block before, whether it is the last) → compressed bytes."""


class Compression(NamedTuple):
    """How a layer is compressed; made by `compression`.

    `encoder` names implementation, version and level: the same encoder and the same tar give the same blob, whatever
    the number of cores. Other implementations and versions give other blobs. igzip chooses its code by the
    processor: that all processors give the same blob has been seen on one family only.
    """

    kind: Kind
    level: int | None
    encoder: str


def compression(kind: Kind = "gzip", level: int | None = None) -> Compression:
    """The compression of this kind at this level, with the best encoder there is.

    gzip: without a level, igzip (where the `isal` package is installed) at its level 2, otherwise zlib at 6; levels 1
    to 3 are igzip's, 4 to 9 are zlib's, 0 stores. zstd: 1 to 19, 3 without a level. KezuriError for other levels.
    """
    if kind == "none":
        return Compression("none", None, "none")
    if kind == "zstd":
        chosen = 3 if level is None else level
        if not 1 <= chosen <= _MOST_ZSTD:
            raise KezuriError.of(
                f"zstd has no compression level {chosen} here", hint=f"give a level from 1 to {_MOST_ZSTD}", exit_code=2
            )
        import zstandard

        version = ".".join(str(part) for part in zstandard.ZSTD_VERSION)
        return Compression("zstd", chosen, f"zstd/{version}/{chosen}")
    if kind != "gzip":
        raise KezuriError.of(f"unknown compression {kind}", hint="choose gzip, zstd or none", exit_code=2)
    if level is not None and not 0 <= level <= 9:
        raise KezuriError.of(f"gzip has no compression level {level}", hint="give a level from 0 to 9", exit_code=2)
    if level is None or 1 <= level <= 3:
        igzip = _igzip_version()
        if igzip:
            chosen = 2 if level is None else level
            return Compression("gzip", chosen, f"igzip/{igzip}/{chosen}")
    import zlib

    chosen = 6 if level is None else level
    return Compression("gzip", chosen, f"zlib/{zlib.ZLIB_RUNTIME_VERSION}/{chosen}")


def _igzip_version() -> str:
    try:
        import isal
    except ImportError:
        return ""
    return str(isal.__version__)


def gzip_block_encoder(chosen: Compression) -> BlockEncoder:
    """An encoder of single gzip blocks, which any number of threads may use at once.

    Each block is deflated by itself with the 32 KiB before it as dictionary, and all but the last end at a byte
    boundary, so that the blocks put together are one deflate stream.
    """
    level = chosen.level
    assert level is not None
    if chosen.encoder.startswith("igzip/"):
        from isal import isal_zlib

        igzip, finish, sync = isal_zlib.compressobj, isal_zlib.Z_FINISH, isal_zlib.Z_SYNC_FLUSH

        def encode(block: bytes, before: bytes, last: bool) -> bytes:
            stream = igzip(level, 8, -15, 8, 0, before) if before else igzip(level, 8, -15)
            return bytes(stream.compress(block) + stream.flush(finish if last else sync))

        return encode
    import zlib

    def encode_zlib(block: bytes, before: bytes, last: bool) -> bytes:
        stream = zlib.compressobj(level, 8, -15, 8, 0, before) if before else zlib.compressobj(level, 8, -15)
        return stream.compress(block) + stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)

    return encode_zlib


def zstd_stream_encoder(chosen: Compression, threads: int) -> BlockEncoder:
    """An encoder of one zstd frame, for one thread that gives it every block in order.

    zstd compresses in threads of its own (workers). The bytes are the same for any number of workers, and others only
    without any.
    """
    import zstandard

    assert chosen.level is not None
    # At a high level each worker takes tens of megabytes.
    workers = 1 if chosen.level > 12 else max(1, threads)
    stream = zstandard.ZstdCompressor(level=chosen.level, threads=workers).compressobj()

    def encode(block: bytes, before: bytes, last: bool) -> bytes:
        out = stream.compress(block)
        return out + stream.flush() if last else out

    return encode
