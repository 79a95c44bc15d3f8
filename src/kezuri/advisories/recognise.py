"""Recognises advisory data by what it holds, whatever its files are called, and opens the reader of its format."""

from kezuri.advisories.reading import Format, Reading


def recognised(path: str) -> tuple[Reading, ...]:
    """The data sets that a path holds: a file, an archive (zip, tar, each compressed or not), or a directory, which may
    hold several, each in a directory or file of its own. KezuriError that says what is there where it holds none."""
    raise NotImplementedError(path)


def reading(format: Format, path: str, name: str = "") -> Reading:
    """What a path holds, read as this format under this name (else under the one that its content gives it)."""
    raise NotImplementedError((format, path, name))
