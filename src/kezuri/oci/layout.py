"""The words of an image layout (OCI image spec: image-layout.md): its files, and the text of its marker."""

import json

from kezuri.oci.descriptor import encoded

MARKER_FILE = "oci-layout"
INDEX_FILE = "index.json"
MARKER = b'{"imageLayoutVersion":"1.0.0"}'
"""What a layout's marker holds as kezuri writes it."""


def version_of(marker: bytes) -> str:
    """The version that a layout's marker says; empty when it says none."""
    try:
        version = json.loads(marker)["imageLayoutVersion"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return version if isinstance(version, str) else ""


def blob_file(digest: str, where: str = "") -> str:
    """The path of a blob in a layout; KezuriError, naming `where`, for what is no sha256 digest."""
    return f"blobs/sha256/{encoded(digest, where)}"
