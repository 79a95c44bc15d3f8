"""The blobs of layers: which are at hand, which an image claims, and how one that lacks is had."""

import threading
from collections.abc import Collection
from time import time
from typing import NamedTuple, Protocol

from kezuri.diagnostics import KezuriError
from kezuri.forms.directories import Directories
from kezuri.forms.packing import Packer, Packing
from kezuri.oci.descriptor import DOCKER_LAYER, LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor
from kezuri.plan.epoch import LAST
from kezuri.store.database import FRESH
from kezuri.store.schema import FormRow, pulled_encoder
from kezuri.store.store import Store

Claims = dict[str, tuple[Descriptor, ...]]
"""The blobs that images of this build claim to be a layer, by the layer's id."""


class Fetcher(Protocol):
    """Brings a layer's blob into the store when it is not there yet."""

    def fetch(self, layer: str, descriptor: Descriptor) -> None:
        """Bring the blob; KezuriError when nobody has it."""
        ...


class Elsewhere(Protocol):
    """Has layers that another machine made: a cache that was imported."""

    def fetch(self, layer: str, descriptor: Descriptor) -> None:
        """Bring the blob; KezuriError when it cannot be had."""
        ...

    def lose(self, layer: str, why: str) -> None:
        """The blob turned out to be another layer than the cache says, or none at all."""
        ...


class ForeignLayer(NamedTuple):
    """A layer that another machine made: the form that a cache has of it (None when it has none), when it was made
    (seconds since the epoch), and the cache."""

    form: FormRow | None
    created: float
    elsewhere: Elsewhere

    @property
    def descriptor(self) -> Descriptor:
        """The blob; one without a digest when the cache has none."""
        form = self.form
        return _NO_BLOB if form is None else Descriptor(form.media_type, form.digest, form.size)


_NO_BLOB = Descriptor("", "", 0)
_KINDS = {LAYER: "none", LAYER_GZIP: "gzip", DOCKER_LAYER: "gzip", LAYER_ZSTD: "zstd"}


class Supply:
    """Finds, fetches or packs some blob of a layer. Threads may share it: each is brought once."""

    def __init__(
        self,
        store: Store,
        directories: Directories,
        packer: Packer,
        fetcher: Fetcher,
        claims: Claims,
        foreign: dict[str, ForeignLayer],
    ) -> None:
        """`foreign` are layers that caches have."""
        self._foreign = foreign
        self._store = store
        self._directories = directories
        self._packer = packer
        self._fetcher = fetcher
        self._claims = claims
        self._locks: dict[str, threading.Lock] = {}

    def claim(self, layer: str, descriptor: Descriptor) -> None:
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

    def know(self, layer: str, foreign: ForeignLayer) -> None:
        """Make a layer known that a cache has. Nothing of it is written down before its blob is here."""
        self._foreign[layer] = foreign
        self._claims[layer] = (foreign.descriptor,)

    def forget(self, layer: str) -> None:
        """A cache turned out not to have the layer that it gave."""
        if self._foreign.pop(layer, None) is not None:
            self._claims.pop(layer, None)

    def imported(self, layer: str, packing: Packing) -> FormRow | None:
        """The form that a cache has, or had, of the layer, if it is packed in the wanted way; None without one. Its
        blob may have to be fetched."""
        foreign = self._foreign.get(layer)
        known = [form for form in self._store.database.forms(layer) if form.imported]
        if foreign is not None and foreign.form is not None:
            same = next((form for form in known if form.encoder == foreign.form.encoder), foreign.form)
            known.insert(0, same)
        for form in known:
            if _KINDS.get(form.media_type) == packing.kind and form.epoch == packing.epoch:
                claimed = foreign is not None and foreign.form is not None and foreign.form.digest == form.digest
                if claimed or (form.verified and self._store.blobs.has(form.digest)):
                    return form
        return None

    def refused(self, layer: str, why: str) -> None:
        """A blob that a cache gave for the layer is not what it says."""
        foreign = self._foreign.get(layer)
        if foreign is not None:
            foreign.elsewhere.lose(layer, why)

    def here(self, layer: str, but: Collection[str] = ()) -> FormRow | None:
        """A blob of the layer that is in the store, with none of the digests of `but`: one that is verified, else one
        that an image of this build claims to be it. Those that keep the files' own times come first, then those with
        the latest epoch."""
        claimed = {descriptor.digest for descriptor in self._claims.get(layer, ())}
        forms = self._store.database.forms(layer)
        for form in sorted(forms, key=lambda form: (not form.verified, -(LAST if form.epoch is None else form.epoch))):
            wanted = (form.verified or form.digest in claimed) and form.digest not in but
            if wanted and self._store.blobs.has(form.digest):
                return form
        return None

    def usable(self, layer: str) -> bool:
        """Whether some form of the layer is at hand, without fetching, from which this build's can be made."""
        if self._store.database.layer(layer) is None:
            return False
        if self._directories.known(layer):
            return True
        here = self.here(layer)
        return here is not None and self._directories.keeps_times(here.epoch)

    def some(self, layer: str, but: Collection[str] = ()) -> FormRow:
        """Some blob of the layer, fetched or packed if there is none, none of those with the digests of `but`.
        KezuriError when nothing of it is left."""
        here = self.here(layer, but)
        if here is not None:
            return here
        with self._locks.setdefault(layer, threading.Lock()):
            here = self.here(layer, but)
            if here is not None:
                return here
            for descriptor in self._claims.get(layer, ()):
                if descriptor.digest not in but:
                    return self.fetched(layer, descriptor)
            # A layer that came from elsewhere stays as it came: packed anew, it would have another diff id.
            packed = None if any(f.pulled for f in self._store.database.forms(layer)) else self.packed(layer, Packing())
        if packed is None:
            raise KezuriError.of(
                f"layer {layer} is not in the store any more",
                hint="something removed it while this build needed it; build again",
                exit_code=125,
            )
        return packed

    def packed(self, layer: str, packing: Packing) -> FormRow | None:
        """The blob that is packed of the layer's directory; None when there is no directory."""
        directory = self._directories.found(layer)
        if not directory:
            return None
        from kezuri.layer.upper import walk

        owners = self._directories.owners
        items = walk(directory, userxattr=owners.user_marks, recorded=owners.recorded)
        return self._packer.pack(layer, items, packing)

    def fetched(self, layer: str, descriptor: Descriptor) -> FormRow:
        """The very blob that an image names for the layer, brought if it is not there."""
        foreign = self._foreign.get(layer)
        if foreign is not None:
            foreign.elsewhere.fetch(layer, descriptor)
            return self._arrived(layer, foreign)
        self._fetcher.fetch(layer, descriptor)
        form = self._store.database.form(layer, pulled_encoder(descriptor.digest))
        if form is None:
            form = _pulled(layer, descriptor, False)
            self._store.database.put_form(form)
        return form

    def _arrived(self, layer: str, foreign: ForeignLayer) -> FormRow:
        form, database = foreign.form, self._store.database
        assert form is not None
        known = database.form(layer, form.encoder)
        if known is not None:
            return known
        form = form._replace(verified=database.is_verified(form.digest, form.diff_id))
        with database.transaction():
            if database.layer(layer) is None:
                database.put_layer(layer, diff_id=form.diff_id, created=foreign.created)
            database.put_form(form)
        return form

    def of_image(self, layer: str, descriptor: Descriptor) -> FormRow:
        """The blob as which a layer of an image leaves: the image's own, or another one that is verified and there."""
        own = self._store.database.form(layer, pulled_encoder(descriptor.digest))
        if own is not None and self._store.blobs.has(own.digest):
            return own
        here = self.here(layer)
        return here if here is not None and here.verified else self.fetched(layer, descriptor)


def _pulled(layer: str, descriptor: Descriptor, verified: bool) -> FormRow:
    encoder = pulled_encoder(descriptor.digest)
    return FormRow(layer, encoder, descriptor.digest, descriptor.size, descriptor.media_type, layer, verified)
