"""All rules there are: those of BuildKit, which every build asks, and the others, which `kezuri check` loads."""

import os
from collections.abc import Iterator
from functools import cache

from kezuri.check.rule import RulePage
from kezuri.check.rules import RULES


@cache
def every_rule() -> tuple[RulePage, ...]:
    """Every rule, by name. A file in `check/rules` that has a tuple `RULES` gives its own."""
    found: dict[str, RulePage] = {rule.name: rule for rule in RULES}
    for rule in _others():
        if found.setdefault(rule.name, rule) is not rule:
            raise ValueError(rule.name)
    return tuple(found[name] for name in sorted(found))


def _others() -> Iterator[RulePage]:
    from importlib import import_module

    from kezuri.check import rules

    # pkgutil would load a tenth of the library to list a directory.
    files = sorted({name for path in rules.__path__ for name in os.listdir(path)})
    for name in files:
        if name.endswith(".py") and name != "__init__.py":
            yield from getattr(import_module(f"{rules.__name__}.{name[:-3]}"), "RULES", ())


@cache
def by_name() -> dict[str, RulePage]:
    """The rules by every name that they have, in lower case: their own and their aliases."""
    names: dict[str, RulePage] = {}
    for rule in every_rule():
        for name in (rule.name, *rule.aliases):
            names.setdefault(name.lower(), rule)
    return names


def named(name: str) -> tuple[RulePage, ...]:
    """The rules that have a name, in lower case: a name of another tool's may be that of several."""
    return tuple(r for r in every_rule() if name in {known.lower() for known in (r.name, *r.aliases)})
