"""Fixes of class A proved: the file is planned without it and with it, and what differs must have been declared."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from kezuri.check.mending import Verdict
from kezuri.check.revision import Texts
from kezuri.check.rule import Fix
from kezuri.diagnostics import KezuriError
from kezuri.plan.facts import Survey
from kezuri.plan.operation import RunOperation
from kezuri.proof.difference import Difference, undeclared
from kezuri.proof.plans import survey_differences
from kezuri.proof.vocabulary import unknown

Look = Callable[[str, Mapping[str, str]], Survey]
"""Plans every stage of a text, with these build arguments beside those of the user; the images are the same for every
text."""

_REMEMBERED = 4
_SHOWN = 4
MARK = "kezuri-mark-"
"""How the values begin that ARGs have in the second plan."""


class PlanProver:
    """A Prover that builds nothing. Each text is planned twice: with the arguments that the user gives, and with
    another value for every ARG of the file, so that a fix that is right for the defaults alone is not kept."""

    def __init__(self, look: Look, names: Callable[[str], Sequence[str]]) -> None:
        """`names` are the ARGs that a text declares."""
        self._look = look
        self._names = names
        self._known: dict[str, tuple[Survey, Survey]] = {}

    def prove(self, before: Texts, after: Texts, fix: Fix) -> Verdict:
        """As the door has it."""
        if wrong := unknown(fix.changes):
            return Verdict((f"it declares what means nothing: {', '.join(sorted(wrong))}",))
        others = [name or "the Dockerfile" for name in after if name and before.get(name) != after.get(name)]
        if others:
            return Verdict((f"a plan says nothing about {', '.join(sorted(others))}: --fix=proved builds both",))
        marks = self._marks(before[""])
        (one, marked), (two, other) = self._surveys(before[""], marks), self._surveys(after[""], marks)
        if one.errors:
            # Nothing is built of such a file: a fix can only be kept where it is what makes it good.
            if two.errors:
                return Verdict((f"nothing can be proved of a file that cannot be built: {_first(one.errors[0])}",))
            return Verdict(proved=("it can be built with it",))
        found: dict[Difference, None] = {}
        # A value that nobody has thought of may be none that the file can be built with.
        for was, now in ((one, two), *(((marked, other),) if not marked.errors else ())):
            found.update(dict.fromkeys(survey_differences(was, now)))
            found.update(dict.fromkeys(_broken(was, now)))
        if wrong_ones := undeclared(found, fix.changes):
            return Verdict(told(wrong_ones))
        changed = sorted({d.name for d in found if d.name != "history"})
        if not changed:
            return Verdict(proved=("the plan is the same",))
        return Verdict(proved=(f"the plan differs in {', '.join(changed)} only",))

    def _marks(self, text: str) -> Mapping[str, str]:
        """A value for every ARG; those that mean something to the builder keep theirs."""
        names = [name for name in self._names(text) if not name.startswith(("BUILDKIT_", "TARGET", "BUILD"))]
        return {name: f"{MARK}{number}" for number, name in enumerate(dict.fromkeys(names))}

    def _surveys(self, text: str, marks: Mapping[str, str]) -> tuple[Survey, Survey]:
        """The text planned as it is, and with the marks."""
        key = "\0".join((text, *marks))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            first = self._look(text, {})
            known = self._known[key] = (first, self._look(text, marks) if marks else first)
        return known


def _broken(before: Survey, after: Survey) -> Iterator[Difference]:
    """Shell texts that cannot be read any more."""
    old, new = _scripts(before), _scripts(after)
    fresh = [text for text in new if text not in old]
    if fresh:
        from kezuri.shell.reader import read

        was_sound = not any(read(text).broken for text in old if text not in new)
        for text in fresh:
            if was_sound and read(text).broken:
                yield Difference("error.new", None, f"the shell text cannot be read: {text[:80]}")


def _scripts(survey: Survey) -> dict[str, None]:
    operations = (o for facts in survey.stages if facts.plan is not None for o in facts.plan.operations)
    return {
        o.argv[-1]: None for o in operations if isinstance(o, RunOperation) and len(o.argv) > 1 and o.argv[-2] == "-c"
    }


def _first(error: KezuriError) -> str:
    return error.diagnostics[0].message.partition("\n")[0] if error.diagnostics else "no reason is known"


def told(differences: Sequence[Difference]) -> tuple[str, ...]:
    """Differences as reasons why a fix is not kept, the first few of them."""
    lines = [f"it changes what it does not say: {difference}" for difference in differences[:_SHOWN]]
    if len(differences) > _SHOWN:
        lines.append(f"and {len(differences) - _SHOWN} more")
    return tuple(lines)
