"""One thing that is wrong, as a value, the error that carries such values, and the word that was probably meant."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, Self

from kezuri.diagnostics.text import Place, SourceText, Span

Severity = Literal["error", "warning", "info", "style"]


class Diagnostic(NamedTuple):
    """What is wrong, where, and what to do about it.

    `message` is one line without a full stop; `hint` says what to do; `code` names the rule, if a rule found it;
    `output` is verbatim text (the last lines that a failed step printed). `url` is a page that says more. `about` is
    the whole of what is meant, where `span` marks a part of it: tools know a finding by the line on which it begins.
    """

    severity: Severity
    message: str
    source: SourceText | None = None
    span: Span | None = None
    hint: str = ""
    code: str = ""
    output: str = ""
    url: str = ""
    about: Span | None = None

    @property
    def line(self) -> int:
        """The 1-based line that the finding is known by, 0 where it has no place in a text."""
        place = self.about or self.span
        return 0 if self.source is None or place is None else self.source.position(place.start)[0]

    def at(self, place: Place) -> "Diagnostic":
        """The diagnostic with this place, if it does not name a source yet. One that has a span without a source speaks
        of a part of the place's own text, and keeps the span."""
        if self.source is not None:
            return self
        return self._replace(source=place.source, span=self.span or place.span)


class KezuriError(Exception):
    """A failure that a user can act upon: one or more diagnostics and the exit code that the command should give.

    Exit codes: 1 the build or the findings failed, 2 wrong usage, 125 the engine itself could not work
    (see docs/exit-codes.md).
    """

    def __init__(self, *diagnostics: Diagnostic, exit_code: int = 1) -> None:
        super().__init__("; ".join(d.message for d in diagnostics))
        self.diagnostics = diagnostics
        self.exit_code = exit_code

    @classmethod
    def of(
        cls,
        message: str,
        *,
        hint: str = "",
        source: SourceText | None = None,
        span: Span | None = None,
        output: str = "",
        exit_code: int = 1,
    ) -> "KezuriError":
        """An error with one diagnostic."""
        return cls(Diagnostic("error", message, source, span, hint, "", output), exit_code=exit_code)

    def at(self, place: Place) -> Self:
        """The same error, of the same class and with the same attributes, at this place: each diagnostic that does not
        name a source yet is given it (see `Diagnostic.at`). The one way in which an error gets its place."""
        return self._with(tuple(diagnostic.at(place) for diagnostic in self.diagnostics))

    def hinted(self, hint: str) -> Self:
        """The same error with something more to do about it, said before what it says already."""
        first, *rest = self.diagnostics
        return self._with((first._replace(hint=f"{hint}\n{first.hint}" if first.hint else hint), *rest))

    def noting(self, *diagnostics: Diagnostic) -> Self:
        """The same error with more said after it."""
        return self._with((*self.diagnostics, *diagnostics))

    def _with(self, diagnostics: tuple[Diagnostic, ...]) -> Self:
        # Subclasses may be made from other arguments: their __init__ is not asked again.
        changed = type(self).__new__(type(self), *self.args)
        changed.__dict__.update(self.__dict__)
        changed.diagnostics = diagnostics
        return changed


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice closest to `word` by edit distance, or None when nothing is close enough to be a slip.

    Case is ignored. A third of the word's letters, and at least one, may differ; of one letter none, or any other
    would be near.
    """
    best: str | None = None
    limit = max(1, len(word) // 3) + 1 if len(word) > 1 else 1
    low = word.lower()
    for choice in choices:
        distance = _distance(low, choice.lower(), limit)
        if distance < limit:
            best, limit = choice, distance
    return best


def _distance(a: str, b: str, limit: int) -> int:
    if abs(len(a) - len(b)) >= limit:
        return limit
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before = before, row
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) >= limit:
            return limit
    return row[-1]
