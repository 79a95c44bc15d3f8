"""The forms of layers: directories, blobs and listings, made only when somebody needs them."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, Protocol, cast

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item
from kezuri.oci.descriptor import LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor, digest_of
from kezuri.plan.epoch import LAST
from kezuri.store.blobs import disk_error
from kezuri.store.database import FRESH
from kezuri.store.schema import FormRow, LayerRow
from kezuri.store.store import Store, layer_name

if TYPE_CHECKING:
    from kezuri.layer.listing import Listing
    from kezuri.layer.stack import LayerForm, StackView

PULLED = "pulled"

_IN_MEMORY = 1 << 20
"""Bytes of a file that are held in memory while a blob is made of another one."""

_DOWNLOADS = 4
"""How many layers are fetched at a time."""


class Packing(NamedTuple):
    """How layers leave: the kind of compression (`gzip`, `zstd`, `none`), its level, and the time that no
    modification time is later than (seconds since the epoch, None for no such time)."""

    kind: Literal["gzip", "zstd", "none"] = "gzip"
    level: int | None = None
    epoch: int | None = None


class Fetcher(Protocol):
    """Brings a layer's blob into the store when it is not there yet."""

    def fetch(self, layer: str, descriptor: Descriptor) -> None:
        """Bring the blob; KezuriError when nobody has it."""
        ...


class Forms:
    """Makes and finds the forms of layers. Threads may share it: each form is made once."""

    def __init__(self, store: Store, userxattr: bool, fetcher: Fetcher) -> None:
        self._store = store
        self.userxattr = userxattr
        self._fetcher = fetcher
        self._guard = threading.Lock()
        self._downloads = threading.Semaphore(_DOWNLOADS)
        self._locks: dict[str, threading.Lock] = {}
        self._found: dict[str, str] = {}
        self._listings: dict[str, Listing] = {}
        self._fetching: dict[str, Descriptor] = {}
        self.epoch: int | None = None
        """SOURCE_DATE_EPOCH of the build that asks, in seconds: what was made with an earlier one has lost times."""

    def know_pulled(self, layer: str, descriptor: Descriptor) -> None:
        """Make a layer known that came, or can come, as a blob from elsewhere; its id is its diff id."""
        self._fetching[layer] = descriptor
        database = self._store.database
        row = database.layer(layer)
        if row is not None and row.used < time() - FRESH:
            database.touch_layer(layer)
        known = database.form(layer, PULLED)
        if known is None or (known.digest != descriptor.digest and not self._store.blobs.has(known.digest)):
            with database.transaction():
                database.put_layer(layer, diff_id=layer)
                database.put_form(
                    FormRow(layer, PULLED, descriptor.digest, descriptor.size, descriptor.media_type, layer)
                )

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def usable(self, layer: str) -> bool:
        """Whether some form of the layer is at hand, without fetching, from which this build's can be made."""
        database = self._store.database
        row = database.layer(layer)
        if row is None:
            return False
        there = row.directory and os.path.isdir(self._store.layer_directory(row.directory))
        if there and self._keeps_times(database.memo(_dated(layer)) or ""):
            return True
        return any(
            self._keeps_times(_epoch_of(form)) and self._store.blobs.has(form.digest) for form in database.forms(layer)
        )

    def _keeps_times(self, epoch: str) -> bool:
        """Whether what was made with that epoch (empty: with none) still has the times that this build asks for:
        times that were cut off at a later point can be cut off at an earlier one."""
        return not epoch or (self.epoch is not None and int(epoch) >= self.epoch)

    # directories

    def publish_directory(self, layer: str, made: str, epoch: str = "") -> str:
        """Put a finished overlay directory of the store's scratch space in place as the layer's directory form.
        `epoch`: the SOURCE_DATE_EPOCH that its times were cut off at."""
        name = layer_name(layer)
        size = _size_of(made)
        if os.path.lexists(self._store.layer_directory(name)):
            # Another build may be running a step on the directory that has the name: it stays, until it is collected.
            name = f"{name}-{os.urandom(4).hex()}"
        target = self._store.layer_directory(name)
        try:
            os.rename(made, target)
        except OSError as error:
            raise disk_error(error, target) from error
        database = self._store.database
        with database.transaction():
            if epoch or database.memo(_dated(layer)):
                database.put_memo(_dated(layer), epoch)
            database.put_layer(layer, directory=name, size=size)
        return target

    def directory(self, layer: str, below: Sequence[str]) -> str:
        """The layer as an overlay directory, unpacked if need be. `below` are the layers under it, lowest first."""
        found = self._directory(layer)
        if found:
            return found
        with self._lock(layer), self._store.lock(f"layer-{layer_name(layer)}"):
            return self._directory(layer) or self._unpack(layer, below)

    def _directory(self, layer: str) -> str:
        # Found once is found for good: this process holds a lease on the store.
        known = self._found.get(layer)
        if known is not None:
            return known
        row = self._store.database.layer(layer)
        if row is None or not row.directory:
            return ""
        path = self._store.layer_directory(row.directory)
        if not os.path.isdir(path):
            return ""
        self._found[layer] = path
        return path

    def _unpack(self, layer: str, below: Sequence[str]) -> str:
        from kezuri.layer.unpacker import unpack

        with self._store.scratch("unpack") as scratch:
            made = os.path.join(scratch, "diff")
            os.mkdir(made, 0o755)
            hasher = sha256()
            lower = self.view(below) if below else None
            form = self.any_blob(layer)
            with open(self._store.blobs.path(form.digest), "rb", buffering=0) as blob:
                listing = unpack(
                    blob, made, lower=lower, userxattr=self.userxattr, where=f"layer {layer}", hasher=hasher
                )
            _verify(form, f"sha256:{hasher.hexdigest()}")
            if not _epoch_of(form):
                self._keep_listing(layer, listing)
            return self.publish_directory(layer, made, _epoch_of(form))

    @contextmanager
    def _tar(self, form: FormRow) -> Iterator[BinaryIO]:
        """The tar stream of a blob."""
        from kezuri.layer.decompression import decompress

        with open(self._store.blobs.path(form.digest), "rb", buffering=0) as file:
            yield decompress(file, f"layer {form.digest}")

    def directories(self, layers: Sequence[str]) -> tuple[str, ...]:
        """The directories of a stack, topmost first, as overlay wants them."""
        self.fetch_missing([layer for layer in layers if not self._directory(layer)])
        made = [self.directory(layer, layers[:i]) for i, layer in enumerate(layers)]
        return tuple(reversed(made))

    # views

    def view(self, layers: Sequence[str]) -> "StackView":
        """The stack seen as one tree; nothing is unpacked for it."""
        from kezuri.layer.stack import StackView

        return StackView([self._form(layer, layers[:i]) for i, layer in enumerate(layers)])

    def _form(self, layer: str, below: Sequence[str]) -> "LayerForm":
        from kezuri.layer.stack import DirectoryLayer, ListedLayer

        path = self._directory(layer)
        if path:
            return DirectoryLayer(path, self.userxattr)
        blob = self._store.blobs.path(self.any_blob(layer).digest)
        return ListedLayer(self._listing(layer, below), lambda: open(blob, "rb", buffering=0), f"layer {layer}")

    def _listing(self, layer: str, below: Sequence[str]) -> "Listing":
        from kezuri.layer.listing import Listing

        with self._lock(f"listing {layer}"):
            known = self._listings.get(layer)
            if known is not None:
                return known
            path = self._store.path("listings", layer_name(layer))
            if os.path.exists(path):
                listing = Listing.load(path)
            else:
                lower = self.view(below) if below else None
                form = self.any_blob(layer)
                with self._tar(form) as tar:
                    watched = _Hashing(tar)
                    listing = Listing.of_tar(cast(BinaryIO, watched), f"layer {layer}", lower=lower)
                    watched.drain()
                    _verify(form, watched.digest())
                if not _epoch_of(form):
                    listing.save(path)
            self._listings[layer] = listing
            return listing

    def _keep_listing(self, layer: str, listing: "Listing") -> None:
        path = self._store.path("listings", layer_name(layer))
        if not os.path.exists(path):
            listing.save(path)

    # blobs

    def fetch_missing(self, layers: Sequence[str]) -> None:
        """Bring the blobs of layers that have no form here, several at a time; the first failure is raised."""
        missing = [layer for layer in layers if not self.usable(layer)]
        if len(missing) < 2:
            for layer in missing:
                self.any_blob(layer)
            return
        errors: list[BaseException] = []
        ended = []
        for layer in missing:
            done = threading.Event()
            ended.append(done)

            def bring(layer: str = layer, done: threading.Event = done) -> None:
                try:
                    with self._downloads:
                        if not errors:
                            self.any_blob(layer)
                except BaseException as error:
                    errors.append(error)
                finally:
                    done.set()

            threading.Thread(target=bring, name="fetch", daemon=True).start()
        for done in ended:
            while not done.wait(0.5):
                pass
        if errors:
            raise errors[0]

    def any_blob(self, layer: str) -> FormRow:
        """Some blob of the layer, fetched or packed if there is none. KezuriError when nothing of it is left."""
        # Those that keep the files' own times come first, then those with the latest epoch.
        forms = sorted(self._store.database.forms(layer), key=lambda form: -int(_epoch_of(form) or LAST))
        for form in forms:
            if self._store.blobs.has(form.digest):
                return form
        with self._lock(f"fetch {layer}"):
            form_row = self._store.database.form(layer, PULLED)
            if form_row is not None and not self._store.blobs.has(form_row.digest):
                descriptor = self._fetching.get(layer)
                if descriptor is None:
                    descriptor = Descriptor(form_row.media_type, form_row.digest, form_row.size)
                self._fetcher.fetch(layer, descriptor)
                form_row = form_row._replace(
                    digest=descriptor.digest, size=descriptor.size, media_type=descriptor.media_type
                )
                self._store.database.put_form(form_row)
            if form_row is not None:
                return form_row
        if not self._directory(layer):
            raise KezuriError.of(
                f"layer {layer} is not in the store any more",
                hint="something removed it while this build needed it; build again",
                exit_code=125,
            )
        return self.blob(layer, Packing())

    def blob(self, layer: str, packing: Packing) -> FormRow:
        """The layer as a blob of the wanted kind. A layer that came from elsewhere stays as it came."""
        pulled = self._store.database.form(layer, PULLED)
        if pulled is not None:
            return self.any_blob(layer)
        made = self._made(layer, packing)
        if made is not None:
            return made
        encoder = self.encoder(packing)
        with self._lock(f"blob {layer}"):
            known = self._store.database.form(layer, encoder)
            if known is not None and self._store.blobs.has(known.digest):
                return known
            directory = self._directory(layer)
            if not directory:
                return self._repack(layer, packing)
            from kezuri.layer.upper import walk

            return self.pack(layer, walk(directory, userxattr=self.userxattr), packing)

    def _repack(self, layer: str, packing: Packing) -> FormRow:
        """A blob made of another one, entry by entry: that needs neither a directory nor the right to own its files."""
        from kezuri.layer.tar_reader import read_tar

        form = self.any_blob(layer)
        with self._store.scratch("repack") as scratch, self._tar(form) as tar:
            watched = _Hashing(tar)

            def check() -> None:
                watched.drain()
                _verify(form, watched.digest())

            entries = read_tar(cast(BinaryIO, watched), f"layer {layer}")
            return self.pack(layer, _with_content(entries, os.path.join(scratch, "content")), packing, check)

    def _made(self, layer: str, packing: Packing) -> FormRow | None:
        """The blob that the encoder made which this store used last for such packing: found without loading it."""
        encoder = self._store.database.memo(_memo_of(packing))
        known = self._store.database.form(layer, encoder + _suffix(packing)) if encoder is not None else None
        return known if known is not None and self._store.blobs.has(known.digest) else None

    def encoder(self, packing: Packing) -> str:
        """What names the blobs that this packing makes: same name, same bytes."""
        from kezuri.layer.compression import compression

        encoder = compression(packing.kind, packing.level).encoder
        if self._store.database.memo(_memo_of(packing)) != encoder:
            self._store.database.put_memo(_memo_of(packing), encoder)
        return encoder + _suffix(packing)

    def pack(
        self, layer: str, items: Iterable[Item], packing: Packing, check: Callable[[], None] | None = None
    ) -> FormRow:
        """Pack entries into a blob of the store and make it known as a form of the layer. `check` is called when
        everything was read and nothing is known yet; what it raises leaves nothing."""
        from kezuri.layer.compression import EMPTY_GZIP
        from kezuri.layer.packer import compression, pack

        with self._store.blobs.writer(hashed=True) as writer:
            packed = pack(items, cast(BinaryIO, writer), compression(packing.kind, packing.level), epoch=packing.epoch)
            if not packed.entries and packing.kind == "gzip":
                # A step that changed nothing has the same layer everywhere, so that registries share it.
                writer.restart()
                writer.write(EMPTY_GZIP)
                packed = packed._replace(digest=digest_of(EMPTY_GZIP), size=len(EMPTY_GZIP))
            if check is not None:
                check()
            digest = writer.commit_known(packed.digest)
        media = {"gzip": LAYER_GZIP, "zstd": LAYER_ZSTD, "none": LAYER}[packing.kind]
        form = FormRow(layer, self.encoder(packing), digest, packed.size, media, packed.diff_id)
        database = self._store.database
        with database.transaction():
            row: LayerRow | None = database.layer(layer)
            if row is None or not row.diff_id:
                database.put_layer(layer, diff_id=packed.diff_id)
            database.put_form(form)
        return form


def _with_content(entries: Iterable[tuple[Entry, BinaryIO | None]], path: str) -> Iterator[Item]:
    """The entries of a tar as items. The bytes of a large file lie at `path` until the next item is asked for."""
    for entry, data in entries:
        if data is None or entry.size <= _IN_MEMORY:
            yield entry, data.read() if data is not None else None
            continue
        try:
            with open(path, "wb") as file:
                while piece := data.read(_IN_MEMORY):
                    file.write(piece)
        except OSError as error:
            raise disk_error(error, path) from error
        yield entry, path


def _verify(form: FormRow, diff_id: str) -> None:
    if form.diff_id != diff_id:
        raise KezuriError.of(
            f"layer {form.diff_id}: its content has the digest {diff_id}",
            hint="the image's config and its layers do not belong together; nothing of it was used",
            exit_code=125,
        )


def _size_of(directory: str) -> int:
    """What the files of a directory take on the disk, in bytes; hard links count once."""
    total = 0
    seen: set[int] = set()
    stack = [directory]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                if status.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                    if status.st_ino in seen:
                        continue
                    seen.add(status.st_ino)
                total += status.st_blocks * 512
    return total


def _memo_of(packing: Packing) -> str:
    return f"encoder {packing.kind} {packing.level}"


def _suffix(packing: Packing) -> str:
    return "" if packing.epoch is None else f"@{packing.epoch}"


def _epoch_of(form: FormRow) -> str:
    """The SOURCE_DATE_EPOCH with which a blob was made, empty for none."""
    return form.encoder.partition("@")[2]


def _dated(layer: str) -> str:
    """The memo that says which epoch the directory of a layer was made with."""
    return f"directory dated {layer}"


class _Hashing:
    """A stream that hashes what is read through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    def drain(self) -> None:
        while self.read(1 << 20):
            pass

    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()
