"""What the store holds, piece by piece: what each takes on the disk, what it cost, and what is nothing without it."""

import errno
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kezuri.store.blobs import PARTIAL
from kezuri.store.names import REF_NAME
from kezuri.store.schema import DirectoryRow, LayerRow
from kezuri.store.store import Store, layer_name
from kezuri.upkeep.fetched import git_directories
from kezuri.upkeep.reach import Reach

RATE = 10e6
"""Bytes in a second at which what came from elsewhere is thought to come again."""

KINDS = ("regular", "image", "exec.cachemount", "source.git.checkout", "source.http", "source.local", "internal")
"""What a piece can be, in BuildKit's words where it has one: results of steps; layers of images; cache mounts; git
repositories; downloaded files; digests of context files; and what nothing needs any more. No kind of cache, and so
left alone by filters and limits, are the images without a name ("untagged")."""


class Piece(NamedTuple):
    """Something that can be kept or removed as one.

    `size` is the bytes on the disk that are freed when it goes. What several layers hold (`shared`) is counted with the
    one that was used last, and with none if an image with a name holds it too.
    `seconds` is what it would take to have it again. `needs` is the id of the piece without which it can never be
    found again (a result stands on the very run that it was made upon); empty when there is none. `named` marks layers
    of images with a name, which are not cache. `layer` is the layer's id, if it is one, and `step` the kind of step
    that gave it (RUN, COPY, ADD, WORKDIR). `blobs` are those that the layer, or the image without a name, holds and no
    image with a name (an image also holds listings): digest, bytes on the disk, and whether these are in `size`.
    """

    id: str
    kind: str
    title: str
    size: int
    created: float
    used: float
    uses: int
    seconds: float
    shared: bool = False
    needs: str = ""
    named: bool = False
    layer: str = ""
    step: str = ""
    blobs: tuple[tuple[str, int, bool], ...] = ()


class Inventory:
    """Takes stock of a store. `named` are the blobs of images that have a name or are kept for their digest; `bases`
    those of images that builds stood on, which with `everything` are no reason for another image's blobs to stay."""

    def __init__(self, store: Store, named: set[str], bases: set[str], everything: bool = False) -> None:
        self._store = store
        self._named = named
        self._bases = bases
        self._tagged = Reach(store).named_blobs(untagged=False)
        self._kept: set[str] = set() if everything else bases
        self._staying = self._tagged | self._kept
        self._layers = {row.id: row for row in store.database.layers()}
        self._directories: dict[str, list[DirectoryRow]] = {}
        for directory in store.database.directories():
            self._directories.setdefault(directory.layer, []).append(directory)
        self._forms: dict[str, list[str]] = {}
        self._holders: dict[str, set[str]] = {}
        for form in store.database.forms():
            if form.layer in self._layers:
                self._forms.setdefault(form.layer, []).append(form.digest)
                self._holders.setdefault(form.digest, set()).add(form.layer)

    def pieces(self) -> tuple[Piece, ...]:
        """Everything, each thing once."""
        records = list(self._records())
        taken = {piece.layer for piece in records}
        others = (*self._others(taken), *self._untagged(taken), *self._mounts(), *self._fetched())
        return (*records, *others, *self._indexes(), *self._partials())

    def _records(self) -> Iterator[Piece]:
        database = self._store.database
        records = database.records()
        gives = {record.state: record for record in records}
        for record in records:
            size, shared = self._layer_size(self._layers.get(record.layer))
            before = gives.get(_state_before(record.components))
            yield Piece(
                record.key,
                "regular",
                " ".join(record.title.split()),
                size,
                record.created,
                record.used,
                record.uses,
                record.seconds,
                shared,
                before.key if before is not None else "",
                False,
                record.layer,
                record.kind,
                self._blobs_of(record.layer),
            )

    def _others(self, taken: set[str]) -> Iterator[Piece]:
        """Layers that no result gives."""
        owners: Mapping[str, str] | None = None
        for row in self._layers.values():
            if row.id in taken:
                continue
            digests = self._forms.get(row.id, [])
            size, shared = self._layer_size(row)
            if owners is None:
                owners = self._owners()
            owner = next((owners[d] for d in digests if d in owners), "")
            when = (row.created, row.used, 1)
            if not self._named.isdisjoint(digests):
                held = sum(self._blob_size(digest) for digest in set(digests) & self._named)
                if self._tagged.isdisjoint(digests):
                    owner = "an image without a name"  # It is counted with the image, and goes with it.
                else:
                    yield Piece(
                        row.id, "image", f"layer of {owner}", held, *when, _fetching(held), shared, "", True, row.id
                    )
                # A name needs its own blob only; builds unpack it again.
                unpacked = self._directory_size(row)
                blobs = self._blobs_of(row.id)
                unpacked += sum(size for _, size, counted in blobs if counted)
                if unpacked:
                    title = f"unpacked layer of {owner}"
                    ident = f"unpacked {row.id}"
                    yield Piece(ident, "internal", title, unpacked, *when, 0.0, layer=row.id, blobs=blobs)
            elif not self._bases.isdisjoint(digests):
                if not size and not shared:
                    continue  # Known of, and not fetched.
                title = f"layer of {owner}" if owner else "layer of an image"
                blobs = self._blobs_of(row.id)
                yield Piece(
                    row.id, "image", title, size, *when, _fetching(size), shared, "", False, row.id, blobs=blobs
                )
            else:
                blobs = self._blobs_of(row.id)
                yield Piece(row.id, "internal", "left behind", size, *when, 0.0, shared, "", False, row.id, blobs=blobs)

    def _untagged(self, taken: set[str]) -> Iterator[Piece]:
        """Images without a name, the latest first, each with the blobs that only it and earlier ones need."""
        reach = Reach(self._store)
        stays, seen = set(self._staying), set[str]()
        for layer, digests in self._forms.items():
            if layer in taken:
                seen.update(digests)
            elif not self._kept.isdisjoint(digests):
                stays.update(digests)  # The layer stays, with all its blobs.
        images = [(reach.kept_at(d.digest), d.digest) for d in self._store.names.untagged()]
        for when, digest in sorted(images, reverse=True):
            blobs: set[str] = set()
            reach.image_blobs(digest, blobs)
            sizes = {blob: self._blob_size(blob) for blob in blobs - stays}
            for layer in {layer for blob in blobs for layer in self._holders.get(blob, ())} - taken:
                if self._staying.isdisjoint(self._forms[layer]):
                    # It is needed as long as the layer is known, whether that is unpacked or not.
                    sizes[f"listing {layer}"] = self._listing_size(layer)
            held = tuple((name, size, name not in seen) for name, size in sorted(sizes.items()))
            size = sum(size for _, size, counted in held if counted)
            seen |= sizes.keys()
            title = f"image without a name {digest.removeprefix('sha256:')[:12]}"
            yield Piece(digest, "untagged", title, size, when, when, 1, 0.0, blobs=held)

    def _owners(self) -> dict[str, str]:
        """The name of an image for each blob of it."""
        reach, found = Reach(self._store), {}
        images = [(d.annotations.get(REF_NAME, ""), d.digest) for d in self._store.names.all().values()]
        images += self._store.database.facts.images()
        for name, digest in reversed(images):
            seen: set[str] = set()
            reach.image_blobs(digest, seen)
            found.update(dict.fromkeys(seen, name))
        return found

    def _mounts(self) -> Iterator[Piece]:
        for mount in self._store.database.mounts():
            size, used = disk_use(self._store.path("mounts", mount.directory)), mount.used
            title = f"cache mount {mount.name or mount.id}"
            yield Piece(mount.id, "exec.cachemount", title, size, used, used, 1, _fetching(size))

    def _fetched(self) -> Iterator[Piece]:
        for name, path, used in git_directories(self._store, True, None):
            size = disk_use(path)
            yield Piece(os.path.basename(path), "source.git.checkout", name, size, used, used, 1, _fetching(size))
        latest: dict[str, float] = {}
        for digest, when in self._store.database.facts.downloads():
            latest[digest] = max(latest.get(digest, 0.0), when)
        for digest, when in latest.items():
            shared = digest in self._named or digest in self._holders
            size = 0 if shared else self._blob_size(digest)
            yield Piece(digest, "source.http", f"download {digest}", size, when, when, 1, _fetching(size), shared)

    def _indexes(self) -> Iterator[Piece]:
        directory = self._store.path("contexts")
        for name in os.listdir(directory):
            try:
                status = os.stat(os.path.join(directory, name))
            except FileNotFoundError:
                continue
            size, used = status.st_blocks * 512, status.st_mtime
            yield Piece(name, "source.local", "digests of a context's files", size, used, used, 1, _fetching(size))

    def _partials(self) -> Iterator[Piece]:
        for path in self._store.partials():
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            name, size, used = os.path.basename(path), status.st_blocks * 512, status.st_mtime
            yield Piece(f"{PARTIAL}/{name}", "internal", f"part of blob sha256:{name}", size, used, used, 1, 0.0)

    def _layer_size(self, row: LayerRow | None) -> tuple[int, bool]:
        """The bytes that go with a layer, and whether others hold some of its blobs."""
        if row is None:
            return 0, False
        size = self._directory_size(row) + sum(size for _, size, counted in self._blobs_of(row.id) if counted)
        digests = self._forms.get(row.id, ())
        shared = any(digest in self._named or len(self._holders[digest]) > 1 for digest in digests)
        return size + self._listing_size(row.id), shared

    def _blobs_of(self, layer: str) -> tuple[tuple[str, int, bool], ...]:
        # Freed with the last of its layers, which the one that was used last is thought to be.
        return tuple(
            (
                digest,
                self._blob_size(digest),
                digest not in self._named
                and layer == max(self._holders[digest], key=lambda h: (self._layers[h].used, h)),
            )
            for digest in sorted(set(self._forms.get(layer, ())) - self._tagged)
        )

    def _listing_size(self, layer: str) -> int:
        try:
            return os.lstat(self._store.path("listings", layer_name(layer))).st_blocks * 512
        except FileNotFoundError:
            return 0

    def _directory_size(self, row: LayerRow) -> int:
        total = 0
        for directory in self._directories.get(row.id, ()):
            try:
                total += directory.bytes + os.lstat(self._store.layer_directory(directory.name)).st_blocks * 512
            except FileNotFoundError:
                pass
        return total

    def _blob_size(self, digest: str) -> int:
        try:
            return os.lstat(self._store.blobs.path(digest)).st_blocks * 512
        except FileNotFoundError:
            return 0


def _state_before(components: str) -> str:
    """The state that a record's step stood on; empty when it stands alone (COPY --link)."""
    # A record's components are JSON pairs in a fixed order: spares reading thousands of long texts.
    head = '["state before","'
    at = components.find(head)
    return components[at + len(head) : at + len(head) + 64] if at >= 0 else ""


def _fetching(size: int) -> float:
    return 0.5 + size / RATE


_NOT_COUNTED = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def disk_use(path: str, seen: set[tuple[int, int]] | None = None) -> int:
    """What `du -s` says of the path, in bytes: blocks of everything, hard-linked files once (also those in `seen`).
    0 when it is gone. What lies deeper than a path can say is not counted."""
    try:
        total = os.lstat(path).st_blocks * 512
    except FileNotFoundError:
        return 0
    seen = set() if seen is None else seen
    stack = [path]
    while stack:
        try:
            entries = os.scandir(stack.pop())
        except OSError as error:
            if error.errno in _NOT_COUNTED:
                continue
            raise
        with entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError as error:
                    if error.errno in _NOT_COUNTED:
                        continue
                    raise
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                elif status.st_nlink > 1:
                    if (status.st_dev, status.st_ino) in seen:
                        continue
                    seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * 512
    return total
