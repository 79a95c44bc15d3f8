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
        form = "docker" if archive.size("manifest.json") is not None else "oci"
    return f"{form}-archive:{path}"


def is_document(subject: str) -> bool:
    """Whether a subject is a bill in a file, as `app.sbom` reads it, and not an image or a directory."""
    return subject.startswith("sbom:")


_LOCK_FILES = frozenset(
    (
        *("package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "requirements.txt", "poetry.lock"),
        *("uv.lock", "Pipfile.lock", "pdm.lock", "go.sum", "Cargo.lock", "Gemfile.lock", "composer.lock", "pom.xml"),
        *("gradle.lockfile", "packages.lock.json", "mix.lock", "pubspec.lock", "conan.lock"),
    )
)


def lock_files(directory: str) -> tuple[str, ...]:
    """What lies in a directory and names packages that need not be installed there; nothing where it cannot be
    listed."""
    try:
        return tuple(sorted(_LOCK_FILES.intersection(os.listdir(directory))))
    except OSError:
        return ()
