"""Files that have no business in an image that runs, gathered by what they are called and where they lie."""

import re
from typing import Final

from kezuri.anatomy.walk import Item
from kezuri.check.image.subject import Gathering
from kezuri.check.image.waste import Heap

_CACHES: Final = (
    (re.compile(r"var/lib/apt/lists/(?!lock$|partial$|auxfiles$).+"), "the list of packages of apt"),
    (re.compile(r"var/cache/apt/(?:archives/.+\.deb|(?:src)?pkgcache\.bin)$"), "the cache of apt"),
    (re.compile(r"(?:var/cache|etc)/apk/(?:APKINDEX.+|cache/.+|.+\.apk)$"), "the cache of apk"),
    (re.compile(r"var/cache/(?:dnf|yum|libdnf5|zypp)/.+"), "the cache of dnf, yum or zypper"),
    (re.compile(r"(?:root|home/[^/]+)/\.npm/_cacache/.+"), "the cache of npm"),
    (re.compile(r"(?:usr/local/share|root|home/[^/]+)/\.cache/yarn/.+"), "the cache of yarn"),
    (re.compile(r"(?:root|home/[^/]+)/\.yarn/berry/cache/.+"), "the cache of yarn"),
    (re.compile(r"(?:root|home/[^/]+)/\.local/share/pnpm/store/.+"), "the store of pnpm"),
    (re.compile(r"(?:root|home/[^/]+)/\.cache/pip/.+"), "the cache of pip"),
    (re.compile(r"(?:root|home/[^/]+)/\.cache/(?:uv|pypoetry)/.+"), "the cache of uv or poetry"),
    (re.compile(r"(?:root|home/[^/]+)/\.cache/go-build/.+"), "the build cache of Go"),
    (re.compile(r"(?:go|root/go|home/[^/]+/go)/pkg/mod/.+"), "the module cache of Go"),
    (re.compile(r"(?:root|home/[^/]+)/\.m2/repository/.+"), "the repository of Maven"),
    (re.compile(r"(?:root|home/[^/]+)/\.gradle/caches/.+"), "the cache of Gradle"),
    (re.compile(r"(?:usr/local/cargo|(?:root|home/[^/]+)/\.cargo)/registry/.+"), "the registry of Cargo"),
    (re.compile(r"(?:root|home/[^/]+)/\.bun/install/cache/.+"), "the cache of Bun"),
    (re.compile(r"(?:root|home/[^/]+)/\.composer/cache/.+"), "the cache of Composer"),
    (re.compile(r"(?:.+/)?node_modules/\.cache/.+"), "a cache in node_modules"),
)
_FIRST = re.compile(r"var/|etc/apk|root/|home/|usr/local/(?:share|cargo)/|go/|.*node_modules/\.cache/")

_STRAY: Final = frozenset(
    (".git", ".hg", ".svn", ".env", ".env.local", ".env.production", ".env.development", ".env.production.local",
     ".vscode", ".idea", ".DS_Store", "Dockerfile", "docker-compose.yml", "docker-compose.yaml", "compose.yaml",
     "compose.yml", ".dockerignore", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nyc_output",
     ".terraform", ".aws", "__pycache__")
)  # fmt: skip
HEAVY: Final = frozenset(
    (".git", ".hg", ".svn", ".env", ".env.local", ".env.production", ".env.production.local", ".aws")
)
"""Those that give something away, or weigh."""
_THEIRS = re.compile(
    r"(?:^|/)(?:node_modules|site-packages|dist-packages|vendor|testdata|\.nvm|\.pyenv|\.rbenv|\.oh-my-zsh|\.cache)/"
    r"|^(?:usr|lib|go/pkg|proc|sys|var/lib)/"
)
_DIRECTORIES: Final = frozenset(
    (".git", ".hg", ".svn", ".vscode", ".idea", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nyc_output",
     ".terraform", ".aws")
)  # fmt: skip
_WITHIN = re.compile(rf"((?:.*?/)?(?:{'|'.join(map(re.escape, sorted(_DIRECTORIES)))}|__pycache__))/")


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
        inside = _WITHIN.match(path)
        if inside is not None and inside[1] in self.sizes:
            self.sizes[inside[1]] += entry.size
            return False
        if entry.kind == "file" and _FIRST.match(path):
            for pattern, what in _CACHES:
                if pattern.match(path):
                    self.caches.setdefault((item.layer, what), Heap()).add(path, entry.size)
                    return False
        name = path.rpartition("/")[2]
        if name not in _STRAY:
            return False
        if (entry.kind == "dir") != (name in _DIRECTORIES or name == "__pycache__") or _THEIRS.search(path):
            return False
        if name == "__pycache__" and re.search(r"(?:^|/)(?:lib|lib64|venv|\.venv)/", path):
            return False
        self.stray.add((item.layer, path))
        self.sizes[path] = entry.size
        return False
