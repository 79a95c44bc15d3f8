"""Two keys compared, component by component: what made them different."""

from collections import defaultdict
from typing import NamedTuple

from kezuri.plan.key import Components

ORDER = "order of components"
"""The name of the difference between keys that have the same components in another order."""

_RANKS = {
    name: rank
    for rank, name in enumerate(
        ("version", "kind", "link", "state before", "command", "script", "files", "destination", "path")
    )
}
_PREFIXES = ("heredoc ", "files bound at ", "files seeding ", "env ", "mount ")


class Difference(NamedTuple):
    """A component that is not the same in two keys; None where a key has no such component."""

    name: str
    before: str | None
    after: str | None

    @property
    def reverse(self) -> "Difference":
        """The same difference, seen from the other key."""
        return Difference(self.name, self.after, self.before)


def differences(before: Components, after: Components) -> tuple[Difference, ...]:
    """The components in which two keys differ, in a fixed order of names: none exactly when the keys are equal, and
    the same ones reversed when the keys change places."""
    old, new = _by_name(before), _by_name(after)
    found = []
    for name in sorted(old.keys() | new.keys(), key=_rank):
        was, now = old.get(name, []), new.get(name, [])
        if was == now:
            continue
        for i in range(max(len(was), len(now))):
            one = was[i] if i < len(was) else None
            two = now[i] if i < len(now) else None
            if one != two:
                found.append(Difference(name, one, two))
    if not found and before != after:
        found.append(Difference(ORDER, _names(before), _names(after)))
    return tuple(found)


def _by_name(components: Components) -> dict[str, list[str]]:
    found = defaultdict(list)
    for name, value in components:
        found[name].append(value)
    return found


def _rank(name: str) -> tuple[int, str]:
    """Where in the order a component comes: what stands for much before what stands for little."""
    rank = _RANKS.get(name)
    if rank is None:
        ranks = [i for i, prefix in enumerate(_PREFIXES) if name.startswith(prefix)]
        rank = len(_RANKS) + (ranks[0] if ranks else len(_PREFIXES))
    return rank, name


def _names(components: Components) -> str:
    return ", ".join(name for name, _ in components)
