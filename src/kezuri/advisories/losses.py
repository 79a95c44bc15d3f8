"""What of advisory data could not be read: counted, and the first of it told by name."""

from typing import NamedTuple

_TOLD = 50
_LONGEST = 500
"""Characters of a name and of a reason: those of members of an archive may have 65,535."""


class Loss(NamedTuple):
    """Something that could not be read: a file, a member of an archive, or an advisory by its id; and why."""

    name: str
    why: str


class Losses:
    """Gathers what a reader leaves out. `count` is all of it, `told` the first 50."""

    __slots__ = ("count", "told")

    def __init__(self) -> None:
        self.count = 0
        self.told: list[Loss] = []

    def add(self, name: str, why: str) -> None:
        """One more."""
        self.count += 1
        if len(self.told) < _TOLD:
            self.told.append(Loss(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…", why[:_LONGEST]))
