"""Which rules are asked and what their findings weigh, as a value."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from kezuri.check.names import canonical, canonicals, silencing
from kezuri.check.rule import Finding, Level, RulePage
from kezuri.check.told import Told
from kezuri.diagnostics import SourceText


class Selection(NamedTuple):
    """All names are in their canonical form, and may be aliases. `only` are the rules to ask (None: all of them),
    `also` those that are asked though their level is `ignore` or they are experimental, `ignored` those whose findings
    are left out, unless they are among `only`; `levels` take the place of those of the rules."""

    only: frozenset[str] | None = None
    also: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    levels: Mapping[str, Level] = {}

    def rules(self, rules: Iterable[RulePage]) -> list[RulePage]:
        """Those of the rules that have to be asked."""
        return [rule for rule in rules if self._asked(rule)]

    def _asked(self, rule: RulePage) -> bool:
        if self.only is not None:
            return not canonicals((rule.name, *rule.aliases)).isdisjoint(self.only)
        if self.ignored and rule.name.lower() in self.ignored:
            return False
        if rule.severity != "ignore" and not rule.experimental:
            return True
        names = canonicals((rule.name, *rule.aliases))
        return not names.isdisjoint(self.also) or not names.isdisjoint(self.levels)

    def level(self, rule: RulePage, names: tuple[str, ...], own: Level | None) -> Level | None:
        """What a finding weighs that has these names; None where it is left out. `own` is the level that it says."""
        said = canonicals(names)
        if self.only is not None and said.isdisjoint(self.only):
            return None
        if self.only is None and self.ignored and not silencing(rule, names).isdisjoint(self.ignored):
            return None
        found = own or rule.severity
        if self.levels:
            every = names if len(names) > 1 else (rule.name, *rule.aliases)
            found = next((self.levels[n] for n in map(canonical, every) if n in self.levels), found)
        if found != "ignore":
            return found
        asked = self.also if self.only is None else self.only
        return None if said.isdisjoint(asked) else "info"

    def tell(
        self,
        findings: Iterable[Finding],
        source: Callable[[Finding], SourceText],
        silent: Callable[[Finding, Told], bool],
    ) -> tuple[list[Told], int]:
        """What is told of the findings, each with the level that it has then, and how many of them are silenced.
        `source` is the text that a finding is about where it names none itself."""
        told: list[Told] = []
        silenced = 0
        for finding in findings:
            level = self.level(finding.rule, finding.names, finding.level)
            if level is None:
                continue
            one = Told.of(finding, source(finding), level)
            if silent(finding, one):
                silenced += 1
            else:
                told.append(one)
        return told, silenced
