"""What the rules about package managers have in common: they look at one RUN after the other.

Their patterns are texts, which `re` compiles and keeps when one is first asked: most files ask few of them.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kezuri.check.rule import Finding, Fix, Level, Rule

if TYPE_CHECKING:
    from kezuri.check.runs import Call, WrittenRun
    from kezuri.check.subject import Subject
    from kezuri.shell.script import Word

WIKI = "https://github.com/hadolint/hadolint/wiki/"
"""Where hadolint has the pages of its rules."""


class Spot(NamedTuple):
    """A call that breaks a rule, and the word of it to show."""

    call: "Call"
    word: "Word"
    seen: bool = True
    """Whether hadolint has the finding, too."""


class PackageRule(Rule):
    """A rule that says at most one thing about each RUN."""

    def look(self, subject: "Subject") -> Iterator[Finding]:
        for run in subject.runs:
            found = self.inspect(run, subject)
            if found is not None:
                yield found

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        """What is wrong with a RUN."""
        raise NotImplementedError

    def found(
        self,
        run: "WrittenRun",
        spots: "Sequence[Spot]",
        *,
        message: str,
        hint: str,
        fix: Fix | None = None,
        level: Level | None = None,
        without: tuple[str, ...] = (),
    ) -> Finding:
        """A finding at the first of the spots. Where hadolint has none of them, it does not go by hadolint's name;
        `without` are aliases that do not hold either."""
        first = next((spot for spot in spots if spot.seen and spot.call.seen), None)
        aliases = tuple(a for a in self.aliases if a not in without and (first or not a.startswith("DL")))
        spot = first or spots[0]
        text = spot.call.text
        span = text.span(spot.word.span) if text is not None else None
        node = run.run.node
        return Finding(
            self, message, node, span, fix, hint, aliases=None if aliases == self.aliases else aliases, level=level
        )


class UnpinnedRule(PackageRule):
    """A rule about packages that a RUN installs without a version. Distributions drop versions from their archives, so
    that those who write one choose a build that stops one day: a matter of style. `hint` says how one is written."""

    severity = "style"
    hint: str

    def unpinned(self, run: "WrittenRun") -> "Sequence[Spot]":
        """The packages without a version."""
        raise NotImplementedError

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        spots = self.unpinned(run)
        if not spots:
            return None
        message = f"{names(spots)} comes in whatever version is newest on the day of the build"
        return self.found(run, spots, message=message, hint=self.hint)


class ConfirmationRule(PackageRule):
    """A rule about installing with a program that asks first, unless it is told -y."""

    fix_class = "A"

    def asking(self, run: "WrittenRun") -> "Sequence[Spot]":
        """The calls that ask, and the word of each behind which -y belongs."""
        raise NotImplementedError

    def inspect(self, run: "WrittenRun", subject: "Subject") -> Finding | None:
        from kezuri.check.shell_edits import fix, inserted

        spots = self.asking(run)
        if not spots:
            return None
        edits = [inserted(spot.call, spot.word, "-y") for spot in spots]
        message = f"`{spots[0].call.program} install` without -y asks a question that nobody answers"
        return self.found(run, spots, message=message, hint="add -y", fix=fix(run, advice="add -y", edits=edits))


def names(spots: "Sequence[Spot]") -> str:
    """The words of the spots, each once, the first three of them."""
    said = list(dict.fromkeys(spot.word.text for spot in spots))
    more = "" if len(said) < 4 else ", …"
    return ", ".join(f"`{word}`" for word in said[:3]) + more


def said(word: "Word") -> str:
    """A word without what a command puts into it: `$(cat /list)` is no path."""
    return re.sub(r"\$\(.*\)|`.*`", "", word.loose, flags=re.DOTALL)


def affirmed(run: "WrittenRun") -> dict[int, int]:
    """The pipelines of a RUN in which something says yes, and where the first that does stands."""
    found: dict[int, int] = {}
    for call in run.calls:
        if call.program in ("yes", "echo", "printf"):
            start = call.command.span.start
            found[call.command.pipeline] = min(start, found.get(call.command.pipeline, start))
    return found


def answered(call: "Call", yes: dict[int, int]) -> bool:
    """Whether what a call asks is answered in its pipeline."""
    start = call.command.span.start
    return start > yes.get(call.command.pipeline, start)
