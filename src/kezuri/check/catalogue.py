"""All rules there are: those of BuildKit, which every build asks, and the others, which `kezuri check` loads."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from kezuri.check.rule import RulePage
from kezuri.check.rules import RULES

_DOCUMENTS = ("workflow_", "compose_", "ignore_", "gitlab_")
_IMAGES = ("image_",)
"""What the files in `check/rules` begin with whose rules are not about Dockerfiles."""


@cache
def every_rule() -> tuple[RulePage, ...]:
    """Every rule, by name. A file in `check/rules` that has a tuple `RULES` gives its own."""
    return _sorted(dockerfile_rules(), document_rules(), _found(lambda name: name.startswith(_IMAGES)))


@cache
def dockerfile_rules() -> tuple[RulePage, ...]:
    """The rules about Dockerfiles, by name: nothing else is loaded."""
    return _sorted(RULES, _found(lambda name: not name.startswith((*_DOCUMENTS, *_IMAGES))))


@cache
def document_rules() -> tuple[RulePage, ...]:
    """The rules about documents beside a Dockerfile, by name."""
    return _sorted(_found(lambda name: name.startswith(_DOCUMENTS)))


def _sorted(*groups: Iterable[RulePage]) -> tuple[RulePage, ...]:
    found: dict[str, RulePage] = {}
    for rule in (rule for group in groups for rule in group):
        if found.setdefault(rule.name, rule) is not rule:
            raise ValueError(rule.name)
    return tuple(found[name] for name in sorted(found))


def _found(wanted: Callable[[str], bool]) -> Iterator[RulePage]:
    """The rules in the files whose names are wanted."""
    from importlib import import_module

    from kezuri.check import rules

    # pkgutil would load a tenth of the library to list a directory.
    for name in sorted({name for path in rules.__path__ for name in os.listdir(path)}):
        if name.endswith(".py") and name != "__init__.py" and wanted(name):
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
