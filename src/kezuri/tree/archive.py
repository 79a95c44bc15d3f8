"""Tar archives among the sources of an ADD, and on standard input: known by their bytes, unpacked into entries."""

import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import decompress
from kezuri.layer.entry import Item, leads_elsewhere
from kezuri.layer.placement import MOST_ENTRIES, MOST_WEIGHT, too_much
from kezuri.layer.tar_reader import read_tar
from kezuri.tree.content import Spool
from kezuri.tree.tree import kept_attribute

_BLOCK = 512


class Archives:
    """Unpacks archives; the bytes of their files are kept as Spool says, so that no name in an archive becomes a name
    in the scratch directory."""

    def __init__(self, scratch: str) -> None:
        self._spool = Spool(scratch, "archive")
        self._done: dict[str, Sequence[Item]] = {}

    def extract(self, content: str | bytes, where: str = "the archive") -> Sequence[Item] | None:
        """The entries of the archive that a file holds, None when it is none.

        `content` is a path of this machine or the bytes themselves; `where` names the bytes in errors. A tar is an
        archive, plain or compressed with gzip, bzip2, xz or zstd, whatever it is called; a zip never is. KezuriError
        when it begins as an archive and then is damaged or unsafe.
        """
        if isinstance(content, bytes):
            import io

            return self._extract(io.BytesIO(content), where)
        if content not in self._done:
            try:
                with open(
                    os.open(content, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb", 0
                ) as file:
                    if leads_elsewhere(content, file.fileno()):
                        raise KezuriError.of(f'"{content}" changed while it was read')
                    items = self._extract(file, os.path.basename(content))
            except OSError as error:
                raise KezuriError.of(f'cannot read "{content}": {error.strerror}') from None
            if items is None:
                return None
            self._done[content] = items
        return self._done[content]

    def _extract(self, file: BinaryIO, where: str) -> Sequence[Item] | None:
        if not is_archive(file):
            return None
        file.seek(0)
        return tuple(self.items(decompress(file, where), where))

    def items(self, stream: BinaryIO, where: str) -> Iterator[Item]:
        """The entries of a plain tar stream, in its order; `where` is its name in errors."""
        weight = 0
        for count, (entry, data) in enumerate(read_tar(stream, where, rootless=True), 1):
            weight += entry.weight
            if count > MOST_ENTRIES or weight > MOST_WEIGHT:
                raise too_much(where)
            if entry.xattrs:
                entry = entry._replace(xattrs=tuple(pair for pair in entry.xattrs if kept_attribute(pair[0])))
            yield entry, None if data is None else self._spool.keep(data, entry.size)


def is_archive(stream: BinaryIO) -> bool:
    """Whether a stream, read from its beginning, holds a tar: its first block, uncompressed, is a sound header."""
    try:
        return is_tar_header(decompress(stream, "").read(_BLOCK))
    except KezuriError:
        return False


def is_tar_header(block: bytes) -> bool:
    """Whether these 512 bytes are a tar header: the checksum in it is right."""
    if len(block) < _BLOCK or not any(block):
        return False
    field = block[148:156].split(b"\0", 1)[0].strip(b" ")
    if not field or field.strip(b"01234567"):
        return False
    rest = block[:148] + b" " * 8 + block[156:]
    stored = int(field, 8)
    return stored in (sum(rest), sum(byte - 256 if byte > 127 else byte for byte in rest))
