"""Mends what rules found, as transactions: a fix is applied, proved, and kept or dropped. What proves it is a door."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kezuri.check.revision import Conflict, Round, Texts, key_of

if TYPE_CHECKING:
    from kezuri.check.rule import Fix, FixClass, RulePage

MOST_ROUNDS = 25
"""How often the texts are checked anew: each round keeps a fix, or is the last one."""


class Verdict(NamedTuple):
    """What became of a proof. `reasons` are why the fix cannot be kept, none where it can; `proved` says in
    sentences without a full stop what was found out."""

    reasons: tuple[str, ...] = ()
    proved: tuple[str, ...] = ()


class Prover(Protocol):
    """Finds out whether a fix does what it says and nothing else."""

    def prove(self, before: Texts, after: Texts, fix: "Fix") -> Verdict:
        """The texts without the fix and with it, compared."""
        ...


class Reported(Protocol):
    """A finding, as far as it counts here."""

    @property
    def rule(self) -> "RulePage": ...
    @property
    def message(self) -> str: ...
    @property
    def fix(self) -> "Fix | None": ...


Examine = Callable[[Texts], Sequence[Reported]]
"""Checks the texts; the findings' spans are those of these texts."""

Again = Callable[[Texts, "RulePage"], Sequence[object]]
"""Asks one rule of the texts."""


class Tried(NamedTuple):
    """A fix that was tried: what it is for, and what was found out. `reasons` are empty where it was kept. The place
    is that of the finding in the texts of its round."""

    finding: Reported
    fix: "Fix"
    reasons: tuple[str, ...]
    proved: tuple[str, ...]


class Mended(NamedTuple):
    """The texts after all fixes that could be kept, those fixes in the order in which they were made, those that were
    refused, and the findings that are left. `settled`: checking once more would mend nothing more."""

    texts: Texts
    kept: tuple[Tried, ...]
    refused: tuple[Tried, ...]
    left: tuple[Reported, ...]
    settled: bool


_Key = tuple[str, str, tuple[tuple[str, str], ...]]
_Wanted = tuple[_Key, Reported, "Fix"]


class Mending:
    """Mends one file, with what belongs to it."""

    def __init__(
        self, main: str, examine: Examine, again: Again, prover: Prover, kinds: "Collection[FixClass]"
    ) -> None:
        """`main` is the name of the file's source."""
        self._main = main
        self._examine = examine
        self._again = again
        self._prover = prover
        self._kinds = kinds
        self._kept: list[Tried] = []
        self._refused: dict[_Key, Tried] = {}
        self._met: set[_Key] = set()
        self._seen: list[Texts] = []

    def mend(self, texts: Texts) -> Mended:
        """Apply what can be applied until nothing more can. A fix that another one is in the way of waits for the next
        round, which checks the text anew."""
        self._seen = [texts]
        findings: Sequence[Reported] = ()
        for _ in range(MOST_ROUNDS):
            findings = self._examine(texts)
            mended = self._round(texts, findings)
            if mended == texts:
                return self._answer(texts, findings, settled=True)
            texts = mended
        findings = self._examine(texts)
        return self._answer(texts, findings, settled=False)

    def _answer(self, texts: Texts, findings: Sequence[Reported], settled: bool) -> Mended:
        # What was refused before another fix changed the same line was tried again, or has gone.
        refused = tuple(tried for key, tried in self._refused.items() if key in self._met)
        return Mended(texts, tuple(self._kept), refused, tuple(findings), settled)

    def _round(self, checked: Texts, findings: Iterable[Reported]) -> Texts:
        self._met = set()
        wanted = []
        for finding in findings:
            fix = finding.fix
            if fix is None or fix.kind not in self._kinds or not (fix.edits or fix.files):
                continue
            key = self._key(checked, finding, fix)
            self._met.add(key)
            if key not in self._refused:
                wanted.append((key, finding, fix))
        texts, round_, rest = self._together(checked, wanted)
        for key, finding, fix in rest:
            try:
                made = round_.apply(texts, fix)
            except Conflict:
                continue
            except ValueError as error:
                self._refused[key] = Tried(finding, fix, (str(error),), ())
                continue
            verdict = self._judge(texts, made, finding, fix)
            tried = Tried(finding, fix, verdict.reasons, verdict.proved)
            if verdict.reasons:
                self._refused[key] = tried
                continue
            self._kept.append(tried)
            round_.keep(fix)
            texts = made
            self._seen.append(texts)
        return texts

    def _together(self, checked: Texts, wanted: "Sequence[_Wanted]") -> "tuple[Texts, Round, Sequence[_Wanted]]":
        """All fixes made at once that declare no change at all: that nothing has changed is proved of them together as
        of each. Where it cannot be, each is tried by itself."""
        round_, made, chosen = Round(checked, self._main), checked, list[_Wanted]()
        for one in wanted:
            fix = one[2]
            if fix.kind == "A" and not fix.changes and not fix.files:
                with suppress(Conflict, ValueError):
                    made = round_.apply(made, fix)
                    round_.keep(fix)
                    chosen.append(one)
        if len(chosen) > 1 and made not in self._seen and self._all_gone(checked, made, chosen):
            verdict = self._prover.prove(checked, made, chosen[0][2])
            if not verdict.reasons:
                self._kept += [Tried(finding, fix, (), verdict.proved) for _, finding, fix in chosen]
                self._seen.append(made)
                return made, round_, [one for one in wanted if one not in chosen]
        return checked, Round(checked, self._main), wanted

    def _all_gone(self, before: Texts, after: Texts, chosen: "Sequence[_Wanted]") -> bool:
        rules = {finding.rule.name: finding.rule for _, finding, _ in chosen}
        for name, rule in rules.items():
            mended = sum(1 for _, finding, _ in chosen if finding.rule.name == name)
            if len(self._again(after, rule)) > len(self._again(before, rule)) - mended:
                return False
        return True

    def _judge(self, before: Texts, after: Texts, finding: Reported, fix: "Fix") -> Verdict:
        if after == before:
            return Verdict(("it changes nothing",))
        if after in self._seen:
            return Verdict(("it undoes what another fix made",))
        if self._count(after, finding) >= self._count(before, finding):
            return Verdict((f"{finding.rule.name} is still reported with it",))
        return self._prover.prove(before, after, fix)

    def _count(self, texts: Texts, finding: Reported) -> int:
        return len(self._again(texts, finding.rule))

    def _key(self, texts: Texts, finding: Reported, fix: "Fix") -> _Key:
        """What a fix is known by from round to round, while its place moves: its rule, its title, and the lines that it
        edits with what it makes of them."""
        edits = []
        for edit in fix.edits:
            name = key_of(edit, self._main)
            text = texts.get(name, edit.source.text if edit.source is not None else "")
            start = text.rfind("\n", 0, max(0, edit.span.start)) + 1
            end = text.find("\n", max(0, edit.span.end))
            edits.append((text[start : end if end >= 0 else len(text)], edit.text))
        made = tuple((file.path, file.text) for file in fix.files)
        return finding.rule.name, fix.title, (*edits, *made)
