"""The layers of an image that is taken apart: each listed and hashed in one go, or known from before."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import BinaryIO, NamedTuple

from kezuri.anatomy.records import NO_RECORDS, PassingRecords, Records, Room
from kezuri.app.anatomy_kept import KeptRecords
from kezuri.app.distant_image import DistantImage
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.images.distant import Checked
from kezuri.layer.listing import Listing
from kezuri.layer.member_digests import Look
from kezuri.layer.view import AnythingBelow
from kezuri.oci.descriptor import Descriptor, is_foreign
from kezuri.store.store import layer_name
from kezuri.tree.layers import ListedLayer


class ReadLayer(NamedTuple):
    """A layer with its listing, and the records of packages that were read with it; where it could not be read, an
    empty one, and the reason."""

    form: ListedLayer
    unread: str = ""
    records: Records = NO_RECORDS


def of_store(session: Session, diff_ids: Sequence[str], blobs: Sequence[Descriptor], scratch: str) -> list[ReadLayer]:
    """The layers of an image of the store; those that are not here are fetched. KezuriError where one cannot be."""
    session.forms.fetch_missing([diff_id for diff_id, blob in zip(diff_ids, blobs) if not closed(blob)])
    reading = _Reading(session, scratch)
    return [
        reading.read(blob, diff_id, partial(session.forms.complete, diff_id)) for diff_id, blob in zip(diff_ids, blobs)
    ]


def of_distant(session: Session, image: DistantImage, diff_ids: Sequence[str], scratch: str) -> list[ReadLayer]:
    """The layers of an image that is elsewhere. What is found out of a layer is kept in the store, so that a second
    look brings and reads nothing. KezuriError where one cannot be had."""
    known: dict[str, Listing] = {}
    for diff_id in dict.fromkeys(diff_ids):
        with suppress(OSError, KezuriError):
            listing = Listing.load(_kept(session, diff_id))
            if listing.complete:
                known[diff_id] = listing
    layers = list(zip(diff_ids, image.layers))
    image.files.bring([blob for diff_id, blob in layers if diff_id not in known and not closed(blob)])
    reading = _Reading(session, scratch)
    return [
        reading.read(blob, diff_id, partial(_distant, session, image, diff_id, blob, known)) for diff_id, blob in layers
    ]


def closed(blob: Descriptor) -> str:
    """Why nobody can look into a layer of this kind; empty for all others."""
    if is_foreign(blob):
        return "it may not be distributed, so that its files are elsewhere"
    if blob.media_type.endswith("+encrypted"):
        return "it is encrypted"
    return ""


def _distant(
    session: Session, image: DistantImage, diff_id: str, blob: Descriptor, known: dict[str, Listing], look: Look
) -> ListedLayer:
    where = f"layer {blob.digest}"
    opener = image.files.opener(blob)
    listing = known.get(diff_id)
    if listing is None:
        hasher = sha256()
        with opener() as stream:
            # A plain tar is its own blob, and what proves the blob has proved the layer.
            proved = isinstance(stream, Checked) and blob.digest == diff_id
            checks = None if proved else hasher
            listing = Listing.of_tar(stream, where, lower=AnythingBelow(), hasher=checks, hashing=True, look=look)
        if not proved and f"sha256:{hasher.hexdigest()}" != diff_id:
            raise KezuriError.of(f"{where}: its content is not that of the layer {diff_id}, which the config names")
        known[diff_id] = listing
        with suppress(OSError):
            listing.save(_kept(session, diff_id))
    return ListedLayer(listing, opener, where)


def _kept(session: Session, diff_id: str) -> str:
    return session.store.path("listings", layer_name(diff_id))


class _Reading:
    """The reading of an image's layers, one after the other."""

    def __init__(self, session: Session, scratch: str) -> None:
        self._scratch = scratch
        self._kept = KeptRecords(session.store)
        self._room = Room()

    def read(self, blob: Descriptor, diff_id: str, read: Callable[[Look], ListedLayer]) -> ReadLayer:
        """What is read of a layer; of one that is closed or damaged nothing, so that the others can be looked at."""
        why = closed(blob)
        if not why:
            passing = PassingRecords(self._scratch, self._room)
            try:
                form = read(passing.look)
            except KezuriError as error:
                why = error.diagnostics[0].message
            else:
                records = passing.of(form.listing)
                if passing.seen:
                    self._kept.save(diff_id, records)
                else:
                    records = self._kept.load(diff_id)
                return ReadLayer(form, "", records)
        return ReadLayer(ListedLayer(Listing({}, frozenset(), {}, {}), _unopened), why)


def _unopened() -> BinaryIO:
    raise AssertionError("a layer without files is not read")
