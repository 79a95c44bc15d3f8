"""Which rules are asked and what their findings weigh, as a value: what files of settings and the command line say."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kezuri.check.rule import Level, RulePage


class Selection(NamedTuple):
    """All names are in lower case, and may be aliases. `only` are the rules to ask (None: all of them), `also` those
    that are asked though their level is `ignore` or they are experimental, `ignored` those whose findings are left out;
    `levels` take the place of those of the rules."""

    only: frozenset[str] | None = None
    also: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    levels: Mapping[str, Level] = {}

    def rules(self, rules: Iterable[RulePage]) -> list[RulePage]:
        """Those of the rules that have to be asked."""
        return [rule for rule in rules if self._asked(rule)]

    def _asked(self, rule: RulePage) -> bool:
        names = {name.lower() for name in (rule.name, *rule.aliases)}
        if rule.name.lower() in self.ignored:
            return False
        if self.only is not None:
            return not names.isdisjoint(self.only)
        if rule.severity != "ignore" and not rule.experimental:
            return True
        return not names.isdisjoint(self.also) or not names.isdisjoint(self.levels)

    def level(self, rule: RulePage, names: tuple[str, ...], own: Level | None) -> Level | None:
        """What a finding weighs that has these names; None where it is left out. `own` is the level that it says."""
        said = {name.lower() for name in names}
        if self.only is not None and said.isdisjoint(self.only):
            return None
        if not said.isdisjoint(self.ignored):
            return None
        for name in names:
            level = self.levels.get(name.lower())
            if level is not None:
                return None if level == "ignore" else level
        found = own or rule.severity
        if found != "ignore":
            return found
        asked = self.also if self.only is None else self.only
        return None if said.isdisjoint(asked) else "info"
