"""What was attached to an image and says something about it: bills, VEX documents, provenance; found and written."""

from collections.abc import Sequence
from typing import NamedTuple

from kezuri.app.session import Session
from kezuri.transfer.places import Place

BILLS = ("https://spdx.dev/Document", "https://cyclonedx.org/bom")
"""Predicate types of bills."""
VEX = ("https://openvex.dev/ns",)
"""Predicate types of VEX documents; with a version behind they count, too."""


class AttachedDocument(NamedTuple):
    """A document about an image: `kind` is the predicate type that it has, or would have, in a statement; `data` the
    document itself, without the statement around it; `where` names it for people; `subject` is the digest of the
    manifest that it is about."""

    kind: str
    data: bytes
    where: str
    subject: str


def attached(session: Session, place: Place, kinds: Sequence[str], platform: str = "") -> tuple[AttachedDocument, ...]:
    """The documents of these kinds (beginnings of predicate types: `BILLS`, `VEX`) about the image at a place, as
    BuildKit attaches them (in the index), and as referrers. Digests are verified, nobody's signature is. KezuriError
    where the image is not there."""
    raise NotImplementedError((session, place, kinds, platform))
