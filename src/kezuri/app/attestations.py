"""What was attached to an image and says something about it: bills, VEX documents, provenance; found and written."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from kezuri.app.session import Session
from kezuri.app.transfers import Places, beside
from kezuri.diagnostics import KezuriError
from kezuri.edits.artifact import TITLE, artifact
from kezuri.edits.attestation import CYCLONEDX, OPENVEX, SPDX
from kezuri.oci.descriptor import Descriptor, digest_of
from kezuri.oci.platform import Platform
from kezuri.transfer.attested import Attested, Finder
from kezuri.transfer.places import LayoutPlace, Place, RegistryPlace, StorePlace, read_place

if TYPE_CHECKING:
    from kezuri.app.artifacts import Attached
    from kezuri.app.request import Settings
    from kezuri.sbom.values import Bill
    from kezuri.transfer.doors import Source

BILLS: Final = (SPDX, CYCLONEDX)
"""Predicate types of bills."""
VEX: Final = (OPENVEX,)
"""Predicate types of VEX documents; with a version behind they count, too."""

AttachedDocument = Attested


def attached(
    session: Session,
    place: Place,
    kinds: Sequence[str],
    platform: str = "",
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[AttachedDocument, ...]:
    """The documents of these kinds (beginnings of predicate types: `BILLS`, `VEX`) about the image at a place, as
    BuildKit attaches them (in the index), as referrers, and as cosign keeps them under a tag. Digests are verified,
    nobody's signature is. `tell` hears of what is there and cannot be read. KezuriError where the image is not there.
    """
    from kezuri.transfer.walking import image_for

    with Places(session) as places:
        _, source, root = places.find(place)
        wanted = Platform.parse(platform) if platform else Platform.host()
        image = image_for(source, root, wanted)
        finder = Finder(source, kinds)
        found = list(finder.about(root, image))
        if isinstance(place, RegistryPlace):
            digests = dict.fromkeys((image.descriptor.digest, root.descriptor.digest))
            for digest in digests:
                found += _by_tag(session, places, place, kinds, digest, tuple(digests), tell)
        for text in finder.told:
            tell(text)
    return tuple({(each.kind, digest_of(each.data)): each for each in found}.values())


def attached_bill(
    settings: "Settings", image: str, platform: str = "", tell: Callable[[str], None] = lambda text: None
) -> "Bill":
    """The bill that was attached to an image, by whomever: nothing of the image itself is read. Of several that one
    counts that was found first: those of its index are before those that refer to it. `tell` hears of the others, and
    of what cannot be read. KezuriError where there is none."""
    from kezuri.sbom.reading import read

    with Session(settings, reading=True, warn=tell) as session:
        documents = attached(session, read_place(image), BILLS, platform, tell)
    if not documents:
        raise KezuriError.of(
            f"no SBOM is attached to {image}", hint="leave out --attached: kezuri looks into the image itself then"
        )
    if len(documents) > 1:
        tell(f"{len(documents)} SBOMs are attached to {image}: this is {documents[0].where}")
    found = read(documents[0].data, documents[0].where)
    return found if found.name else found._replace(name=image)


def _by_tag(
    session: Session,
    places: Places,
    place: RegistryPlace,
    kinds: Sequence[str],
    digest: str,
    subjects: tuple[str, ...],
    tell: Callable[[str], None],
) -> list[Attested]:
    """What cosign attests without referrers: a manifest under the tag `sha256-HEX.att`."""
    reference = place.reference._replace(tag=f"{digest.replace(':', '-')}.att", digest="")
    try:
        entry = session.registry().head(reference)
    except KezuriError:
        return []  # Some registries refuse to say that there is no such tag.
    if entry is None:
        return []
    source: Source = places.source(RegistryPlace(reference))
    finder = Finder(source, kinds)
    found = list(finder.within(source.root().descriptor, (digest, *subjects)))
    for text in finder.told:
        tell(text)
    return found


def attach_document(
    settings: "Settings",
    image: str,
    media_type: str,
    name: str,
    data: bytes,
    platform: str = "",
    warn: Callable[[str], None] = lambda text: None,
) -> "Attached":
    """Put a document beside an image, as an artifact of the document's own media type whose subject the image is; the
    image stays as it is, and the same document gives the same artifact. With a platform, or where there is one only, it
    is about that image. KezuriError where the image is not there, or its place can keep no artifact."""
    from kezuri.app.artifacts import Attached
    from kezuri.transfer.artifact_files import ArtifactFiles
    from kezuri.transfer.copying import Wish, copy
    from kezuri.transfer.walking import image_for

    named = read_place(image)
    if not isinstance(named, RegistryPlace | StorePlace | LayoutPlace):
        raise KezuriError.of(
            f"nothing can be attached to an image in {image}",
            hint="copy it to a registry, a layout or the store first",
            exit_code=2,
        )
    blob = Descriptor(media_type, digest_of(data), len(data), {TITLE: name})
    with Session(settings, warn=warn) as session, Places(session) as places:
        place, source, root = places.find(named)
        subject = image_for(source, root, Platform.parse(platform) if platform else Platform.host()).descriptor
        made = ArtifactFiles(artifact(subject, media_type, [blob], {}), {}, {blob.digest: data})
        copied = copy(made, beside(session, place), Wish(), lambda descriptor, current, total: None)
        return Attached(copied.descriptor, subject)
