"""Paths in a stage: the working directory, and what is relative to it."""

import posixpath


def clean(path: str) -> str:
    """The absolute path in its shortest form."""
    return "/" + posixpath.normpath(posixpath.join("/", path)).lstrip("/")


def joined(parent: str, path: str) -> str:
    """The directory that WORKDIR means: a relative path is joined and cleaned, an absolute one stays as it is written
    (BuildKit's rule; image configs show it)."""
    if path.startswith("/"):
        return path
    if not path and parent.startswith("/"):
        return parent
    return clean(posixpath.join("/", parent, path))


def destination(workdir: str, path: str) -> str:
    """Where COPY puts things, with a trailing slash where that is said to be a directory."""
    absolute = clean(posixpath.join("/", workdir, path))
    # `dir/` and `dir/.` say that the destination is a directory; cleaning must not lose that.
    if path.endswith(("/", "/.")) or path in (".", ""):
        return absolute if absolute == "/" else absolute + "/"
    return absolute
