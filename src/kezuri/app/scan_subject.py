"""What Trivy's `--input` names: an archive or a layout, as the name that images of it have."""

import os


def of_archive(path: str) -> str:
    """The name of the image in an archive of `docker save` (`docker-archive:…`), an OCI archive or a layout directory.
    KezuriError for what cannot be read as one."""
    if os.path.isdir(path):
        return f"oci:{path}"
    from kezuri.store.archive_file import ArchiveFile

    with ArchiveFile.open(path) as archive:
        form = "docker" if archive.size("manifest.json") is not None else "oci"
    return f"{form}-archive:{path}"
