"""A blob is believed to be a layer once its plain bytes were hashed and have the layer's diff id."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO, TypeVar

from kezuri.diagnostics import KezuriError
from kezuri.forms.supply import Supply
from kezuri.oci.descriptor import Descriptor
from kezuri.progress.calling_off import CallOff
from kezuri.store.blobs import damaged
from kezuri.store.schema import FormRow
from kezuri.store.store import Store

_Made = TypeVar("_Made")


class Hasher:
    """A SHA-256 at which the reading of a layer stops when it is called off."""

    def __init__(self, cancel: CallOff) -> None:
        self._cancel = cancel
        self._hash = sha256()
        self.hexdigest = self._hash.hexdigest

    def update(self, data: bytes) -> None:
        """Count these bytes too; CalledOff when the work was called off."""
        self._cancel.check()
        self._hash.update(data)


class HashedStream:
    """A stream that gives what is read through it to a hasher."""

    def __init__(self, stream: BinaryIO, hasher: Hasher) -> None:
        self._stream = stream
        self._hash = hasher

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most so many."""
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    def drain(self) -> None:
        """Read on to the end."""
        while self.read(1 << 20):
            pass


class Verification:
    """Reads blobs of layers, and finds out whether they are what images claim."""

    def __init__(self, store: Store, supply: Supply, cancel: CallOff) -> None:
        self._store = store
        self._supply = supply
        self._cancel = cancel

    def believed(self, layer: str, read: Callable[[FormRow, Hasher], _Made]) -> _Made:
        """What `read` makes of a blob of the layer, of which it gives every plain byte to the hasher; believed once
        these are known to have the diff id. A blob that has another one is given up, and the next one tried that an
        image claims to be this layer."""
        failure: KezuriError | None = None
        tried: set[str] = set()
        while True:
            try:
                form = self._supply.some(layer, tried)
            except KezuriError as error:
                raise failure or error from error
            tried.add(form.digest)
            hasher = Hasher(self._cancel)
            try:
                made = read(form, hasher)
                check(form, hasher)
            except KezuriError as error:
                if not self._store.blobs.is_sound(form.digest):
                    raise damaged(form.digest) from error
                if form.verified or self._plain_digest(form) == form.diff_id:
                    # The blob is what it is said to be: something else is amiss.
                    if form.imported:
                        self._supply.refused(layer, str(error))
                    raise
                failure = failure or error
                self._supply.refused(layer, str(error))
                self._store.database.drop_form(layer, form.encoder)
            else:
                if not form.verified:
                    self._store.database.put_form(form._replace(verified=True))
                return made

    def hashed(self, layer: str) -> FormRow:
        """A blob of the layer that is believed; read for nothing else."""
        return self.believed(layer, self._hash)

    def of_cache(self, layer: str, form: FormRow) -> FormRow:
        """The very blob that a cache has of the layer, fetched if need be, and believed."""
        form = self._supply.fetched(layer, Descriptor(form.media_type, form.digest, form.size))
        if form.verified:
            return form
        hasher = Hasher(self._cancel)
        try:
            self._hash(form, hasher)
            check(form, hasher)
        except KezuriError as error:
            self._store.database.drop_form(layer, form.encoder)
            self._supply.refused(layer, str(error))
            raise
        form = form._replace(verified=True)
        self._store.database.put_form(form)
        return form

    def _hash(self, form: FormRow, hasher: Hasher) -> FormRow:
        with self.tar(form) as tar:
            HashedStream(tar, hasher).drain()
        return form

    def _plain_digest(self, form: FormRow) -> str:
        """The diff id that a blob really has; empty when it cannot be decompressed."""
        hasher = Hasher(self._cancel)
        try:
            self._hash(form, hasher)
        except KezuriError:
            return ""
        return f"sha256:{hasher.hexdigest()}"

    @contextmanager
    def tar(self, form: FormRow) -> Iterator[BinaryIO]:
        """The tar stream of a blob."""
        from kezuri.layer.decompression import decompress

        with open(self._store.blobs.path(form.digest), "rb", buffering=0) as file:
            yield decompress(file, f"layer {form.digest}")


def check(form: FormRow, hasher: Hasher) -> None:
    """KezuriError when the plain bytes of a blob, all of which the hasher was given, have another diff id."""
    diff_id = f"sha256:{hasher.hexdigest()}"
    if form.diff_id != diff_id:
        raise KezuriError.of(
            f"layer {form.diff_id}: its content has the digest {diff_id}",
            hint="the image's config and its layers do not belong together; nothing of it was used",
            exit_code=125,
        )
