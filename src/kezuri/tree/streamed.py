"""Layers that are read as streams: no further than until what is asked for has come by."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self, cast

from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import Decompressed
from kezuri.layer.entry import Entry
from kezuri.layer.listing import Listing
from kezuri.layer.placement import ROOT, Placement
from kezuri.layer.tar_reader import read_tar
from kezuri.layer.view import AnythingBelow
from kezuri.linux.links import TooManyLinks, follow
from kezuri.tree.content import InTar, hashed
from kezuri.tree.layers import ListedLayer, linked_to_nothing
from kezuri.tree.tree import Found

Opener = Callable[[], BinaryIO]
"""Opens a layer's tar, compressed or not, at its beginning; to be used in a `with`."""


class StreamedLayer:
    """One layer, known as far as it was read; to be used in a `with`, which ends the reading.

    Entries come to lie as where the layer is unpacked (`Placement`), but what comes after the point where somebody
    stopped is not known: of a path that a tar holds twice, the first one is seen. `where` names the layer in errors.
    """

    def __init__(self, opener: Opener, where: str) -> None:
        self.where = where
        self._opener = opener
        self._placed = Placement(where, AnythingBelow())
        self._held = ExitStack()
        self._entries: Iterator[tuple[Entry, BinaryIO | None]] | None = None
        self._number = 0
        self._now: tuple[str, BinaryIO] | None = None
        self.ended = False
        """Whether the layer was read to its end, so that everything in it is known."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def advance(self) -> bool:
        """Read one entry more; False at the end. KezuriError when the layer cannot be read."""
        if self.ended:
            return False
        if self._entries is None:
            stream = self._held.enter_context(self._opener())
            self._entries = read_tar(cast(BinaryIO, Decompressed(stream, self.where)), self.where)
        self._now = None
        following = next(self._entries, None)
        if following is None:
            self.ended = True
            self._held.close()
            return False
        entry, data = following
        at = self._placed.place(entry)
        self._placed.put(at, self._number, entry.path)
        self._number += 1
        if data is not None:
            self._now = at.path, data
        return True

    @property
    def begun(self) -> bool:
        """Whether any of it was read."""
        return self._entries is not None

    def restart(self) -> None:
        """Forget what was read."""
        self._held.close()
        self._placed = Placement(self.where, AnythingBelow())
        self._entries, self._number, self._now, self.ended = None, 0, None, False

    def finish(self) -> None:
        """Read to the end: then its source has proved whatever it can prove. KezuriError when it cannot."""
        while self.advance():
            pass

    def find(self, path: str) -> Found | None:
        """What the layer is known to have at this path, a whiteout or a hard link as they are; a directory that only
        has something in it counts as one. None for nothing so far."""
        entry = self._placed.nodes.get(path)
        if entry is None:
            return Found(ROOT._replace(path=path)) if self._placed.directory(path) else None
        if entry.kind != "file":
            return Found(entry)
        return Found(entry, InTar(self, path) if entry.size else b"")

    def ends_at(self, path: str) -> bool:
        """Whether nothing of the layers below is seen at this path: this layer hides it, or has something else than a
        directory above it."""
        nodes, opaque = self._placed.nodes, self._placed.opaque
        node = nodes.get(path)
        if node is not None and node.kind != "dir":
            return True
        while path:
            path = path.rpartition("/")[0]
            node = nodes.get(path)
            if path in opaque or (node is not None and node.kind != "dir"):
                return True
        return False

    def hides_below(self, path: str) -> bool:
        """Whether the directory at this path shows nothing that lower layers have in it."""
        return path in self._placed.opaque or self.ends_at(path)

    def has_files(self, path: str) -> bool:
        """Whether there are files that are not empty at this path, or below the directory that it is."""
        todo = [path]
        while todo:
            at = todo.pop()
            node = self._placed.nodes.get(at)
            if node is not None and (node.kind == "hardlink" or (node.kind == "file" and node.size)):
                return True
            todo.extend(f"{at}/{name}" if at else name for name in self._placed.names.get(at, ()))
        return False

    @property
    def links_down(self) -> bool:
        """Whether a hard link, of what was read, names nothing of this layer, so that it is a file of those below."""
        nodes = self._placed.nodes
        targets = (nodes.get(node.link) for node in nodes.values() if node.kind == "hardlink")
        return any(target is None or target.kind in ("whiteout", "dir") for target in targets)

    def listed(self, opener: Opener | None = None) -> ListedLayer:
        """The layer as one that is listed, read to its end for it; `opener` opens it for who wants files."""
        self.finish()
        return ListedLayer(Listing.of_placement(self._placed, {}), opener or self._opener, self.where)

    def digests(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """As TarFiles says."""
        return {path: hashed(data) for path, _, data in self.read(paths)}

    def read(self, paths: Collection[str]) -> Iterator[tuple[str, int, BinaryIO]]:
        """As TarFiles says. Of the file that came by just now the bytes are there; for others the layer is read anew,
        up to the last of them."""
        if self._now is not None and list(paths) == [self._now[0]]:
            path, data = self._now
            self._now = None
            yield path, self._placed.nodes[path].size, data
            return
        wanted = {self._placed.member(path): path for path in paths}
        if not wanted:
            return
        with self._opener() as stream:
            plain = cast(BinaryIO, Decompressed(stream, self.where))
            for number, (entry, bytes_of) in enumerate(read_tar(plain, self.where)):
                if bytes_of is not None and number in wanted:
                    yield wanted.pop(number), entry.size, bytes_of
                    if not wanted:
                        return
        raise KezuriError.of(f"{self.where} is another one now: it has no {next(iter(wanted.values()))!r} any more")


class Descent:
    """A stack of layers, lowest first, searched from the top; no layer is read that a higher one makes needless.

    What it finds is what `StackView` shows of the same layers, as far as they were read: see StreamedLayer.
    """

    def __init__(self, layers: Sequence[StreamedLayer]) -> None:
        self._layers = tuple(layers)

    def stat(self, path: str) -> Found | None:
        """What is at exactly this path, of which no parent is a link; a hard link as the file that it is."""
        return self._stat(path, len(self._layers))

    def resolve(self, path: str, last: bool = True) -> str:
        """The path with its links followed within the root, the one at its end only if `last`; missing components stay
        as they are. KezuriError after 255 links."""

        def target(at: str, more: bool) -> str | None:
            if not more and not last:
                return None
            found = self.stat(at)
            return found.entry.link if found is not None and found.entry.kind == "symlink" else None

        try:
            return follow(path, target)
        except TooManyLinks:
            raise KezuriError.of(
                f'too many symbolic links in "{path}"', hint="Look for links that point at each other."
            ) from None

    def reaching(self, path: str, before: Callable[[StreamedLayer], None] = lambda layer: None) -> list[StreamedLayer]:
        """The layers that the directory at this path is made up of, lowest first; what is below them is hidden, unless
        a hard link may lead there. Each is handed to `before`, and then read to its end."""
        reached: list[StreamedLayer] = []
        for layer in reversed(self._layers):
            reached.insert(0, layer)
            before(layer)
            layer.finish()
            if layer.hides_below(path) and not any(each.links_down for each in reached):
                break
        return reached

    def _stat(self, path: str, height: int) -> Found | None:
        for index in range(height - 1, -1, -1):
            layer = self._layers[index]
            while True:
                found = layer.find(path)
                if found is not None and found.entry.kind != "whiteout":
                    return self._linked(found.entry, index) if found.entry.kind == "hardlink" else found
                if not layer.advance():
                    break
            if layer.ends_at(path):
                return None
        return None if path else Found(ROOT)

    def _linked(self, entry: Entry, index: int) -> Found:
        """A hard link as the file that it names, of the same layer or of those below. KezuriError without one."""
        first = self._layers[index].find(entry.link)
        if first is None or first.entry.kind in ("whiteout", "dir"):
            first = self._stat(entry.link, index)
        if first is None:
            raise linked_to_nothing(self._layers[index].where, entry)
        return first._replace(entry=first.entry._replace(path=entry.path))
