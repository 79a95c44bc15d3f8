"""All rules there are: those of BuildKit, which every build asks, and the others, which `kezuri check` loads."""

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
    from pkgutil import iter_modules

    from kezuri.check import rules

    for module in sorted(iter_modules(rules.__path__), key=lambda module: module.name):
        yield from getattr(import_module(f"{rules.__name__}.{module.name}"), "RULES", ())


@cache
def by_name() -> dict[str, RulePage]:
    """The rules by every name that they have, in lower case: their own and their aliases."""
    names: dict[str, RulePage] = {}
    for rule in every_rule():
        for name in (rule.name, *rule.aliases):
            names.setdefault(name.lower(), rule)
    return names
