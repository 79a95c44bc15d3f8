"""Names of packages as advisories and records of packages agree on them: each ecosystem has its own rule."""

import re

_RUNS = re.compile(r"[-_.]+")
_LOWERED = frozenset(("NuGet", "Packagist", "Hex", "Pub"))


def normalised(ecosystem: str, name: str) -> str:
    """A name as it is compared. PyPI: PEP 503; NuGet, Packagist, Hex, Pub: small letters; others: as it is written."""
    if ecosystem == "PyPI":
        return _RUNS.sub("-", name).lower()
    return name.lower() if ecosystem in _LOWERED else name
