"""Images that stand in rules' pages, made in memory: what is said of them is tried out with every rule."""

import json
from collections.abc import Iterator

from kezuri.anatomy.history import History
from kezuri.check.image.blotting import blotted
from kezuri.check.image.rule import ExampleLayer, ImageExample
from kezuri.check.image.subject import Image
from kezuri.layer.entry import Entry
from kezuri.layer.placement import Placement
from kezuri.oci.config import ImageConfig
from kezuri.tree.layers import IMPLIED
from kezuri.tree.tree import Found


class MemoryLayer:
    """One layer as a table: see LayerForm."""

    def __init__(self, files: ExampleLayer) -> None:
        self._placed = Placement("an example")
        self._data: dict[str, bytes] = {}
        for path, made in files.items():
            size = (made.size if made.size >= 0 else len(made.data)) if made.kind == "file" else 0
            entry = Entry(path, made.kind, made.mode, made.uid, made.gid, size, made.mtime, made.link)
            self._placed.put(self._placed.place(entry))
            self._data[path] = made.data

    def find(self, path: str) -> Found | None:
        """As LayerForm says."""
        entry = self._placed.nodes.get(path)
        if entry is None:
            return IMPLIED if self._placed.directory(path) else None
        return Found(entry, self._data.get(path, b"") if entry.kind == "file" else None)

    def scan(self, path: str) -> Iterator[tuple[str, Found]]:
        """As LayerForm says."""
        for name in self._placed.names.get(path, ()):
            found = self.find(f"{path}/{name}" if path else name)
            if found is not None:
                yield name, found

    def opaque(self, path: str) -> bool:
        """As LayerForm says."""
        return path in self._placed.opaque


def image_of(example: ImageExample) -> Image:
    """The image that an example shows."""
    said = {"architecture": "amd64", "os": "linux", "history": [], "names": [], **example.config}
    names = said.pop("names")
    outer = {key: said.pop(key) for key in ("architecture", "os", "history")}
    made = [{"created_by": f"COPY layer {number + 1} /"} for number in range(len(example.layers))]
    outer["history"] = outer["history"] or made
    digests = [f"sha256:{number:064x}" for number in range(len(example.layers))]
    document = {**outer, "config": said, "rootfs": {"type": "layers", "diff_ids": digests}}
    config = ImageConfig.parse(json.dumps(document).encode(), "an example")
    history = History("example", config.history, len(example.layers), (), blotted)
    assert isinstance(names, list)
    return Image("example", config, [MemoryLayer(layer) for layer in example.layers], history, names=tuple(names))
