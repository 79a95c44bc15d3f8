"""Paths out of the files of a failed step, written where they can be looked at: `build --on-error=export`."""

import posixpath
from collections.abc import Iterator

from kezuri.app.request import Salvage
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.export.root import Exported, merged_items, write_directory
from kezuri.step.wreck import Wreck
from kezuri.tree.stack import StackView


def salvage(wanted: tuple[Salvage, ...], wreck: Wreck) -> list[Diagnostic]:
    """Write each path that is wanted into its directory; what came of it, for whoever is told of the failure."""
    view = wreck.view()
    return [diagnostic for each in wanted for diagnostic in _salvage(each, wreck, view)]


def _salvage(wanted: Salvage, wreck: Wreck, view: StackView) -> Iterator[Diagnostic]:
    path = posixpath.normpath(posixpath.join("/", wreck.step.cwd, wanted.path))
    for mount in wreck.step.mounts:
        inside = mount.target.rstrip("/") + "/"
        if (path + "/").startswith(inside):
            yield Diagnostic("warning", f"{path} was not exported: {mount.target} is a mount, not a part of the image")
            return
        if inside.startswith(path.rstrip("/") + "/"):
            yield Diagnostic("info", f"what was mounted at {mount.target} is not exported with {path}")
    warnings: list[str] = []
    try:
        place = view.resolve(path)
        if view.lookup(place) is None:
            yield Diagnostic("warning", f"the failed step has no {path}: nothing is written to {wanted.dest}")
            return
        count = _Count(merged_items(view, place))
        write_directory(count, wanted.dest, warnings.append)
    except KezuriError as error:
        for diagnostic in error.diagnostics:
            yield diagnostic._replace(severity="warning", message=f"{path} was not exported: {diagnostic.message}")
        return
    files = "1 file" if count.files == 1 else f"{count.files} files"
    yield Diagnostic("info", f"{files} of {path}, as the failed step left it, written to {wanted.dest}")
    for text in warnings:
        yield Diagnostic("warning", text)


class _Count:
    """The items, and how many of those that were taken are files of any kind but devices, which stay behind."""

    def __init__(self, items: Iterator[Exported]) -> None:
        self._items = items
        self.files = 0

    def __iter__(self) -> Iterator[Exported]:
        for item in self._items:
            self.files += item[0].kind not in ("dir", "char", "block")
            yield item
