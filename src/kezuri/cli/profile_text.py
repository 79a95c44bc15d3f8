"""A profile as text: a table of instructions, why the dear ones ran, and what stands out."""

from collections.abc import Callable, Iterable

from kezuri.cli.columns import line, widths
from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.quantities import duration, size
from kezuri.cli.screen_text import clip, one_line
from kezuri.cli.why_text import WhyText
from kezuri.diagnostics import visible
from kezuri.explain.profile import DID, UNKNOWN, BaseCost, InstructionCost, Profile

_WIDTH = 110
_LEAST = 20
_MOST_EXPLAINED = 8
_LITTLE = 0.02
"""Of what all steps took, the part below which it is not said why one ran."""
_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"


class ProfileText:
    """Says one profile, in the language that `phrase` speaks, in lines of at most `columns` cells (0: as wide as
    usual)."""

    def __init__(self, profile: Profile, phrase: Phrase = plainly, colour: bool = False, columns: int = 0) -> None:
        self._profile = profile
        self._phrase = phrase
        self._colour = colour
        self._columns = columns or _WIDTH
        self._why = WhyText(profile.explanation, phrase)

    def report(self, now: float, sort: str = "line") -> str:
        """All of it, without a line's end, in the order of the file or the dearest first."""
        blocks = [visible(self._why.heading(now), "\n"), "\n".join(self._table(sort))]
        blocks.append("\n".join([*map(visible, self._sums()), self._dimmed(self._legend())]))
        blocks += ["\n".join(lines) for step in self._dear() if (lines := self.why(step))]
        return "\n\n".join(filter(None, blocks))

    def why(self, step: InstructionCost) -> list[str]:
        """How often the step ran, and why it did the last time that it was looked at; nothing where it did not."""
        phrase = self._phrase
        answer = next((a for a in self._profile.explanation.steps if a.step.number == step.number), None)
        if answer is None or step.outcome not in DID:
            return []
        title = clip(one_line(step.title), self._columns - 30)
        often = phrase("ran in {} of {} builds", len(step.ran), len(step.times))
        lines = [f"#{step.number} {title}   {often}", *self._why.because(answer)]
        counts: dict[str, int] = {}
        for occasion in step.ran[1:]:
            if occasion.because:
                counts[occasion.because[0].kind] = counts.get(occasion.because[0].kind, 0) + 1
        if counts:
            said = ", ".join(f"{count} × {self._kind(kind)}" for kind, count in sorted(counts.items(), key=_often))
            lines.append(f"   {phrase('before that')}: {said}")
        return [visible(line) for line in lines]

    def _kind(self, kind: str) -> str:
        """What a reason is about, in few words."""
        phrase = self._phrase
        return {
            "no-cache": "--no-cache",
            "no-cache-filter": "--no-cache-filter",
            "lost": phrase("its layer was gone"),
            "pruned": phrase("its result was pruned"),
            "unbelieved": phrase("its result was not believed"),
            "failed": phrase("it had failed"),
            "canceled": phrase("it was called off"),
            "elsewhere": phrase("another build had run it"),
            "text": phrase("the instruction changed"),
            "base": phrase("another base image"),
            "step": phrase("a step before it ran"),
            "inserted": phrase("a new step before it"),
            "removed": phrase("a step before it was taken out"),
            "files": phrase("files differ"),
            "component": phrase("a variable or option differed"),
        }.get(kind, phrase("it was new"))

    # the table

    def _table(self, sort: str) -> list[str]:
        """The heading, then bases and steps in the file's order, or the steps alone, the dearest first."""
        phrase, profile = self._phrase, self._profile
        head = [
            *(phrase("LINE"), phrase("INSTRUCTION"), phrase("THIS TIME"), phrase("USUALLY"), phrase("RAN")),
            *(phrase("ADDED"), phrase("WASTED"), phrase("HIDES")),
        ]
        rows: list[tuple[list[str], bool]] = []
        if sort == "line":
            for base in profile.bases:
                rows.append((self._base(base), True))
                rows += [(self._step(step), step.shipped) for step in profile.steps if step.stage == base.stage]
        else:
            rows += [(self._step(step), step.shipped) for step in sorted(profile.steps, key=_key(sort))]
        wide = widths([head, *(cells for cells, _ in rows)], self._columns, _LEAST)
        lines = [self._styled(line(head, wide), _BOLD)]
        for cells, shipped in rows:
            text = line(cells, wide)
            lines.append(text if shipped else self._dimmed(text))
        return lines

    def _base(self, base: BaseCost) -> list[str]:
        name = f"FROM {base.name}" if base.name else "FROM …"
        label = f"{base.label}: " if len(self._profile.bases) > 1 and base.label else ""
        took = duration(base.seconds) if base.start >= 0 else "-"
        return ["", visible(f"{label}{name}"), took, "", "", _bytes(base.size) if base.name else "", "", ""]

    def _step(self, step: InstructionCost) -> list[str]:
        took = duration(step.seconds) if step.outcome in DID else self._outcome(step.outcome)
        return [
            str(step.line),
            visible(one_line(step.title)),
            took,
            duration(step.usual) if any(each.outcome == "ran" for each in step.times) else "-",
            f"{len(step.ran)}/{len(step.times)}",
            _bytes(step.added),
            _bytes(step.wasted),
            _bytes(step.hides),
        ]

    def _outcome(self, outcome: str) -> str:
        phrase = self._phrase
        words = {"cached": phrase("cached"), "shared": phrase("shared"), "not reached": phrase("not reached")}
        return words.get(outcome, outcome)

    # what it comes to

    def _sums(self) -> list[str]:
        phrase, profile = self._phrase, self._profile
        shipped = [step for step in profile.steps if step.shipped]
        lines = []
        if profile.quiet and any(step.outcome in DID for step in profile.steps):
            lines.append(phrase("THIS TIME is the last time that something ran; since then all was found."))
        worked = sum(step.spent for step in profile.steps)
        if len(profile.builds) > 1:
            lines.append(phrase("{} builds are looked at; their steps took {}.", len(profile.builds), duration(worked)))
        added, wasted = _sum(step.added for step in shipped), _sum(step.wasted for step in shipped)
        if added != UNKNOWN and wasted != UNKNOWN and shipped:
            lines.append(
                phrase("The image's own layers hold {}, of which it does not show {}.", size(added), size(wasted))
            )
        lost = _sum(step.hides for step in shipped)
        if lost > 0:
            dearest = max(shipped, key=lambda step: step.hides)
            lines.append(phrase("Line {} hides most of what is below it: {}.", dearest.line, size(dearest.hides)))
        if any(UNKNOWN in (step.added, step.wasted) for step in profile.steps if step.outcome != "not reached"):
            lines.append(phrase("Where no bytes stand, the layer is not in the store any more."))
        return lines

    def _legend(self) -> str:
        return self._phrase(
            "RAN: in how many of the builds. WASTED: added, and not shown by the image. HIDES: of layers below."
        )

    def _dear(self) -> list[InstructionCost]:
        """The steps that ran and took a part of the time that counts, in their order."""
        ran = [step for step in self._profile.steps if step.outcome in DID]
        least = _LITTLE * sum(step.seconds for step in ran)
        dear = sorted((step for step in ran if step.seconds >= least), key=lambda step: -step.seconds)
        return sorted(dear[:_MOST_EXPLAINED], key=lambda step: step.number)

    def _dimmed(self, text: str) -> str:
        return self._styled(text, _DIM)

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_RESET}" if self._colour else text


def _often(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _key(sort: str) -> Callable[[InstructionCost], float]:
    """What the dearest come first by."""
    if sort == "seconds":
        return lambda step: -max(step.usual, step.seconds)
    return lambda step: -(step.added if sort == "added" else max(step.wasted, step.hides))


def _bytes(count: int) -> str:
    return "?" if count == UNKNOWN else size(count) if count else "-"


def _sum(counts: Iterable[int]) -> int:
    known = list(counts)
    return UNKNOWN if UNKNOWN in known else sum(known)
