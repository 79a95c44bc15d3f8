"""Names of rules as people write them: any alias, in any case, Trivy's in the three forms that they have had."""

import re
from collections.abc import Iterable
from functools import cache, lru_cache

from kezuri.check.catalogue import by_name
from kezuri.check.rule import RulePage
from kezuri.diagnostics import nearest

EVERY = "all"
"""Stands for every rule."""

_TRIVY = re.compile(r"(?:avd-)?ds-?0*([0-9]{1,4})")
_FOREIGN = re.compile(r"(?:(?:dl|sc)[0-9]{4}|ds-[0-9]{4}|(?:cis-di|dkl-[dl]i)-[0-9]{4}|cve-[0-9-]+|avd-.+|id\.[0-9]+)")


@lru_cache(4096)
def canonical(name: str) -> str:
    """The one form in which names are compared: lower case, and `ds-0002` for AVD-DS-0002 and DS002."""
    low = name.strip().lower()
    trivy = _TRIVY.fullmatch(low)
    return f"ds-{int(trivy[1]):04d}" if trivy else low


def canonicals(names: Iterable[str]) -> frozenset[str]:
    """The names in that form."""
    return frozenset(canonical(name) for name in names if name.strip())


def silencing(rule: RulePage, names: Iterable[str]) -> frozenset[str]:
    """The names by which a finding is left out that has these: where no other tool has the finding, all of its rule."""
    said = canonicals(names)
    return said if len(said) > 1 else canonicals((rule.name, *rule.aliases))


def known(name: str) -> bool:
    """Whether a rule has the name, or another tool may have it for what we do not look for."""
    low = canonical(name)
    return low == EVERY or low in by_name() or _FOREIGN.fullmatch(low) is not None


def answered(name: str) -> bool:
    """Whether something is looked for under the name: it is a rule's, or a code of ShellCheck's."""
    low = canonical(name)
    return low == EVERY or low in by_name() or re.fullmatch("sc[0-9]{4}", low) is not None


def meant(name: str) -> str:
    """The name of a rule that is nearest to one that no rule has; empty where none is near."""
    return nearest(canonical(name), _every_name()) or ""


@cache
def _every_name() -> tuple[str, ...]:
    """Names of all rules, each once."""
    return tuple(dict.fromkeys(name for rule in by_name().values() for name in (rule.name, *rule.aliases)))
