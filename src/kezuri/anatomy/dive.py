"""The numbers of dive, by dive's own rules, from the listings of layers; docs/analyze.md says where ours differ."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kezuri.anatomy.dissection import Dissection
from kezuri.layer.entry import Entry
from kezuri.layer.listing import Listing


class DiveFile(NamedTuple):
    """A path that several layers have: how many, and the bytes of all of them together."""

    copies: int
    size: int
    path: str


class DiveLayer(NamedTuple):
    """A layer as dive shows it; `size` are the bytes of its files."""

    number: int
    diff_id: str
    size: int
    command: str
    listing: Listing


class DiveFigures(NamedTuple):
    """What dive says about an image. `efficiency` is what the smallest appearance of each path weighs against all of
    them; `wasted` the bytes of every path that several layers have, the shown one among them."""

    layers: tuple[DiveLayer, ...]
    size: int
    wasted: int
    efficiency: float
    files: tuple[DiveFile, ...]

    @property
    def user_wasted(self) -> float:
        """The wasted bytes against those of all layers but the lowest, as Go divides: infinite, or no number, where
        these have none."""
        user = sum(layer.size for layer in self.layers[1:])
        if user:
            return self.wasted / user
        return float("inf") if self.wasted else float("nan")


def dive_figures(image: Dissection, ignored: Callable[[str], bool] = lambda path: False) -> DiveFigures:
    """The numbers; `ignored` says which paths are left out of them, which dive itself cannot."""
    listings = [layer.listing for layer in image.layers]
    commands = _commands(image)
    layers = tuple(
        DiveLayer(number, each.diff_id, each.listing.stored or each.listing.content(), commands[number], each.listing)
        for number, each in enumerate(image.layers)
    )
    stops: dict[int, tuple[bytes, ...]] = {}
    smallest, every, files = _efficiency(listings, ignored, stops)
    if stops:
        # Where a layer removes what is not there, dive goes no further in that layer.
        smallest, every, files = _efficiency(listings, ignored, stops, final=True)
    files.sort(key=lambda file: (-file.size, file.path))
    return DiveFigures(
        layers,
        sum(layer.size for layer in layers),
        sum(file.size for file in files),
        smallest / every if every else 1.0,
        tuple(files),
    )


def _efficiency(
    listings: Sequence[Listing],
    ignored: Callable[[str], bool],
    stops: dict[int, tuple[bytes, ...]],
    final: bool = False,
) -> tuple[int, int, list[DiveFile]]:
    """The least bytes of each path and all bytes of each path, added up, and the paths that several layers have. Unless
    it is `final`, `stops` gets by layer the first path that it removes and that is not there."""
    smallest = every = 0
    files: list[DiveFile] = []
    todo: list[tuple[str, tuple[int, ...]]] = [("", tuple(range(len(listings))))]
    while todo:
        path, above = todo.pop()
        names: dict[str, list[int]] = {}
        for number in above:
            for name in listings[number].children(path):
                names.setdefault(name, []).append(number)
        for name, layers in names.items():
            child = f"{path}/{name}" if path else name
            sizes = []
            below = []
            missed = False
            for number in layers:
                entry = listings[number].entry(child)
                if (entry is None or entry.kind == "dir") and listings[number].children(child):
                    below.append(number)
                    continue
                size = 0
                whiteout = entry is not None and entry.kind == "whiteout"
                if final and number in stops:
                    at = _order(child, whiteout)
                    missed = missed or at == stops[number]
                    if at >= stops[number]:
                        continue
                if whiteout:
                    found = removed_size(listings, child, number)
                    if found is None:
                        if not final:
                            key = _order(child, True)
                            stops[number] = min(stops.get(number, key), key)
                        continue
                    size = found
                elif entry is not None and entry.kind == "file":
                    size = entry.size
                sizes.append(size)
            if missed and not sizes:
                smallest -= 1  # dive has noted the path, and no size for it
            if sizes and not ignored(child):
                smallest += min(sizes)
                every += sum(sizes)
                if len(sizes) > 1:
                    files.append(DiveFile(len(sizes), sum(sizes), f"/{child}"))
            if below:
                todo.append((child, tuple(below)))
    return smallest, every, files


def removed_size(listings: Sequence[Listing], path: str, layer: int) -> int | None:
    """The bytes that a whiteout counts for: those of the directory that the lower layers have there, none for a file,
    and None where they have nothing. A directory that the last of them does not describe counts as a file."""
    bottom = 0
    at = ""
    for name in path.split("/"):
        at = f"{at}/{name}" if at else name
        bottom = _removed_until(listings, at, bottom, layer)
    having = _having(listings, path, bottom, layer)
    if not having:
        return None
    last = listings[having[-1]].entry(path)
    if last is None or last.kind != "dir":
        return 0
    total = 0
    todo = [(path, having)]
    while todo:
        directory, layers = todo.pop()
        names = dict.fromkeys(name for number in layers for name in listings[number].children(directory))
        for name in names:
            child = f"{directory}/{name}"
            above = _removed_until(listings, child, layers[0], layer)
            found = _having(listings, child, above, layer)
            if found:
                entry = listings[found[-1]].entry(child)
                total += entry.size if entry is not None and entry.kind == "file" else 0
                todo.append((child, found))
    return total


def _removed_until(listings: Sequence[Listing], path: str, bottom: int, layer: int) -> int:
    """The lowest layer from `bottom` on whose files at the path are still there below `layer`."""
    for number in range(layer - 1, bottom - 1, -1):
        entry = listings[number].entry(path)
        if entry is not None and entry.kind == "whiteout":
            return number + 1
    return bottom


def _having(listings: Sequence[Listing], path: str, bottom: int, layer: int) -> list[int]:
    return [number for number in range(bottom, layer) if path in listings[number]]


def _order(path: str, whiteout: bool = False) -> tuple[bytes, ...]:
    """A path's place in dive's way through a layer: by names, of which whiteouts have their prefix."""
    *parents, name = os.fsencode(path).split(b"/")
    return (*parents, b".wh." + name if whiteout else name)


def _commands(image: Dissection) -> list[str]:
    """By layer what the history says that made it, as dive counts the two against each other."""
    entries = [entry for entry in image.config.history if not entry.empty_layer]
    told = [entry.created_by.removeprefix("/bin/sh -c ") for entry in entries[: len(image.layers)]]
    return told + ["(missing)"] * (len(image.layers) - len(told))


def ordered(listing: Listing) -> Iterator[tuple[str, Entry | None]]:
    """Every path of a layer in dive's order, children before their directory; None for what is only implied."""
    todo: list[tuple[str, bool]] = [("", False)]
    while todo:
        path, done = todo.pop()
        if done:
            yield path, listing.entry(path)
            continue
        if path:
            todo.append((path, True))
        children = []
        for name in listing.children(path):
            child = f"{path}/{name}" if path else name
            entry = listing.entry(child)
            children.append((_order(child, entry is not None and entry.kind == "whiteout"), child))
        children.sort(reverse=True)
        todo += ((child, False) for _, child in children)
