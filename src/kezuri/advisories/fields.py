"""Fields of advisories as others write them: taken where they are what they should be, and within bounds."""

import re
from functools import lru_cache
from typing import Any

from kezuri.advisories.values import Severity

MOST_NAME = 1024
"""Characters of an id, a name or a version."""
MOST_VERSIONS = 200_000
"""Versions, and events of ranges, that one advisory may name."""
_MOST_SUMMARY = 400
_MOST_REFERENCES = 30
_MOST_ALIASES = 500
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?$")
_SEVERITIES: dict[str, Severity] = {
    "critical": "critical",
    "high": "high",
    "important": "high",
    "medium": "medium",
    "moderate": "medium",
    "low": "low",
    "minor": "low",
    "negligible": "low",
    "unimportant": "low",
}


class Unusable(Exception):
    """An advisory that cannot be used, and why, in words."""


def mapping(value: Any) -> dict[str, Any]:
    """The mapping, empty for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """The list, empty for anything else."""
    return value if isinstance(value, list) else []


def word(value: Any, what: str) -> str:
    """A text that something is found by; Unusable for anything else, and for what no id, name or version is like."""
    if isinstance(value, str) and 0 < len(value) <= MOST_NAME and value.isprintable():
        return value
    if not isinstance(value, str) or not value:
        raise Unusable(f"{what} is missing")
    if len(value) > MOST_NAME:
        raise Unusable(f"{what} has {len(value)} characters")
    raise Unusable(f"{what} has characters that cannot be printed")


def words(value: Any, what: str, most: int) -> tuple[str, ...]:
    """Texts that things are found by."""
    found = sequence(value)
    if len(found) > most:
        raise Unusable(f"{what}: {len(found)} of them, more than {most}")
    return tuple(word(each, what) for each in found)


def aliases(*values: Any) -> tuple[str, ...]:
    """Other ids, each once, those that are none left out."""
    found: dict[str, None] = {}
    for value in values:
        for each in sequence(value)[:_MOST_ALIASES]:
            if isinstance(each, str) and 0 < len(each) <= MOST_NAME and each.isprintable():
                found[each] = None
    return tuple(found)


def summary(*values: Any) -> str:
    """The first text that says anything, in one line of at most 400 characters."""
    for value in values:
        if isinstance(value, str) and (said := " ".join(value[: 4 * _MOST_SUMMARY].split())):
            said = said.encode("utf-8", "replace").decode()
            return said if len(said) <= _MOST_SUMMARY else said[: _MOST_SUMMARY - 1].rstrip() + "…"
    return ""


def references(*values: Any) -> tuple[str, ...]:
    """Addresses, each once: those of the web alone."""
    found: dict[str, None] = {}
    for value in values:
        if len(found) >= _MOST_REFERENCES:
            break
        if (
            isinstance(value, str)
            and value[:8].lower().startswith(("https://", "http://"))
            and len(value) <= 2 * MOST_NAME
            and value.isprintable()
            and " " not in value
        ):
            found[value] = None
    return tuple(found)


def moment(value: Any) -> str:
    """A time of RFC 3339, in UTC where it is given so; a day alone stays one. Empty for anything else, and for the year
    1, with which Go says that it does not know."""
    if not isinstance(value, str) or value.startswith("0001-"):
        return ""
    if _DAY.fullmatch(value):
        return value
    return value.replace(" ", "T", 1) if len(value) <= 40 and _MOMENT.match(value) else ""


def severity(value: Any) -> Severity:
    """A severity by the words of those who keep data."""
    return _SEVERITIES.get(value.strip().rstrip("*").lower(), "unknown") if isinstance(value, str) else "unknown"


@lru_cache(4096)
def scored(vector: str) -> float | None:
    """The base score of a CVSS vector, reckoned once: few vectors are many advisories'."""
    from kezuri.advisories.cvss import score

    return score(vector)


def vectors(*values: Any) -> tuple[tuple[str, ...], float]:
    """The CVSS vectors among texts, and the highest of their base scores."""
    found: dict[str, float] = {}
    for value in values:
        if isinstance(value, str) and len(value) <= MOST_NAME and (score := scored(value)) is not None:
            found[value] = score
    return tuple(found), max(found.values(), default=0.0)
