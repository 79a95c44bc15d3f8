"""What a build says about its own images, attached in the index as BuildKit does: their bills, how they were built."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kezuri.app.session import Session
from kezuri.edits.attestation import PROVENANCE, SPDX, Statement, attestation
from kezuri.export.image import Exported
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import INDEX, Descriptor, Index, Manifest, canonical, digest_of
from kezuri.oci.reference import Reference

if TYPE_CHECKING:
    from kezuri.export.annotations import Annotations


Predicate = Callable[[int], Mapping[str, Any]]
"""Says how the image with this number was built."""


def attested(
    session: Session,
    image: Exported,
    called: Sequence[str],
    annotations: "Annotations | None" = None,
    *,
    bills: bool = True,
    provenance: Predicate | None = None,
) -> Exported:
    """The image as an index in which each of its manifests has beside it what is said about it: its bill, and how it
    was built. `called` are names of the image for people; `annotations` go to an index that is made here. KezuriError
    where a layer cannot be read."""
    raw = image.documents[image.descriptor.digest]
    if image.config is None:
        index = Index.parse(raw, "the image")
    else:
        notes = annotations.on("index") if annotations else {}
        index = Index((image.descriptor,), INDEX, notes)
    attestations = []
    for number, entry in enumerate(index.manifests):
        manifest = Manifest.parse(image.documents[entry.digest], "the image")
        config = ImageConfig.parse(image.documents[manifest.config.digest], "the image")
        names = [image_purl(name, str(entry.platform or config.platform)) for name in called]
        made = []
        if bills:
            bill = _bill(session, called[0] if called else "", entry.digest, config, manifest)
            made.append(Statement.made(SPDX, bill, entry.digest, names))
        if provenance is not None:
            made.append(Statement.made(PROVENANCE, provenance(number), entry.digest, names))
        attestations.append(attestation(entry, made))
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


def _bill(session: Session, name: str, digest: str, config: ImageConfig, manifest: Manifest) -> Mapping[str, Any]:
    from kezuri.app.anatomy import image_of_documents
    from kezuri.app.sbom import bill_of_found
    from kezuri.sbom import spdx

    with image_of_documents(session, name, digest, config, manifest) as found:
        return spdx.document(bill_of_found(session, found))


def image_purl(name: str, platform: str, kind: str = "docker") -> str:
    """An image's name as BuildKit has it in statements: a package URL."""
    from kezuri.sbom.purls import PackageURL

    reference = Reference.maybe(name)
    if reference is None:
        return str(PackageURL(kind, "", name, "", (("platform", platform),)))
    space, _, own = reference._replace(tag="", digest="").familiar.rpartition("/")
    pairs = [("digest", reference.digest), ("platform", platform)]
    return str(PackageURL(kind, space, own, reference.tag, tuple(pair for pair in pairs if pair[1])))
