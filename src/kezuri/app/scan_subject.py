"""What is scanned, by its name: documents, and what Trivy's `--input` names."""

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


def is_document(subject: str) -> bool:
    """Whether a subject is a bill in a file, as `app.sbom` reads it, and not an image or a directory."""
    return subject.startswith("sbom:") or os.path.isfile(subject)
