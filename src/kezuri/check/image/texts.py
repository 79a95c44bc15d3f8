"""The small files of an image that say something about the whole of it, read as they go by."""

from typing import Final

from kezuri.anatomy.reading import Peek
from kezuri.anatomy.walk import Item
from kezuri.check.image.subject import Gathering, Image

_FIXED: Final = frozenset(
    (
        "etc/passwd",
        "etc/group",
        "etc/shadow",
        "etc/os-release",
        "usr/lib/os-release",
        "etc/ld.so.conf",
        "var/lib/dpkg/status",
        "lib/apk/db/installed",
        "usr/lib/apk/db/installed",
    )
)
_DATABASES: Final = frozenset(("var/lib/dpkg/status", "lib/apk/db/installed", "usr/lib/apk/db/installed"))
_NAMES: Final = frozenset((".package-lock.json", ".modules.yaml", ".yarn-integrity"))
_LARGEST = 32 << 20
_MOST = 128 << 20


class Texts(Gathering):
    """Files by path. At most 128 MiB in all, and 32 MiB of one."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}
        self._databases: dict[str, dict[int, bytes]] = {}
        self._room = _MOST

    def take(self, item: Item) -> bool:
        """As Gathering says."""
        entry = item.entry
        if entry.kind != "file" or not entry.size or entry.size > min(_LARGEST, self._room):
            return False
        if not _wanted(entry.path) or not (item.visible or entry.path in _DATABASES):
            return False
        self._room -= entry.size
        return True

    def read(self, item: Item, data: Peek) -> None:
        """As Gathering says."""
        text = data.at(0, item.entry.size)
        if item.visible:
            self._texts[item.path] = text
        if item.path in _DATABASES:
            self._databases.setdefault(item.path, {})[item.layer] = text

    def __call__(self, image: Image, path: str) -> bytes:
        """The file at the path, whose links are followed; empty for none."""
        found = self._texts.get(path)
        return found if found is not None else self._texts.get(image.resolve(path), b"")

    def databases(self, path: str) -> dict[int, bytes]:
        """What each layer has of a database of packages, of which the image shows only the last."""
        return self._databases.get(path, {})

    def called(self, name: str) -> list[str]:
        """The paths of the files with this name."""
        return sorted(path for path in self._texts if path.rpartition("/")[2] == name)

    def below(self, directory: str) -> list[str]:
        """The paths of the files in this directory."""
        return sorted(path for path in self._texts if path.rpartition("/")[0] == directory)


def _wanted(path: str) -> bool:
    if path in _FIXED:
        return True
    directory, _, name = path.rpartition("/")
    if name in _NAMES:
        return directory.rpartition("/")[2] == "node_modules"
    if name == "package.json":
        return "node_modules/" not in path
    if directory == "etc":
        return name.startswith("ld-musl-") and name.endswith(".path")
    return directory in ("etc/ld.so.conf.d", "var/lib/dpkg/status.d")
