"""Manifests and indexes as an endpoint gives them: fetched, and checked against what names them."""

from collections.abc import Callable

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci import Descriptor, digest_of
from kezuri.oci.descriptor import DOCUMENTS, MOST_BYTES, valid_digest
from kezuri.registry.config import Endpoint
from kezuri.registry.exchange import Ask
from kezuri.registry.failure import WrongBytes
from kezuri.registry.image import Document, read_document
from kezuri.registry.retry import Patience
from kezuri.registry.wire import Answer, TransportError


def fetched(
    open_: Callable[[Ask, Patience], Answer],
    endpoint: Endpoint,
    name: str,
    digest: str,
    expected: Descriptor | None,
    where: str,
    patience: Patience,
    warn: Callable[[Diagnostic], None],
) -> Document:
    """The manifest or index that the endpoint has under a tag or digest `name`.

    Its bytes have to have the `digest`, if that is given, and to be what the descriptor says of which it is `expected`;
    they are fetched once more when they are not. `warn` hears where the registry says another digest than the bytes
    have. WrongBytes when it is wrong twice, KezuriError naming `where` when it is no such document.
    """
    if expected is not None and expected.size > MOST_BYTES:
        raise KezuriError.of(f"{where}: the manifest is larger than {MOST_BYTES >> 20} MiB", exit_code=125)
    wrong = ""
    while True:
        ask = Ask(endpoint, f"manifests/{name}", "GET", {"Accept": ",".join(DOCUMENTS)})
        try:
            with open_(ask, patience) as answer:
                length = answer.headers.length() or 0
                body = bytearray()
                while length <= MOST_BYTES and len(body) <= MOST_BYTES and (piece := answer.read(1 << 20)):
                    body += piece
                content_type, said = (answer.headers.get(n) for n in ("content-type", "docker-content-digest"))
        except TransportError as error:
            if patience.again(endpoint.host, error.kind):
                continue
            raise
        if length > MOST_BYTES or len(body) > MOST_BYTES:
            raise KezuriError.of(f"{where}: the manifest is larger than {MOST_BYTES >> 20} MiB", exit_code=125)
        raw = bytes(body)
        own = digest_of(raw)
        if digest and (own != digest or (expected is not None and len(raw) != expected.size)):
            why = f"{len(raw)} bytes with digest {own}"
            if wrong:
                raise WrongBytes(f"the manifest {digest} from {endpoint.host} is wrong twice: {wrong}; then {why}")
            wrong = why
            continue
        document = read_document(raw, content_type, where)
        if expected is not None and expected.media_type not in ("", document.descriptor.media_type):
            raise KezuriError.of(
                f"{where}: listed as {expected.media_type!r}, but it is {document.descriptor.media_type!r}",
                exit_code=125,
            )
        if not digest and valid_digest(said) and said != own:
            warn(
                Diagnostic(
                    "warning",
                    f"{where}: {endpoint.host} says that the digest is {said}, but the bytes it sent have {own}",
                    hint="the bytes are what counts; something between here and the registry may change them",
                )
            )
        return document
