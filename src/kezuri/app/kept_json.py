"""A value kept in a file of the store, as packed JSON: worth no more than the time that it spares."""

from contextlib import suppress
from typing import Any


def load(path: str, magic: bytes, most: int) -> Any:
    """The value that was kept at a path under this first line, of at most so many bytes, packed or not; None where
    there is none, or it is damaged."""
    import json
    import zlib

    try:
        with open(path, "rb") as file:
            raw = file.read(most)
        if not raw.startswith(magic):
            return None
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(raw[len(magic) :], most)
        return json.loads(text) if unpacker.eof else None
    except (OSError, ValueError, zlib.error, RecursionError):
        return None


def save(path: str, magic: bytes, value: object) -> None:
    """Keep a value, if the disk takes it."""
    import json
    import zlib

    from kezuri.linux.replacement import replacement

    with suppress(OSError), replacement(path, durable=False) as file:
        file.write(magic + zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1))
