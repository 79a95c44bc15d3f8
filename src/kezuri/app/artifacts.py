"""`attach` and `discover`: what belongs to an image without being a part of it, wherever the image is."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.app.transfers import Places, beside
from kezuri.diagnostics import KezuriError
from kezuri.edits.artifact import TITLE, artifact
from kezuri.images.kept import NoSuchImage
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform
from kezuri.registry.image import Document
from kezuri.transfer.artifact_files import ArtifactFiles, described
from kezuri.transfer.copying import Wish, copy
from kezuri.transfer.doors import Source
from kezuri.transfer.places import LayoutPlace, Place, RegistryPlace, StorePlace, read_place
from kezuri.transfer.walking import image_for

_DEEPEST = 8
"""How many generations are looked for: a signature of an SBOM of an image is the second."""
_MOST = 1000
"""How many referrers are listed in all; a registry may list whatever it likes."""


class AttachedFile(NamedTuple):
    """A file of an artifact, and its media type."""

    path: str
    media_type: str


class Attached(NamedTuple):
    """What was attached to what."""

    descriptor: Descriptor
    subject: Descriptor


class Referring(NamedTuple):
    """What refers to an image, and what refers to it in turn."""

    descriptor: Descriptor
    referrers: tuple["Referring", ...]


class Discovered(NamedTuple):
    """An image as it was found, and what refers to it."""

    where: str
    descriptor: Descriptor
    referrers: tuple[Referring, ...]


def attach(
    settings: Settings,
    image: str,
    artifact_type: str,
    files: Sequence[AttachedFile],
    annotations: Mapping[str, str],
    platform: str = "",
    warn: Callable[[str], None] = lambda text: None,
) -> Attached:
    """Put an artifact with these files beside the image, which becomes its subject; the image stays as it is. The same
    files give the same artifact. `warn` hears of credentials that cannot be asked for. KezuriError where the image is
    not there, or its place can keep no artifact."""
    place = read_place(image)
    if not isinstance(place, RegistryPlace | StorePlace | LayoutPlace):
        raise KezuriError.of(
            f"nothing can be attached to an image in {image}",
            hint="copy it to a registry, a layout or the store first",
            exit_code=2,
        )
    paths: dict[str, str] = {}
    blobs = []
    for file in files:
        blob = described(file.path, file.media_type, {TITLE: os.path.basename(os.path.abspath(file.path))})
        paths[blob.digest] = file.path
        blobs.append(blob)
    with Session(settings, warn=warn) as session, Places(session) as places:
        subject = _root(places.source(place), place, platform).descriptor
        made = ArtifactFiles(artifact(subject, artifact_type, blobs, annotations), paths)
        copied = copy(made, beside(session, place), Wish(), lambda descriptor, current, total: None)
        return Attached(copied.descriptor, subject)


def discover(
    settings: Settings,
    image: str,
    artifact_type: str = "",
    platform: str = "",
    warn: Callable[[str], None] = lambda text: None,
) -> Discovered:
    """What refers to the image, and what refers to that. With an artifact type, of what refers to the image itself only
    what is of that type. `warn` as in `attach`."""
    with Session(settings, reading=True, warn=warn) as session, Places(session) as places:
        place = read_place(image)
        source = places.source(place)
        root = _root(source, place, platform).descriptor
        return Discovered(source.where, root, referring(source, root.digest, artifact_type))


def referring(source: Source, digest: str, artifact_type: str = "") -> tuple[Referring, ...]:
    """What a source lists as referring to a digest, each thing once, whatever is listed."""
    return _referring(source, digest, artifact_type, {digest}, _DEEPEST)


def _referring(source: Source, digest: str, kind: str, seen: set[str], deep: int) -> tuple[Referring, ...]:
    found = []
    for entry in source.referrers(digest):
        if entry.digest in seen or len(seen) > _MOST or (kind and entry.artifact_type != kind):
            continue
        seen.add(entry.digest)
        more = _referring(source, entry.digest, "", seen, deep - 1) if deep > 1 else ()
        found.append(Referring(entry, more))
    return tuple(sorted(found, key=lambda one: (one.descriptor.artifact_type, one.descriptor.digest)))


def _root(source: Source, place: Place, platform: str) -> Document:
    """What is attached to, or looked at. NoSuchImage says also how a registry's image is written: whoever names one
    alone, as for `push` and `pull`, means it more often than not."""
    try:
        root = source.root()
    except NoSuchImage as error:
        if not isinstance(place, StorePlace) or "/" not in place.name:
            raise
        told, name = error.diagnostics[0], place.name
        way = f"{name} is a name of the store: the registry's image is docker://{name}"
        raise NoSuchImage.of(told.message, hint=f"{told.hint}\n{way}") from None
    return image_for(source, root, Platform.parse(platform)) if platform else root
