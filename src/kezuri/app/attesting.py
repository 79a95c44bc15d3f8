"""What a build says about its own images: their bills, attached in the index as BuildKit attaches them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kezuri.app.session import Session
from kezuri.edits.attestation import SPDX, Attestation, Statement, attestation
from kezuri.export.image import Exported
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import INDEX, Descriptor, Index, Manifest, canonical, digest_of
from kezuri.oci.reference import Reference

if TYPE_CHECKING:
    from kezuri.export.annotations import Annotations


def with_bills(
    session: Session, image: Exported, called: Sequence[str], annotations: "Annotations | None" = None
) -> Exported:
    """The image as an index in which each of its manifests has its bill beside it. `called` are names of the image for
    people; `annotations` go to an index that is made here. KezuriError where a layer cannot be read."""
    raw = image.documents[image.descriptor.digest]
    if image.config is None:
        index = Index.parse(raw, "the image")
    else:
        notes = annotations.on("index") if annotations else {}
        index = Index((image.descriptor,), INDEX, notes)
    attestations = [_attestation(session, image, entry, called) for entry in index.manifests]
    documents = dict(image.documents)
    if image.config is None:
        del documents[image.descriptor.digest]
    for each in attestations:
        documents.update(each.blobs)
    entries = (*index.manifests, *(each.entry for each in attestations))
    whole = canonical(index._replace(manifests=entries).to_json())
    outside = image.descriptor.annotations if image.config is None else {}
    if image.config is not None and annotations:
        outside = annotations.on("index-descriptor")
    root = Descriptor(INDEX, digest_of(whole), len(whole), outside)
    documents[root.digest] = whole
    return image._replace(descriptor=root, config=None, documents=documents)


def _attestation(session: Session, image: Exported, entry: Descriptor, called: Sequence[str]) -> Attestation:
    from kezuri.app.anatomy import image_of_documents
    from kezuri.app.sbom import bill_of_found
    from kezuri.sbom import spdx

    manifest = Manifest.parse(image.documents[entry.digest], "the image")
    config = ImageConfig.parse(image.documents[manifest.config.digest], "the image")
    name = called[0] if called else ""
    with image_of_documents(session, name, entry.digest, config, manifest) as found:
        bill = bill_of_found(session, found)
    platform = str(entry.platform or config.platform)
    names = [_purl(name, platform) for name in called]
    return attestation(entry, [Statement.made(SPDX, spdx.document(bill), entry.digest, names)])


def _purl(name: str, platform: str) -> str:
    """An image's name as BuildKit has it in statements: a package URL of type `docker`."""
    from kezuri.sbom.purls import PackageURL

    reference = Reference.parse(name)
    space, _, own = reference._replace(tag="", digest="").familiar.rpartition("/")
    return str(PackageURL("docker", space, own, reference.tag, (("platform", platform),)))
