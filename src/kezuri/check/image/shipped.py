"""Files that have no business in an image that runs, gathered by what they are called and where they lie."""

import re
from typing import Final

from kezuri.anatomy.leftovers import CACHES_RULE, DIRECTORIES, FILES, THEIRS, cache_of, stray_directory
from kezuri.anatomy.walk import Item
from kezuri.check.image.subject import Gathering
from kezuri.check.image.waste import Heap

_COMPILED = "__pycache__"
HEAVY: Final = frozenset(
    (".git", ".hg", ".svn", ".env", ".env.local", ".env.production", ".env.production.local", ".aws")
)
"""Those that give something away, or weigh."""


class Shipped(Gathering):
    """Caches of package managers, and files of a working copy."""

    def __init__(self) -> None:
        self.caches: dict[tuple[int, str], Heap] = {}
        self.stray: set[tuple[int, str]] = set()
        """Layers and paths."""
        self.sizes: dict[str, int] = {}
        """The bytes of stray directories, by path."""

    def take(self, item: Item) -> bool:
        """As Gathering says."""
        entry = item.entry
        if not item.visible or entry.kind not in ("file", "dir"):
            return False
        path = entry.path
        inside = stray_directory(path)
        if inside and inside in self.sizes:
            self.sizes[inside] += entry.size
            return False
        if entry.kind == "file":
            cache = cache_of(path)
            if cache is not None and cache.rule == CACHES_RULE:
                self.caches.setdefault((item.layer, cache.words), Heap()).add(entry.size, path)
                return False
        name = path.rpartition("/")[2]
        wanted = FILES if entry.kind == "file" else DIRECTORIES
        if (name not in wanted and (name != _COMPILED or entry.kind == "file")) or THEIRS.search(path):
            return False
        if name == _COMPILED and re.search(r"(?:^|/)(?:lib|lib64|venv|\.venv)/", path):
            return False
        self.stray.add((item.layer, path))
        self.sizes[path] = entry.size
        return False
