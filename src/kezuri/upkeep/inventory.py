"""What the store holds, piece by piece: what each takes on the disk, what it cost, and what is nothing without it."""

import os
from collections.abc import Iterator, Mapping

from kezuri.linux.usage import disk_use
from kezuri.oci.descriptor import REF_NAME
from kezuri.store.blobs import PARTIAL
from kezuri.store.schema import DirectoryRow, LayerRow, RecordRow
from kezuri.store.store import Store, layer_name
from kezuri.upkeep.fetched import git_directories
from kezuri.upkeep.leftovers import Leftovers
from kezuri.upkeep.piece import HeldBlob, Piece, Ties, Use
from kezuri.upkeep.reach import Reach

RATE = 10e6
"""Bytes in a second at which what came from elsewhere is thought to come again."""


class Inventory:
    """Takes stock of a store. With `everything`, images that builds stood on are no reason for another image's blobs
    to stay."""

    def __init__(self, store: Store, reach: Reach, everything: bool = False) -> None:
        self._store = store
        self._reach = reach
        self._everything = everything
        self._named = reach.named_blobs()
        self._bases = reach.base_blobs()
        self._tagged = reach.named_blobs(untagged=False)
        self._kept: set[str] = set() if everything else self._bases
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
        taken = {piece.ties.layer for piece in records}
        others = (*self._others(taken), *self._untagged(taken), *self._mounts(), *self._fetched())
        held = (*records, *others, *self._indexes(), *self._partials())
        return (*held, *self._loose({piece.id for piece in held}))

    def _records(self) -> Iterator[Piece]:
        records = self._store.database.records()
        gives = {record.state: record for record in records}
        for record in records:
            yield self._record(record, gives.get(state_before(record.components)))

    def _record(self, record: RecordRow, before: RecordRow | None) -> Piece:
        """The result of a step, which stands on the one `before` it."""
        size, shared = self._layer_size(self._layers.get(record.layer))
        return Piece(
            record.key,
            "regular",
            " ".join(record.title.split()),
            size,
            Use(record.created, record.used, record.uses, record.seconds),
            Ties(
                record.layer,
                record.kind,
                needs=before.key if before is not None else "",
                shared=shared,
                blobs=self._blobs_of(record.layer),
            ),
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
            if not self._named.isdisjoint(digests):
                yield from self._named_layer(row, owner, shared)
            elif self._bases.isdisjoint(digests):
                ties = Ties(row.id, shared=shared, blobs=self._blobs_of(row.id))
                yield Piece(row.id, "internal", "left behind", size, Use(row.created, row.used), ties)
            elif size or shared:  # Else it is known of, and not fetched.
                title = f"layer of {owner}" if owner else "layer of an image"
                use = Use(row.created, row.used, seconds=_fetching(size))
                yield Piece(
                    row.id, "image", title, size, use, Ties(row.id, shared=shared, blobs=self._blobs_of(row.id))
                )

    def _named_layer(self, row: LayerRow, owner: str, shared: bool) -> Iterator[Piece]:
        """A layer of an image that is kept: its blob, which is no cache, and all other forms, which are."""
        digests = set(self._forms.get(row.id, ()))
        if self._tagged.isdisjoint(digests):
            owner = "an image without a name"  # It is counted with the image, and goes with it.
        else:
            held = sum(self._blob_size(digest) for digest in digests & self._named)
            use = Use(row.created, row.used, seconds=_fetching(held))
            yield Piece(row.id, "image", f"layer of {owner}", held, use, Ties(row.id, named=True, shared=shared))
        # A name needs its own blob only; builds unpack it again.
        blobs = self._blobs_of(row.id)
        unpacked = self._directory_size(row) + sum(blob.size for blob in blobs if blob.counted)
        if unpacked:
            title, use = f"unpacked layer of {owner}", Use(row.created, row.used)
            yield Piece(f"unpacked {row.id}", "internal", title, unpacked, use, Ties(row.id, blobs=blobs))

    def _untagged(self, taken: set[str]) -> Iterator[Piece]:
        """Images without a name, the latest first, each with the blobs that only it and earlier ones need."""
        stays, seen = set(self._staying), set[str]()
        for layer, digests in self._forms.items():
            if layer in taken:
                seen.update(digests)
            elif not self._kept.isdisjoint(digests):
                stays.update(digests)  # The layer stays, with all its blobs.
        images = [(self._reach.kept_at(d.digest), d.digest) for d in self._store.names.untagged()]
        for when, digest in sorted(images, reverse=True):
            blobs: set[str] = set()
            self._reach.image_blobs(digest, blobs)
            sizes = {blob: self._blob_size(blob) for blob in blobs - stays}
            for layer in {layer for blob in blobs for layer in self._holders.get(blob, ())} - taken:
                if self._staying.isdisjoint(self._forms[layer]):
                    # It is needed as long as the layer is known, whether that is unpacked or not.
                    sizes[f"listing {layer}"] = self._listing_size(layer)
            held = tuple(HeldBlob(name, size, name not in seen) for name, size in sorted(sizes.items()))
            size = sum(blob.size for blob in held if blob.counted)
            seen |= sizes.keys()
            title = f"image without a name {digest.removeprefix('sha256:')[:12]}"
            yield Piece(digest, "untagged", title, size, Use(when, when), Ties(blobs=held))

    def _owners(self) -> dict[str, str]:
        """The name of an image for each blob of it."""
        found: dict[str, str] = {}
        images = [(d.annotations.get(REF_NAME, ""), d.digest) for d in self._store.names.all().values()]
        images += self._store.database.facts.images()
        for name, digest in reversed(images):
            seen: set[str] = set()
            self._reach.image_blobs(digest, seen)
            found.update(dict.fromkeys(seen, name))
        return found

    def _mounts(self) -> Iterator[Piece]:
        for mount in self._store.database.mounts():
            size, used = disk_use(self._store.path("mounts", mount.directory)), mount.used
            title = f"cache mount {mount.name or mount.id}"
            yield Piece(mount.id, "exec.cachemount", title, size, Use(used, used, seconds=_fetching(size)))

    def _fetched(self) -> Iterator[Piece]:
        for name, path, used in git_directories(self._store, True, None):
            size = disk_use(path)
            use = Use(used, used, seconds=_fetching(size))
            yield Piece(os.path.basename(path), "source.git.checkout", name, size, use)
        latest: dict[str, float] = {}
        for digest, when in self._store.database.facts.downloads():
            latest[digest] = max(latest.get(digest, 0.0), when)
        for digest, when in latest.items():
            shared = digest in self._named or digest in self._holders
            size = 0 if shared else self._blob_size(digest)
            use = Use(when, when, seconds=_fetching(size))
            yield Piece(digest, "source.http", f"download {digest}", size, use, Ties(shared=shared))

    def _indexes(self) -> Iterator[Piece]:
        directory = self._store.path("contexts")
        for name in os.listdir(directory):
            try:
                status = os.stat(os.path.join(directory, name))
            except FileNotFoundError:
                continue
            size, used = status.st_blocks * 512, status.st_mtime
            use = Use(used, used, seconds=_fetching(size))
            yield Piece(name, "source.local", "digests of a context's files", size, use)

    def _partials(self) -> Iterator[Piece]:
        for path in self._store.partials():
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            name, size, used = os.path.basename(path), status.st_blocks * 512, status.st_mtime
            yield Piece(f"{PARTIAL}/{name}", "internal", f"part of blob sha256:{name}", size, Use(used, used))

    def _loose(self, held: set[str]) -> Iterator[Piece]:
        """What belongs to nothing: by its path, blobs by their digests."""
        needed, leftovers = self._reach.needed_blobs(self._everything), Leftovers(self._store)
        found = [(f"tmp/{name}", "left behind by a process that died") for name in leftovers.dead()]
        found += [(f"layers/{name}", "a directory of no layer") for name in leftovers.directories()]
        found += [(f"listings/{name}", _listing(name)) for name in leftovers.listings()]
        found += [(d, "a blob that nothing needs") for d in self._store.blobs.digests() if d not in needed]
        for name, title in found:
            path = self._store.blobs.path(name) if name.startswith("sha256:") else self._store.path(name)
            try:
                used = os.lstat(path).st_ctime
            except FileNotFoundError:
                continue
            if name not in held:
                # What a dead process left is in no one's use, however new it is.
                used = 0.0 if name.startswith("tmp/") else used
                yield Piece(name, "internal", title, disk_use(path), Use(used, used))

    def _layer_size(self, row: LayerRow | None) -> tuple[int, bool]:
        """The bytes that go with a layer, and whether others hold some of its blobs."""
        if row is None:
            return 0, False
        size = self._directory_size(row) + sum(blob.size for blob in self._blobs_of(row.id) if blob.counted)
        digests = self._forms.get(row.id, ())
        shared = any(digest in self._named or len(self._holders[digest]) > 1 for digest in digests)
        return size + self._listing_size(row.id), shared

    def _blobs_of(self, layer: str) -> tuple[HeldBlob, ...]:
        # Freed with the last of its layers, which the one that was used last is thought to be.
        return tuple(
            HeldBlob(
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


def state_before(components: str) -> str:
    """The state that a record's step stood on; empty when it stands alone (COPY --link)."""
    # A record's components are JSON pairs in a fixed order: spares reading thousands of long texts.
    head = '["state before","'
    at = components.find(head)
    return components[at + len(head) : at + len(head) + 64] if at >= 0 else ""


def _listing(name: str) -> str:
    """What lies in `listings` and is of no layer of the store."""
    if name.startswith("anatomy-"):
        return "what an image is made of, in figures"
    if name.startswith("base-"):
        return "packages in a layer of a base image"
    if name.startswith("bill-"):
        return "which packages an image consists of"
    if name.startswith("inside-"):
        return "what a scan found in an image's files"
    if name.startswith("scan-"):
        return "what is known to be broken in an image, in figures"
    return "records of packages in a layer" if name.startswith("records-") else "a listing of no layer"


def _fetching(size: int) -> float:
    return 0.5 + size / RATE
