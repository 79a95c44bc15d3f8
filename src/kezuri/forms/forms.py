"""The forms of layers: directories, blobs and listings, made only when somebody needs them."""

import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, Protocol, TypeVar, cast

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item
from kezuri.linux.directory import make_plain
from kezuri.linux.disk import disk_error
from kezuri.oci.descriptor import LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor, digest_of
from kezuri.plan.epoch import LAST
from kezuri.progress.calling_off import CallOff
from kezuri.store.blobs import damaged
from kezuri.store.database import FRESH
from kezuri.store.owners import Owners
from kezuri.store.schema import DATED, FormRow, LayerRow, pulled_encoder
from kezuri.store.store import Store, layer_name

if TYPE_CHECKING:
    from kezuri.layer.listing import Listing
    from kezuri.layer.stack import LayerForm, StackView

_Made = TypeVar("_Made")

_MOST_LACKING = 5
"""How many things that could not be made of a layer are said one by one."""

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

    def __init__(
        self,
        store: Store,
        owners: Owners,
        fetcher: Fetcher,
        warn: Callable[[str], None] = lambda text: None,
        cancel: CallOff | None = None,
    ) -> None:
        """`warn` hears what could not be made of a layer that is unpacked. `cancel` ends the reading of layers, with
        CalledOff, when it is set."""
        self._cancel = cancel if cancel is not None else CallOff()
        self._store = store
        self.owners = owners
        self._warn = warn
        self._fetcher = fetcher
        self._guard = threading.Lock()
        self._downloads = threading.Semaphore(_DOWNLOADS)
        self._locks: dict[str, threading.Lock] = {}
        self._found: dict[str, str] = {}
        self._listings: dict[str, Listing] = {}
        self._claims: dict[str, tuple[Descriptor, ...]] = {}
        self.epoch: int | None = None
        """SOURCE_DATE_EPOCH of the build that asks, in seconds: what was made with an earlier one has lost times."""

    @property
    def userxattr(self) -> bool:
        """Whether overlay's marks are in `user.` attributes."""
        return self.owners.user_marks

    def know_pulled(self, layer: str, descriptor: Descriptor) -> None:
        """Make a layer known that came, or can come, as a blob from elsewhere; its id is its diff id.

        That the blob has this diff id is what its image claims. It counts for this image alone until the bytes were
        read and hashed: another image of the same diff id is not given this blob before.
        """
        claims = self._claims.get(layer, ())
        if descriptor not in claims:
            self._claims[layer] = (*claims, descriptor)
        database = self._store.database
        row = database.layer(layer)
        if row is not None and row.used < time() - FRESH:
            database.touch_layer(layer)
        if database.form(layer, pulled_encoder(descriptor.digest)) is None:
            with database.transaction():
                database.put_layer(layer, diff_id=layer)
                verified = database.is_verified(descriptor.digest, layer)
                database.put_form(_pulled(layer, descriptor, verified))

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def usable(self, layer: str) -> bool:
        """Whether some form of the layer is at hand, without fetching, from which this build's can be made."""
        database = self._store.database
        if database.layer(layer) is None:
            return False
        if self._known_directory(layer):
            return True
        here = self._blob_here(layer)
        return here is not None and self._keeps_times(_epoch_of(here))

    def _keeps_times(self, epoch: str) -> bool:
        """Whether what was made with that epoch (empty: with none) still has the times that this build asks for:
        times that were cut off at a later point can be cut off at an earlier one."""
        return not epoch or (self.epoch is not None and int(epoch) >= self.epoch)

    def _blob_here(self, layer: str, but: Collection[str] = ()) -> FormRow | None:
        """A blob of the layer that is in the store: one that is verified, else one that an image of this build
        claims to be it. Those that keep the files' own times come first, then those with the latest epoch."""
        claimed = {descriptor.digest for descriptor in self._claims.get(layer, ())}
        forms = self._store.database.forms(layer)
        for form in sorted(forms, key=lambda form: (not form.verified, -int(_epoch_of(form) or LAST))):
            wanted = (form.verified or form.digest in claimed) and form.digest not in but
            if wanted and self._store.blobs.has(form.digest):
                return form
        return None

    # directories

    def unpacked(self, layers: Iterable[str]) -> bool:
        """Whether there are directories of all of the layers that this build can use."""
        return all(map(self.is_unpacked, layers))

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
            if epoch or database.memo(_dated(name)):
                database.put_memo(_dated(name), epoch)
            database.put_directory(layer, self.owners.settled(), name, size)
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
        path = self._known_directory(layer)
        if path:
            # Who finds it reads it, and only then are its owners those of the image.
            self.owners.enter()
            path = self._known_directory(layer)
        if path:
            self._found[layer] = path
        return path

    def is_unpacked(self, layer: str) -> bool:
        """Whether there is a directory of the layer that this build can use."""
        return bool(self._known_directory(layer))

    def _known_directory(self, layer: str) -> str:
        database = self._store.database
        name = database.directory(layer, self.owners.known())
        path = self._store.layer_directory(name)
        usable = name and os.path.isdir(path) and self._keeps_times(database.memo(_dated(name)) or "")
        return path if usable else ""

    def _unpack(self, layer: str, below: Sequence[str]) -> str:
        from kezuri.layer.unpacker import unpack

        self.owners.enter()  # it gives the files the owners that the image means
        with self._store.scratch("unpack") as scratch:
            lower = self.view(below) if below else None
            lacking: list[str] = []

            def read(form: FormRow, hasher: "_Hasher") -> "tuple[str, Listing, str]":
                made = os.path.join(scratch, form.digest[7:])
                make_plain(made)
                lacking.clear()
                with open(self._store.blobs.path(form.digest), "rb", buffering=0) as blob:
                    listing = unpack(
                        blob,
                        made,
                        lower=lower,
                        userxattr=self.userxattr,
                        where=f"layer {layer}",
                        hasher=hasher,
                        warn=lacking.append,
                    )
                return made, listing, _epoch_of(form)

            made, listing, epoch = self._verified(layer, read)
            if not epoch:
                self._keep_listing(layer, listing)
            path = self.publish_directory(layer, made, epoch)
        for text in lacking[:_MOST_LACKING]:
            self._warn(text)
        if len(lacking) > _MOST_LACKING:
            self._warn(f"layer {layer}: {len(lacking) - _MOST_LACKING} more like these")
        return path

    def _verified(self, layer: str, read: "Callable[[FormRow, _Hasher], _Made]") -> "_Made":
        """What `read` makes of a blob of the layer, of which it gives every plain byte to the hasher; believed once
        these are known to have the diff id. A blob that has another one is given up, and the next one tried that an
        image claims to be this layer."""
        failure: KezuriError | None = None
        tried: set[str] = set()
        while True:
            try:
                form = self.any_blob(layer, tried)
            except KezuriError as error:
                raise failure or error from error
            tried.add(form.digest)
            hasher = _Hasher(self._cancel)
            try:
                made = read(form, hasher)
                _verify(form, f"sha256:{hasher.hexdigest()}")
            except KezuriError as error:
                if not self._store.blobs.is_sound(form.digest):
                    raise damaged(form.digest) from error
                if form.verified or self._plain_digest(form) == form.diff_id:
                    # The blob is what it is said to be: something else is amiss.
                    raise
                failure = failure or error
                self._store.database.drop_form(layer, form.encoder)
            else:
                if not form.verified:
                    self._store.database.put_form(form._replace(verified=True))
                return made

    def _hash(self, form: FormRow, hasher: "_Hasher") -> FormRow:
        with self._tar(form) as tar:
            _Hashing(tar, hasher).drain()
        return form

    def _plain_digest(self, form: FormRow) -> str:
        """The diff id that a blob really has; empty when it cannot be decompressed."""
        hasher = _Hasher(self._cancel)
        try:
            self._hash(form, hasher)
        except KezuriError:
            return ""
        return f"sha256:{hasher.hexdigest()}"

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

    def lay_out(self, layers: Sequence[str], mounted: bool) -> None:
        """Fetch the layers and unpack them, or only list what is in those that nothing is `mounted` on."""
        if mounted:
            self.directories(layers)
        else:
            self.view(layers)

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
        listing = self._listing(layer, below)
        # The listing says where in the plain bytes a file is: they have to be the bytes that were listed.
        form = self._blob_here(layer)
        if form is None or not form.verified:
            form = self._verified(layer, self._hash)
        blob = self._store.blobs.path(form.digest)
        return ListedLayer(listing, lambda: open(blob, "rb", buffering=0), f"layer {layer}")

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

                def read(form: FormRow, hasher: "_Hasher") -> "tuple[Listing, str]":
                    with self._tar(form) as tar:
                        watched = _Hashing(tar, hasher)
                        listing = Listing.of_tar(cast(BinaryIO, watched), f"layer {layer}", lower=lower)
                        watched.drain()
                    return listing, _epoch_of(form)

                listing, epoch = self._verified(layer, read)
                if not epoch:
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
        missing = dict.fromkeys(layer for layer in layers if not self.usable(layer))
        self._at_once([partial(self.any_blob, layer) for layer in missing])

    def fetch_named(self, layers: Iterable[tuple[str, Descriptor]]) -> None:
        """Bring the very blobs that an image's manifest names for its layers, several at a time; the first failure is
        raised. A layer that is here in another form is no substitute: its blob has another digest."""
        missing = []
        for digest, one in {descriptor.digest: (layer, descriptor) for layer, descriptor in layers}.items():
            if not self._store.blobs.has(digest):
                missing.append(partial(self._fetcher.fetch, *one))
            elif (size := self._store.blobs.size(digest)) != one[1].size:
                raise KezuriError.of(
                    f"blob {digest} has {size} bytes, but the image that names it says {one[1].size}",
                    hint="the image is damaged: push or export it again",
                    exit_code=125,
                )
        self._at_once(missing)

    def _at_once(self, jobs: Sequence[Callable[[], object]]) -> None:
        if len(jobs) < 2:
            for job in jobs:
                job()
            return
        errors: list[BaseException] = []
        ended = []
        for job in jobs:
            done = threading.Event()
            ended.append(done)

            def bring(job: Callable[[], object] = job, done: threading.Event = done) -> None:
                try:
                    with self._downloads:
                        if not errors:
                            job()
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

    def any_blob(self, layer: str, but: Collection[str] = ()) -> FormRow:
        """Some blob of the layer, fetched or packed if there is none, none of those with the digests of `but`.
        KezuriError when nothing of it is left."""
        here = self._blob_here(layer, but)
        if here is not None:
            return here
        with self._lock(f"fetch {layer}"):
            here = self._blob_here(layer, but)
            if here is not None:
                return here
            for descriptor in self._claims.get(layer, ()):
                if descriptor.digest not in but:
                    return self._fetched(layer, descriptor)
        if not self._directory(layer):
            raise KezuriError.of(
                f"layer {layer} is not in the store any more",
                hint="something removed it while this build needed it; build again",
                exit_code=125,
            )
        return self.blob(layer, Packing())

    def _fetched(self, layer: str, descriptor: Descriptor) -> FormRow:
        self._fetcher.fetch(layer, descriptor)
        form = self._store.database.form(layer, pulled_encoder(descriptor.digest))
        if form is None:
            form = _pulled(layer, descriptor, False)
            self._store.database.put_form(form)
        return form

    def base_blob(self, layer: str, descriptor: Descriptor) -> FormRow:
        """The blob as which a layer of an image leaves: the image's own, or another one that is verified and there."""
        own = self._store.database.form(layer, pulled_encoder(descriptor.digest))
        if own is not None and self._store.blobs.has(own.digest):
            return own
        here = self._blob_here(layer)
        return here if here is not None and here.verified else self._fetched(layer, descriptor)

    def blob(self, layer: str, packing: Packing) -> FormRow:
        """The layer as a blob of the wanted kind. A layer that came from elsewhere stays as it came."""
        if any(form.pulled for form in self._store.database.forms(layer)):
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

        def read(form: FormRow, hasher: "_Hasher") -> FormRow:
            with self._store.scratch("repack") as scratch, self._tar(form) as tar:
                watched = _Hashing(tar, hasher)

                def check() -> None:
                    watched.drain()
                    _verify(form, f"sha256:{hasher.hexdigest()}")

                entries = read_tar(cast(BinaryIO, watched), f"layer {layer}")
                return self.pack(layer, _with_content(entries, os.path.join(scratch, "content")), packing, check)

        return self._verified(layer, read)

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


def _pulled(layer: str, descriptor: Descriptor, verified: bool) -> FormRow:
    encoder = pulled_encoder(descriptor.digest)
    return FormRow(layer, encoder, descriptor.digest, descriptor.size, descriptor.media_type, layer, verified)


def _epoch_of(form: FormRow) -> str:
    """The SOURCE_DATE_EPOCH with which a blob was made, empty for none."""
    return form.encoder.partition("@")[2]


def _dated(name: str) -> str:
    """The memo that says which epoch the directory of that name was made with."""
    return DATED + name


class _Hasher:
    """A SHA-256 at which the reading of a layer stops when it is called off."""

    def __init__(self, cancel: CallOff) -> None:
        self._cancel = cancel
        self._hash = sha256()
        self.hexdigest = self._hash.hexdigest

    def update(self, data: bytes) -> None:
        self._cancel.check()
        self._hash.update(data)


class _Hashing:
    """A stream that gives what is read through it to a hasher."""

    def __init__(self, stream: BinaryIO, hasher: _Hasher) -> None:
        self._stream = stream
        self._hash = hasher

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    def drain(self) -> None:
        while self.read(1 << 20):
            pass
