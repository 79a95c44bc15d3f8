"""Scopes: what a token lets its holder do, written `type:name:actions` (distribution spec,
"token scope")."""

from collections.abc import Iterable
from itertools import islice

_MOST = 64
"""How many scopes a registry may demand at once."""


def merged(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes with one entry for each resource, its actions together and in order of the alphabet."""
    found: dict[str, set[str]] = {}
    for scope in scopes:
        resource, colon, actions = scope.rpartition(":")
        if colon:
            found.setdefault(resource, set()).update(a for a in actions.split(",") if a)
        elif scope:
            found.setdefault(scope, set())
    return tuple(f"{r}:{','.join(sorted(a))}" if a else r for r, a in found.items())


def covers(granted: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether whoever has the granted scopes may do all that is wanted."""
    has = dict(_split(scope) for scope in merged(granted))
    return all(
        resource in has and (actions <= has[resource] or "*" in has[resource])
        for resource, actions in map(_split, merged(wanted))
    )


def in_order(demanded: Iterable[str], own: Iterable[str], before: Iterable[str] = ()) -> tuple[str, ...]:
    """Everything to ask a token server for. Some servers look at the first scope only. So what a registry demands that
    was not asked for `before` stands first when a token was refused; otherwise the one that lets us push."""
    theirs = tuple(islice(demanded, _MOST))
    wanted = merged((*theirs, *own))
    asked = tuple(before)
    new = {_split(s)[0] for s in theirs if asked and not covers(asked, (s,))}

    def rank(scope: str) -> tuple[bool, bool]:
        resource, actions = _split(scope)
        return resource not in new, "push" not in actions

    return tuple(sorted(wanted, key=rank))


def _split(scope: str) -> tuple[str, frozenset[str]]:
    resource, _, actions = scope.rpartition(":")
    return resource, frozenset(actions.split(","))
