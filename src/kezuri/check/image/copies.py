"""What single layers bring together: programs, and the manifests of the builds that made them."""

from typing import Final

from kezuri.anatomy.reading import Peek
from kezuri.anatomy.walk import Item
from kezuri.check.image.subject import Gathering
from kezuri.elf.reader import MAGIC

_MANIFESTS: Final = {
    "go.mod": "elf",
    "Cargo.toml": "elf",
    "CMakeLists.txt": "elf",
    "pom.xml": "jar",
    "build.gradle": "jar",
    "build.gradle.kts": "jar",
    "tsconfig.json": "js",
}
_THEIRS: Final = ("node_modules/", "site-packages/", "/testdata/", "vendor/", "pkg/mod/", "/.cache/", "registry/src/")


class Brought(Gathering):
    """One layer's programs and manifests, nearest to the root first."""

    def __init__(self) -> None:
        self.manifests: dict[str, str] = {}
        self.products: dict[str, str] = {}
        self.count = 0
        self.size = 0

    def pair(self) -> tuple[str, str]:
        """A program and the manifest that it was built by; empty where there are not both."""
        for kind, manifest in self.manifests.items():
            if kind in self.products:
                return self.products[kind], manifest
        return "", ""


class Copies(Gathering):
    """By layer, what came with it. Packages' own files are left out."""

    def __init__(self) -> None:
        self.layers: dict[int, Brought] = {}

    def take(self, item: Item) -> bool:
        """As Gathering says."""
        entry = item.entry
        if entry.kind != "file" or not item.visible:
            return False
        path = entry.path
        brought = self.layers.setdefault(item.layer, Brought())
        brought.count += 1
        brought.size += entry.size
        if any(each in path for each in _THEIRS):
            return False
        name = path.rpartition("/")[2]
        kind = _MANIFESTS.get(name)
        if kind is not None:
            brought.manifests.setdefault(kind, path)
        elif name.endswith((".jar", ".war")):
            brought.products.setdefault("jar", path)
        elif name.endswith(".js") and ("dist/" in path or "build/" in path or "out/" in path):
            brought.products.setdefault("js", path)
        return bool(entry.mode & 0o111) and entry.size >= 64

    def read(self, item: Item, data: Peek) -> None:
        """As Gathering says."""
        if data.at(0, 4) == MAGIC:
            self.layers[item.layer].products.setdefault("elf", item.path)
