"""The layers of an image that is taken apart: each listed and hashed in one go, or known from before."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import BinaryIO, NamedTuple

import kezuri
from kezuri.anatomy.records import LayerRecords
from kezuri.app.anatomy_kept import code
from kezuri.app.distant_image import DistantImage
from kezuri.app.layer_sources import Traffic
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.images.distant import Checked
from kezuri.layer.entry import Entry
from kezuri.layer.listing import Listing, Onlooker
from kezuri.layer.view import AnythingBelow
from kezuri.oci.descriptor import Descriptor, is_foreign
from kezuri.store.store import layer_name
from kezuri.tree.layers import ListedLayer


class ReadLayer(NamedTuple):
    """A layer with its listing; where it could not be read, an empty one, and the reason. `records` are those of
    packages, where they are known."""

    form: ListedLayer
    unread: str = ""
    records: LayerRecords | None = None


class _Counted:
    """Counts the files that an onlooker sees."""

    def __init__(self, onlooker: Onlooker, traffic: Traffic) -> None:
        self._onlooker = onlooker
        self._traffic = traffic

    def begin(self) -> None:
        self._onlooker.begin()

    def wants(self, entry: Entry) -> bool:
        self._traffic.list_file()
        return self._onlooker.wants(entry)

    def look(self, entry: Entry, data: BinaryIO) -> None:
        self._onlooker.look(entry, data)


def of_store(
    session: Session, diff_ids: Sequence[str], blobs: Sequence[Descriptor], scratch: str, traffic: Traffic
) -> list[ReadLayer]:
    """The layers of an image of the store; those that are not here are fetched. KezuriError where one cannot be."""
    session.forms.fetch_missing([diff_id for diff_id, blob in zip(diff_ids, blobs) if not closed(blob)])
    return [
        _tried(session, diff_id, blob, scratch, traffic, partial(session.forms.complete, diff_id))
        for diff_id, blob in zip(diff_ids, blobs)
    ]


def of_distant(
    session: Session, image: DistantImage, diff_ids: Sequence[str], scratch: str, traffic: Traffic
) -> list[ReadLayer]:
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
    return [
        _tried(session, diff_id, blob, scratch, traffic, partial(_distant, session, image, diff_id, blob, known))
        for diff_id, blob in layers
    ]


def closed(blob: Descriptor) -> str:
    """Why nobody can look into a layer of this kind; empty for all others."""
    if is_foreign(blob):
        return "it may not be distributed, so that its files are elsewhere"
    if blob.media_type.endswith("+encrypted"):
        return "it is encrypted"
    return ""


def _distant(
    session: Session,
    image: DistantImage,
    diff_id: str,
    blob: Descriptor,
    known: dict[str, Listing],
    onlooker: Onlooker,
) -> ListedLayer:
    where = f"layer {blob.digest}"
    opener = image.files.opener(blob)
    listing = known.get(diff_id)
    if listing is None:
        hasher = sha256()
        with opener() as stream:
            # A plain tar is its own blob, and what proves the blob has proved the layer.
            proved = isinstance(stream, Checked) and blob.digest == diff_id
            listing = Listing.of_tar(
                stream,
                where,
                lower=AnythingBelow(),
                hasher=None if proved else hasher,
                hashing=True,
                onlooker=onlooker,
            )
        if not proved and f"sha256:{hasher.hexdigest()}" != diff_id:
            raise KezuriError.of(f"{where}: its content is not that of the layer {diff_id}, which the config names")
        known[diff_id] = listing
        with suppress(OSError):
            listing.save(_kept(session, diff_id))
    return ListedLayer(listing, opener, where)


def _kept(session: Session, diff_id: str, kind: str = "") -> str:
    return session.store.path("listings", f"{kind}{layer_name(diff_id)}")


def _tried(
    session: Session,
    diff_id: str,
    blob: Descriptor,
    scratch: str,
    traffic: Traffic,
    read: Callable[[Onlooker], ListedLayer],
) -> ReadLayer:
    """What is read of a layer; of one that is closed or damaged nothing, so that the others can be looked at."""
    why = closed(blob)
    if not why:
        records = LayerRecords(scratch)
        try:
            form = read(_Counted(records, traffic))
        except KezuriError as error:
            why = error.diagnostics[0].message
        else:
            if not records.begun:
                return ReadLayer(form, "", kept_records(session, diff_id))
            if records.whole:
                keep_records(session, diff_id, records)
            return ReadLayer(form, "", records)
    return ReadLayer(ListedLayer(Listing({}, frozenset(), {}, {}), _unopened), why)


def kept_records(session: Session, diff_id: str) -> LayerRecords | None:
    """The records of packages that the store has of a layer; None where it has none."""
    with suppress(OSError), open(_kept(session, diff_id, "records-"), "rb") as file:
        head, _, rest = file.read().partition(b"\n")
        return LayerRecords.of_bytes(rest) if head == _stamp() else None
    return None


def keep_records(session: Session, diff_id: str, records: LayerRecords) -> None:
    """Write down the records of a layer, if the disk takes them."""
    from kezuri.linux.replacement import replacement

    with suppress(OSError), replacement(_kept(session, diff_id, "records-"), durable=False) as file:
        file.write(_stamp() + b"\n" + records.to_bytes())


def _stamp() -> bytes:
    """By which code records were made: other code may find other ones."""
    return f"{kezuri.__version__} {code()}".encode()


def _unopened() -> BinaryIO:
    raise AssertionError  # nothing of an empty listing is read
