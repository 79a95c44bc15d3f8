"""Texts mended with rules that exist only here, proved by plans with images that exist only here."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from tests.check.check_dockerfiles import examine

from kezuri.app.plan_proof import PlanProver
from kezuri.check.mending import Mended, Mending, Prover
from kezuri.check.revision import Texts
from kezuri.check.rule import Edit, Finding, Fix, FixClass, Rule, RulePage
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Arg
from kezuri.dockerfile.parser import parse
from kezuri.plan.facts import Survey


class Replaces(Rule):
    """Finds a text and puts another one in its place."""

    name = "Replaces"
    summary = "Nothing is what it was"
    why = "It is a test."

    def __init__(
        self,
        find: str,
        make: str,
        *changes: str,
        name: str = "Replaces",
        kind: FixClass = "A",
        also: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.find, self.make, self.changes, self.kind = find, make, frozenset(changes), kind
        self.name = name  # type: ignore[misc]
        self.also = also

    def look(self, subject: Subject) -> Iterator[Finding]:
        text = subject.dockerfile.source.text
        at = text.find(self.find)
        while at >= 0:
            edits = [Edit(Span(at, at + len(self.find)), self.make)]
            for find, make in self.also:
                other = text.index(find)
                edits.append(Edit(Span(other, other + len(find)), make))
            yield Finding(
                self, f"{self.find!r} is at {at}", None, fix=Fix("mend it", tuple(edits), self.kind, self.changes)
            )
            at = text.find(self.find, at + len(self.find))


def plan_prover(absent: Collection[str] = ()) -> PlanProver:
    def look(text: str, arguments: Mapping[str, str]) -> Survey:
        return examine(text, args=arguments, absent=absent, rules=()).subject.survey

    def names(text: str) -> Sequence[str]:
        found = (i for i in parse(text, "Dockerfile").instructions if isinstance(i, Arg))
        return [name for arg in found for name, _ in arg.pairs]

    return PlanProver(look, names)


def mend(
    text: str,
    *rules: Rule,
    kinds: tuple[FixClass, ...] = ("A",),
    prover: Prover | None = None,
    main: str = "Dockerfile",
) -> Mended:
    def check(texts: Texts) -> Sequence[Finding]:
        return examine(texts[""], rules=rules, everything=True).findings

    def again(texts: Texts, rule: RulePage) -> Sequence[Finding]:
        return [finding for finding in check(texts) if finding.rule is rule]

    return Mending(main, check, again, prover or plan_prover(), kinds).mend({"": text})
