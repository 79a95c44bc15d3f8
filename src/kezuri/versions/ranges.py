"""Ranges of versions, as advisories have them: events along the order of versions."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from kezuri.versions.order import Scheme

Kind = Literal["introduced", "fixed", "last_affected", "limit"]


class Event(NamedTuple):
    """Something that happens at a version: the words are those of OSV (https://ossf.github.io/osv-schema/). The version
    `0` of `introduced` comes before all others."""

    kind: Kind
    version: str


def holds(scheme: Scheme, events: Sequence[Event], version: str) -> bool:
    """Whether a version lies in the range that the events give, as the schema of OSV evaluates them. Unordered for a
    version, or an event, that the scheme does not know."""
    raise NotImplementedError((scheme, events, version))
