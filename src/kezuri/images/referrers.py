"""What the store keeps because it refers to an image of it: signatures, SBOMs, attestations, or anything else."""

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor, Index, read_document
from kezuri.store.names import SUBJECT
from kezuri.store.store import Store


def referrers(store: Store, digest: str, artifact_type: str = "") -> tuple[Descriptor, ...]:
    """What refers to the manifest or index with this digest, as a registry lists it: with its own annotations and its
    kind. Of one artifact type only, or (empty) of all. What is damaged is left out."""
    found = []
    for entry in store.names.referring():
        if entry.annotations.get(SUBJECT) != digest:
            continue
        try:
            document = read_document(store.blobs.read(entry.digest), entry.digest)
        except KezuriError:
            continue  # `store check` tells of it.
        kind = entry.artifact_type if isinstance(document, Index) else document.kind
        if not artifact_type or kind == artifact_type:
            listed = Descriptor(document.media_type, entry.digest, entry.size, document.annotations)
            found.append(listed._replace(artifact_type=kind))
    return tuple(found)
