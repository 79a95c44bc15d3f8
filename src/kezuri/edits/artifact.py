"""An artifact that belongs to an image: a manifest with files, of a kind of its own, whose subject the image is."""

import re
from collections.abc import Mapping, Sequence

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import MANIFEST, Descriptor, Manifest, digest_of

EMPTY = b"{}"
"""The content of what a manifest has to have and an artifact has not (image spec, manifest.md, "Guidance for an Empty
Descriptor")."""
NOTHING = Descriptor("application/vnd.oci.empty.v1+json", digest_of(EMPTY), len(EMPTY))
TITLE = "org.opencontainers.image.title"
"""The annotation with the name of the file that a blob is."""
ANY_FILE = "application/octet-stream"

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\Z")


def is_media_type(text: str) -> bool:
    """Whether the text is a media type without parameters (RFC 6838, section 4.2)."""
    return _MEDIA_TYPE.match(text) is not None


def artifact(
    subject: Descriptor, artifact_type: str, files: Sequence[Descriptor], annotations: Mapping[str, str]
) -> Manifest:
    """The manifest of an artifact with these files. KezuriError for a type that is none."""
    if not is_media_type(artifact_type):
        raise KezuriError.of(
            f"not an artifact type: {artifact_type!r}",
            hint="write a media type, such as application/spdx+json or application/vnd.example.report",
            exit_code=2,
        )
    pointer = Descriptor(subject.media_type, subject.digest, subject.size)
    notes = dict(sorted(annotations.items()))
    return Manifest(NOTHING, tuple(files) or (NOTHING,), MANIFEST, notes, pointer, artifact_type)
