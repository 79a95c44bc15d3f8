"""The files of all layers as columns, which pack well and from which a page makes its trees."""

from collections.abc import Iterable, Iterator
from heapq import nlargest
from typing import Any

from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.values import Piece
from kezuri.diagnostics import visible

MOST = 150_000
"""How many entries a page gets one by one. Of larger images the largest files stand for themselves, the others of a
directory are one."""

_KINDS = {
    "file": "f",
    "symlink": "s",
    "hardlink": "h",
    "whiteout": "w",
    "opaque": "o",
    "char": "c",
    "block": "b",
    "fifo": "p",
}
_FATES = {"shown": "0", "removed": "1", "replaced": "2", "rewritten": "3"}
_DEEPEST_HEAP = 4
"""Files that do not stand for themselves are put together in directories of so many names at most."""

Row = tuple[int, str, str, int, int, str, int, int, int]
"""Directory, name, kind, size, layer, fate, hiding layer, owner, leftover."""


def tree(image: Dissection, entries: int, most: int = MOST) -> dict[str, Any]:
    """The entries of an image with `entries` entries, directory by directory.

    `directories` and `names` are joined by slashes, which no name has; `parent` and `counts` (of entries) go by
    directory, everything else by entry. An empty name is the one before: another layer's entry at the same path.
    KezuriError where a layer cannot be read.
    """
    least = _threshold(image.pieces(), most) if entries > most else -1
    kinds = {"": 0}
    directories = _Directories()
    rows: list[Row] = []
    heaps: dict[tuple[int, int, str, int, int, int], list[int]] = {}
    for piece in image.pieces():
        entry = piece.entry
        if entry.kind == "dir":
            continue
        above, _, name = entry.path.rpartition("/")
        leftover = kinds.setdefault(piece.leftover, len(kinds))
        fate = _FATES.get(piece.fate, "0")
        if piece.size <= least:
            number = directories.number("/".join(above.split("/")[:_DEEPEST_HEAP]))
            key = (number, piece.layer, fate, piece.by, piece.owner, leftover)
            heap = heaps.setdefault(key, [0, 0])
            heap[0] += 1
            heap[1] += piece.size
            continue
        number, kind = directories.number(above), _KINDS[entry.kind]
        rows.append((number, name, kind, piece.size, piece.layer, fate, piece.by, piece.owner, leftover))
    for (number, layer, fate, by, owner, leftover), (count, size) in heaps.items():
        rows.append((number, str(count), "m", size, layer, fate, by, owner, leftover))
    rows.sort(key=lambda row: row[0])
    counts = [0] * len(directories.parents)
    for row in rows:
        counts[row[0]] += 1
    owners = [
        {
            "kind": owner.kind,
            "ecosystem": owner.ecosystem,
            "name": visible(owner.name),
            "version": visible(owner.version),
        }
        for owner in image.owners
    ]
    return {
        "parent": directories.parents,
        "directories": "/".join(directories.names),
        "counts": counts,
        "names": "/".join(_names(rows)),
        "kind": "".join(row[2] for row in rows),
        "size": [row[3] for row in rows],
        "layer": [row[4] for row in rows],
        "fate": "".join(row[5] for row in rows),
        "by": [row[6] for row in rows],
        "owner": [row[7] for row in rows],
        "leftover": [row[8] for row in rows],
        "owners": owners,
        "leftovers": list(kinds),
    }


class _Directories:
    """Directories by number: one is always higher than that of the directory that it lies in."""

    def __init__(self) -> None:
        self.names = [""]
        self.parents = [0]
        self._numbers = {"": 0}

    def number(self, path: str) -> int:
        found = self._numbers.get(path)
        if found is not None:
            return found
        at, number = 0, 0
        while at >= 0:
            at = path.find("/", at + 1)
            part = path if at < 0 else path[:at]
            next_number = self._numbers.get(part)
            if next_number is None:
                next_number = self._numbers[part] = len(self.names)
                self.names.append(visible(part.rpartition("/")[2]))
                self.parents.append(number)
            number = next_number
        return number


def _threshold(pieces: Iterable[Piece], most: int) -> int:
    """The size from which on files no longer stand for themselves, so that at most `most` do."""
    largest = nlargest(most + 1, (piece.size for piece in pieces if piece.entry.kind != "dir"))
    return largest[-1] if len(largest) > most else -1


def _names(rows: list[Row]) -> Iterator[str]:
    before: tuple[int, str] | None = None
    for row in rows:
        here = (row[0], row[1])
        yield "" if here == before and row[2] != "m" else visible(row[1])
        before = None if row[2] == "m" else here
