"""What is scanned, by its name: documents, and what Trivy's `--input` names."""

import os


def of_archive(path: str) -> str:
    """The name of the image in an archive of `docker save` (`docker-archive:…`), an OCI archive or a layout directory.
    KezuriError for what cannot be read as one."""
    if os.path.isdir(path):
        return f"oci:{path}"
    if not os.path.lexists(path):
        from kezuri.diagnostics import KezuriError

        raise KezuriError.of(f"there is no file {path}")
    from kezuri.store.archive_file import ArchiveFile

    with ArchiveFile.open(path) as archive:
        form = "oci" if archive.size("manifest.json") is None else "docker"
    return f"{form}-archive:{path}"


def is_document(subject: str) -> bool:
    """Whether a subject is a bill in a file, as `app.sbom` reads it, and not an image or a directory."""
    return subject.startswith("sbom:")


def lock_files(directory: str) -> tuple[str, ...]:
    """What lies in a directory and names packages that need not be installed there; nothing where it cannot be
    listed."""
    from kezuri.packages.locks import UNREAD, reader

    try:
        names = os.listdir(directory)
    except OSError:
        return ()
    return tuple(sorted(name for name in names if name in UNREAD or reader(name) is not None))
