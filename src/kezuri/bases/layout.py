"""Assembled images go into an image layout."""

from kezuri.bases.recipe import Assembled
from kezuri.oci import Descriptor
from kezuri.oci.descriptor import REF_NAME
from kezuri.store.layout import LayoutDirectory


class LayoutSink:
    """Puts blobs into the layout in a directory, which is made when missing."""

    def __init__(self, directory: str) -> None:
        self._layout = LayoutDirectory(directory)

    def put(self, path: str, digest: str, size: int) -> None:
        """Moves the file to its place in the layout, or copies it from another file system."""
        self._layout.move_in(path, digest)


def write_layout(directory: str, name: str, assembled: Assembled) -> None:
    """Enters the image under `name` (a full name, such as `docker.io/library/alpine:3.22`) in the layout's index.

    Its blobs must be there (LayoutSink). An entry of the same name and platform is replaced, others are kept.
    """
    entry = assembled.descriptor._replace(annotations={**assembled.descriptor.annotations, REF_NAME: name})

    def entered(known: tuple[Descriptor, ...]) -> tuple[Descriptor, ...]:
        kept = (m for m in known if m.annotations.get(REF_NAME) != name or m.platform != entry.platform)
        return (*kept, entry)

    LayoutDirectory(directory).enter(entered)
