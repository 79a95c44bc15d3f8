"""Manifests and indexes: put under a name, asked for by name, deleted."""

from kezuri.diagnostics import KezuriError
from kezuri.oci import digest_of
from kezuri.registry.exchange import Ask
from kezuri.registry.failure import Refused, weigh
from kezuri.registry.place import Place
from kezuri.registry.retry import Patience
from kezuri.registry.wire import Headers, TransportError

MOST_PUT = 4 << 20
"""Bytes of a manifest that every registry takes (distribution spec, "Pushing Manifests")."""


def publish(place: Place, name: str, raw: bytes, media_type: str) -> Headers:
    """Put a manifest or an index under a tag or its digest; the headers of the answer (none where it got lost and the
    document was found there). TransportError or Refused when it cannot be done, KezuriError when it is too large."""
    if len(raw) > MOST_PUT:
        raise KezuriError.of(
            f"the manifest has {len(raw)} bytes, and registries take no more than {MOST_PUT >> 20} MiB",
            hint="annotations and labels with much text belong into files of the image or into an artifact",
            exit_code=125,
        )
    own = digest_of(raw)
    headers = {"Content-Type": media_type}
    ask = Ask(place.endpoint, f"manifests/{name}", "PUT", headers, "pull,push", body=raw, once=True)
    patience = place.patience()
    while True:
        try:
            with place.open(ask, patience) as answer:
                return answer.headers
        except TransportError as error:
            if not patience.again(place.host, error.kind):
                raise
            if named(place, name, patience) == own:
                return Headers()
        except Refused as error:
            if error.failure.immutable and named(place, name, patience) == own:
                return Headers()
            weigh(error.failure, place.host, patience)


def named(place: Place, name: str, patience: Patience) -> str:
    """The digest of what a tag or digest names there; empty for nothing, and where the registry does not say."""
    try:
        with place.open(place.document(name, "HEAD", "pull,push"), patience) as answer:
            return answer.headers.get("docker-content-digest").strip()
    except Refused as error:
        if error.failure.status == 404:
            return ""
        raise


def delete(place: Place, name: str) -> None:
    """Delete a tag, or a manifest by its digest, by which all of its tags go. TransportError or Refused when not."""
    with place.open(place.ask("DELETE", f"manifests/{name}", "pull,delete"), place.patience()):
        pass
