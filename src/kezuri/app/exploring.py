"""An image opened to be looked around in: by a thread of its own, so that whoever looks is never kept waiting."""

import os
import queue
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.listing_tree import FileTree, Node
from kezuri.anatomy.values import Maker, Owner
from kezuri.app.anatomy import Named, opened_dissection
from kezuri.app.layer_sources import Traffic
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.oci.config import ImageConfig
from kezuri.progress.calling_off import CalledOff, CallOff
from kezuri.tree.content import pieces
from kezuri.tree.stack import StackView
from kezuri.tree.tree import Found

MOST_LOOKED_AT = 1 << 20
"""How many bytes of a file are read to be shown."""


class SeenLayer(NamedTuple):
    """A layer: its plain bytes, and of them those of files that the image shows, those of files that it does not, and
    the rest; `entries` is how many paths it has something at."""

    number: int
    diff_id: str
    digest: str
    maker: Maker
    blob: int
    tar: int
    useful: int
    wasted: int
    entries: int


class Opened(NamedTuple):
    """The image is open. `owned` are the shown bytes and files of each owner, by its number."""

    name: str
    digest: str
    config: ImageConfig
    tree: FileTree
    layers: tuple[SeenLayer, ...]
    owners: Sequence[Owner]
    owned: tuple[tuple[int, int], ...]
    told: tuple[str, ...]


class Came(NamedTuple):
    """Bytes of layers came from elsewhere."""

    size: int
    whole: int
    source: str


class Counted(NamedTuple):
    """So many files of layers have been listed or, after that, so many entries of all layers put into the tree."""

    entries: int
    listing: bool = False


class Ended(NamedTuple):
    """The image could not be opened, or its layers could not be read."""


class Version(NamedTuple):
    """What one layer has at a path; the beginning of its bytes where it is a file. `entry` is the file's even where the
    layer has another name of it only."""

    layer: int
    entry: Entry
    data: bytes = b""

    @property
    def whole(self) -> bool:
        """Whether `data` are all of its bytes."""
        return len(self.data) >= self.entry.size


class Beside:
    """A thread that does one thing after the other, for somebody who does not wait."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="beside", daemon=True)
        self._thread.start()

    def post(self, job: Callable[[], None]) -> None:
        """Have something done; it must not raise."""
        self._jobs.put(job)

    def close(self) -> None:
        """End when what has been begun is done; nobody waits for it."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


class Exploration:
    """An image that is opened beside. Whoever listens gets Came, Counted, and then Opened or Ended, from the thread
    that works; whatever is posted afterwards is done by the same one, in turn."""

    def __init__(self, settings: Settings, image: Named) -> None:
        self._settings = settings
        self._image = image
        self._cancel = CallOff()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="explore", daemon=True)
        self._dissection: Dissection | None = None
        self._guard = threading.Lock()
        self._unheard: list[object] = []
        self._listener: Callable[[object], None] | None = None
        self._failing = threading.Event()
        self.failed: BaseException | None = None
        """Why the image could not be opened."""

    def listen(self, listener: Callable[[object], None]) -> None:
        """Tell this function what happens, and what has happened."""
        with self._guard:
            for what in self._unheard:
                listener(what)
            self._unheard.clear()
            self._listener = listener

    def fails(self, seconds: float) -> bool:
        """Wait for so many seconds, but no longer than until the image cannot be opened; whether that is so."""
        return self._failing.wait(seconds)

    def _hear(self, what: object) -> None:
        with self._guard:
            if self._listener is not None:
                self._listener(what)
            elif not isinstance(what, Came | Counted):
                self._unheard.append(what)

    def start(self) -> None:
        """Begin to open the image."""
        self._thread.start()

    def post(self, job: Callable[[], None]) -> None:
        """Have something done by the thread; it must not raise."""
        self._jobs.put(job)

    def close(self) -> None:
        """End whatever is going on, and wait until all is let go of."""
        self._cancel.set()
        self._jobs.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        traffic = Traffic(listen=lambda: self._came(traffic))
        try:
            with (
                Session(self._settings, reading=True, cancel=self._cancel) as session,
                opened_dissection(session, self._image, traffic) as image,
            ):
                self._dissection = image
                opened = self._opened(image)
                self._cancel.check()
                self._hear(opened)
                while (job := self._jobs.get()) is not None and not self._cancel.is_set():
                    job()
        except CalledOff:
            pass
        except BaseException as error:
            if not self._cancel.is_set():
                self.failed = error
                self._failing.set()
                self._hear(Ended())

    def _came(self, traffic: Traffic) -> None:
        self._cancel.check()
        if traffic.listed:
            self._hear(Counted(traffic.listed, True))
        else:
            self._hear(Came(traffic.came, traffic.whole, traffic.source))

    def _counted(self, count: int) -> None:
        self._cancel.check()
        self._hear(Counted(count))

    def _opened(self, image: Dissection) -> Opened:
        tree = FileTree.of(image.pieces(), len(image.layers), self._counted)
        count = len(image.layers)
        useful, wasted, entries = [0] * count, [0] * count, [0] * count
        owned: dict[int, tuple[int, int]] = {}
        for node in tree.nodes:
            for stand in node.stands:
                entries[stand.layer] += 1
                if stand.fate != "shown":
                    wasted[stand.layer] += stand.size
                elif stand.kind == "file":
                    useful[stand.layer] += stand.size
                    size, files = owned.get(stand.owner, (0, 0))
                    owned[stand.owner] = size + stand.size, files + 1
        layers = []
        for number, layer in enumerate(image.layers):
            # What the same tar supersedes is at no path.
            lost = max(wasted[number], layer.listing.stored - useful[number])
            tar = layer.listing.plain or useful[number] + lost
            layers.append(
                SeenLayer(
                    number,
                    layer.diff_id,
                    layer.digest,
                    layer.maker,
                    layer.blob,
                    tar,
                    useful[number],
                    lost,
                    entries[number],
                )
            )
        owners = image.owners
        return Opened(
            image.name,
            image.digest,
            image.config,
            tree,
            tuple(layers),
            owners,
            tuple(owned.get(number, (0, 0)) for number in range(len(owners))),
            image.told,
        )

    # called by jobs

    def version(self, path: str, layer: int, limit: int = MOST_LOOKED_AT) -> Version:
        """What a layer has at a path. KezuriError or OSError when it cannot be read."""
        found = self._found(path, layer)
        data = bytearray()
        if found.entry.kind == "file" and limit:
            for piece in pieces(found.content):
                self._cancel.check()
                data += piece[: limit - len(data)]
                if len(data) >= limit:
                    break
        return Version(layer, found.entry, bytes(data))

    def write(self, path: str, layer: int, target: str) -> int:
        """Write the file that a layer has at a path to a new file of this machine, with its permissions as far as the
        umask lets; how many bytes it has. KezuriError when it cannot be read, or the target exists or cannot be
        written."""
        found = self._found(path, layer)
        if found.entry.kind != "file":
            raise KezuriError.of(f"{path!r} is no file: `kezuri cp` takes whole directories out")
        written = 0
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(target, flags, found.entry.mode & 0o777 | 0o200)
            try:
                with open(descriptor, "wb") as file:
                    for piece in pieces(found.content):
                        self._cancel.check()
                        file.write(piece)
                        written += len(piece)
            except BaseException:
                os.unlink(target)
                raise
        except OSError as error:
            raise KezuriError.of(f"cannot write {target!r}: {error.strerror}") from error
        return written

    def entry(self, node: Node, layer: int) -> Entry | None:
        """What a layer says about a path, as it stands there; None where it says nothing. It reads nothing, and any
        thread may ask."""
        assert self._dissection is not None
        return self._dissection.layers[layer].listing.entry(node.path)

    def _found(self, path: str, layer: int) -> Found:
        assert self._dissection is not None
        forms = [each.form for each in self._dissection.layers[: layer + 1]]
        found = StackView(forms, self._dissection.name).stat(path)
        if found is None:
            raise KezuriError.of(f"{path!r} is not in layer {layer + 1}")
        return found
