"""Manifests and indexes as an endpoint gives them: fetched, and checked against what names them."""

from collections.abc import Callable

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci import Descriptor, Reference, digest_of
from kezuri.oci.descriptor import DOCUMENTS, MOST_BYTES, valid_digest
from kezuri.registry.failure import Refused, WrongBytes
from kezuri.registry.image import Document, read_document
from kezuri.registry.place import Place

Warn = Callable[[Diagnostic], None]


def described(place: Place, reference: Reference, warn: Warn) -> Descriptor | None:
    """What the endpoint says that the reference names; None where the registry itself has no such thing. One that does
    not say a digest is asked for the document."""
    try:
        with place.open(place.document(reference.digest or reference.tag, "HEAD"), place.patience()) as answer:
            digest = answer.headers.get("docker-content-digest").strip()
            size = answer.headers.length()
            media_type = answer.headers.get("content-type").partition(";")[0].strip()
    except Refused as error:
        if error.failure.status == 404 and not place.endpoint.mirror_of:
            return None
        raise
    if media_type in DOCUMENTS and size is not None and valid_digest(digest):
        return Descriptor(media_type, digest, size)
    return fetched(place, reference, warn).descriptor


def fetched(place: Place, reference: Reference, warn: Warn, expected: Descriptor | None = None) -> Document:
    """The manifest or index that the endpoint has of a reference; with `expected` the one of its repository that the
    descriptor says.

    Its bytes have to have the digest that is asked for, if it is one, and to be what the descriptor says; they are
    fetched once more when they are not. `warn` hears where the registry says another digest than the bytes have.
    WrongBytes when it is wrong twice, KezuriError naming the reference when it is no such document.
    """
    digest = reference.digest if expected is None else expected.digest
    where = str(reference) if expected is None else f"{reference}: {digest}"
    too_large = KezuriError.of(f"{where}: the manifest is larger than {MOST_BYTES >> 20} MiB", exit_code=125)
    if expected is not None and expected.size > MOST_BYTES:
        raise too_large
    ask, patience = place.document(digest or reference.tag), place.patience()
    wrong = ""
    while True:
        raw, headers, _ = place.whole(ask, patience)
        if raw is None:
            raise too_large
        own = digest_of(raw)
        if digest and (own != digest or (expected is not None and len(raw) != expected.size)):
            why = f"{len(raw)} bytes with digest {own}"
            if wrong:
                raise WrongBytes(f"the manifest {digest} from {place.host} is wrong twice: {wrong}; then {why}")
            wrong = why
            continue
        document = read_document(raw, headers.get("content-type"), where)
        if expected is not None and expected.media_type not in ("", document.descriptor.media_type):
            raise KezuriError.of(
                f"{where}: listed as {expected.media_type!r}, but it is {document.descriptor.media_type!r}",
                exit_code=125,
            )
        said = headers.get("docker-content-digest")
        if not digest and valid_digest(said) and said != own:
            warn(
                Diagnostic(
                    "warning",
                    f"{where}: {place.host} says that the digest is {said}, but the bytes it sent have {own}",
                    hint="the bytes are what counts; something between here and the registry may change them",
                )
            )
        return document
