"""Versions of Python's packages: PEP 440, as `packaging` orders them."""

from kezuri.versions.pieces import Key, Unordered

_LONGEST = 1000


def key(version: str) -> Key:
    """Unordered for what PEP 440 does not know, and for what is longer than any version ought to be."""
    from packaging.version import InvalidVersion, Version

    if len(version) > _LONGEST:
        raise Unordered("PEP 440", version)
    try:
        return Version(version)
    except InvalidVersion:
        raise Unordered("PEP 440", version) from None
