"""What is said about an image and travels in its index: in-toto statements in a manifest of their own, as BuildKit
attaches them (docs/attestations/attestation-storage.md there, as of 0.31)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from kezuri.edits.artifact import EMPTY, NOTHING
from kezuri.oci.descriptor import MANIFEST, Descriptor, Manifest, canonical, digest_of
from kezuri.oci.platform import Platform

IN_TOTO: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
STATEMENTS: Final = "https://in-toto.io/Statement/"
"""How the type of a statement begins, whatever its version."""
ARTIFACT_TYPE: Final = "application/vnd.docker.attestation.manifest.v1+json"
PREDICATE_TYPE: Final = "in-toto.io/predicate-type"
REFERENCE_TYPE: Final = "vnd.docker.reference.type"
REFERENCE_DIGEST: Final = "vnd.docker.reference.digest"
ATTESTATION: Final = "attestation-manifest"
SPDX: Final = "https://spdx.dev/Document"
CYCLONEDX: Final = "https://cyclonedx.org/bom"
OPENVEX: Final = "https://openvex.dev/ns"
PROVENANCE: Final = "https://slsa.dev/provenance/v1"

_NOWHERE: Final = Platform("unknown", "unknown")
"""The platform of what is no image, so that nobody runs it."""


class Statement(NamedTuple):
    """A statement as bytes, and what kind of predicate it makes."""

    kind: str
    data: bytes

    @classmethod
    def made(cls, kind: str, predicate: Mapping[str, Any], digest: str, names: Sequence[str]) -> "Statement":
        """That the predicate holds for the image with this digest, under each of its names."""
        hashed = {"sha256": digest.removeprefix("sha256:")}
        subjects = [{"name": name, "digest": hashed} for name in names or ("_",)]
        document = {"_type": STATEMENT, "predicateType": kind, "subject": subjects, "predicate": predicate}
        return cls(kind, canonical(document))


class Attestation(NamedTuple):
    """The manifest with the statements about one image: the entry of the index that it gets, and its blobs by digest,
    the manifest among them."""

    entry: Descriptor
    blobs: dict[str, bytes]


def attestation(image: Descriptor, statements: Sequence[Statement]) -> Attestation:
    """What attaches statements to the image with this descriptor."""
    blobs = {NOTHING.digest: EMPTY}
    layers = []
    for statement in statements:
        digest = digest_of(statement.data)
        blobs[digest] = statement.data
        layers.append(Descriptor(IN_TOTO, digest, len(statement.data), {PREDICATE_TYPE: statement.kind}))
    subject = Descriptor(image.media_type, image.digest, image.size)
    manifest = Manifest(NOTHING, tuple(layers), MANIFEST, {}, subject, ARTIFACT_TYPE)
    raw = canonical(manifest.to_json())
    notes = {REFERENCE_DIGEST: image.digest, REFERENCE_TYPE: ATTESTATION}
    entry = Descriptor(MANIFEST, digest_of(raw), len(raw), notes, _NOWHERE)
    blobs[entry.digest] = raw
    return Attestation(entry, blobs)
