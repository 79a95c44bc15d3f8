"""An OCI image layout directory that assembled images are written into (image spec: image-layout.md)."""

import contextlib
import json
import os

from kezuri.bases.recipe import Assembled
from kezuri.diagnostics import KezuriError
from kezuri.linux.replacement import replacement
from kezuri.oci import Index, canonical
from kezuri.oci.descriptor import REF_NAME


class LayoutSink:
    """Puts blobs into the layout in a directory, which is made when missing."""

    def __init__(self, directory: str) -> None:
        self._blobs = os.path.join(directory, "blobs", "sha256")
        os.makedirs(self._blobs, exist_ok=True)

    def put(self, path: str, digest: str, size: int) -> None:
        """Moves the file to its place in the layout, or copies it from another file system."""
        import errno
        import shutil

        target = os.path.join(self._blobs, digest.removeprefix("sha256:"))
        with open(path, "rb") as file:
            os.fsync(file.fileno())
        try:
            os.rename(path, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with replacement(target) as copy, open(path, "rb") as file:
                shutil.copyfileobj(file, copy)


def write_layout(directory: str, name: str, assembled: Assembled) -> None:
    """Enters the image under `name` (a full name, such as `docker.io/library/alpine:3.22`) in the layout's index.

    Its blobs must be there (LayoutSink). An entry of the same name and platform is replaced, others are kept; two
    writers at once wait for each other.
    """
    import fcntl

    where = os.path.join(directory, "index.json")
    with open(os.path.join(directory, "oci-layout"), "a+b", opener=_no_link) as marker:
        fcntl.flock(marker, fcntl.LOCK_EX)
        if os.fstat(marker.fileno()).st_size == 0:
            marker.write(canonical({"imageLayoutVersion": "1.0.0"}))
        else:
            marker.seek(0)
            with contextlib.suppress(ValueError, AttributeError):
                if json.loads(marker.read()).get("imageLayoutVersion") != "1.0.0":
                    raise KezuriError.of(f"{directory}: not an OCI image layout of version 1.0.0")
        try:
            with open(where, "rb") as file:
                index = Index.parse(file.read(), where)
        except FileNotFoundError:
            index = Index(())
        entry = assembled.descriptor._replace(annotations={**assembled.descriptor.annotations, REF_NAME: name})
        kept = tuple(m for m in index.manifests if m.annotations.get(REF_NAME) != name or m.platform != entry.platform)
        with replacement(where) as file:
            file.write(canonical(index._replace(manifests=(*kept, entry)).to_json()))


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)
