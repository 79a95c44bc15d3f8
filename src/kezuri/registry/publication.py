"""A manifest or an index put into a repository: under its name, and into the list of what refers to its subject."""

from collections.abc import Callable

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci import Descriptor, Reference, digest_of
from kezuri.oci.descriptor import valid_digest
from kezuri.registry import referrers
from kezuri.registry.manifests import publish
from kezuri.registry.place import Place


def put(
    place: Place, reference: Reference, raw: bytes, media_type: str, warn: Callable[[Diagnostic], None]
) -> Descriptor:
    """Put a document by the reference's tag, or by its digest where the reference has no tag. TransportError or
    Refused when the registry does not take it, KezuriError when it cannot be what the reference names."""
    own = Descriptor(media_type, digest_of(raw), len(raw))
    if not reference.tag and reference.digest not in ("", own.digest):
        raise KezuriError.of(f"{reference}: what is to be put there has the digest {own.digest}", exit_code=125)
    subject = referrers.subject_of(raw)
    headers = publish(place, reference.tag or own.digest, raw, media_type)
    if subject and not headers.get("oci-subject"):
        referrers.record(place, raw, media_type, subject, str(reference))
    said = headers.get("docker-content-digest").strip()
    if valid_digest(said) and said != own.digest:
        warn(
            Diagnostic(
                "warning",
                f"{reference}: {place.host} says that it keeps {said}, but what was sent is {own.digest}",
                hint="a registry that changes what it is given breaks signatures and pulls by digest",
            )
        )
    return own
