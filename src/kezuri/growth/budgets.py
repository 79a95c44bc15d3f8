"""Budgets: what an image may come to, absolutely or measured by what it was before."""

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.growth.values import BYTES, METRICS

_LIMIT = re.compile(r"(?P<more>\+?)(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?P<unit>%|[A-Za-z]{0,3})\Z")
_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)},
    **{letter: 1000**power for power, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)},
}


class Budget(NamedTuple):
    """One limit of one metric. `share` is in hundredths of what it was before, None for a limit that is a number;
    `amount` is that number, or, where it is `relative`, how much more than before there may be. `text` is as it was
    written."""

    text: str
    metric: str
    relative: bool
    amount: Fraction
    share: bool = False

    def limit(self, before: int | None) -> int | None:
        """The most that there may be; None where nothing is there to compare with."""
        if not self.relative:
            return int(self.amount)
        if before is None:
            return None
        # Exact, and rounded down: a limit of 5 % is not exceeded by a rounding error.
        return before + int(before * self.amount / 100 if self.share else self.amount)


class Verdict(NamedTuple):
    """What came of a budget: what there is, what there was before, and the most that there may be; None for what is not
    known."""

    budget: Budget
    value: int | None
    before: int | None
    limit: int | None

    @property
    def judged(self) -> bool:
        """Whether there is enough to judge by."""
        return self.value is not None and self.limit is not None

    @property
    def kept(self) -> bool:
        """Whether the budget is not exceeded, as far as anybody knows."""
        return self.value is None or self.limit is None or self.value <= self.limit


def parse_budget(text: str) -> Budget:
    """A budget as users write it: `wire=200MB`, `wire=+5%`, `unpacked=+3MiB`, `layers=12`, `wasted=+0`. kB, MB and GB
    are of 1000, KiB, MiB and GiB of 1024. KezuriError for anything else."""
    metric, equals, limit = (part.strip() for part in text.partition("="))
    if not equals:
        raise _wrong(text, "write METRIC=LIMIT, such as wire=200MB or wire=+5%")
    if metric not in METRICS:
        near = nearest(metric, METRICS)
        raise _wrong(text, f"did you mean {near}?" if near else f"metrics are {', '.join(METRICS)}")
    found = _LIMIT.match(limit)
    unit = found["unit"].lower() if found is not None else ""
    if found is None or (unit != "%" and unit not in _UNITS):
        raise _wrong(text, "a limit is a number such as 200MB or 12, or a growth such as +5% or +3MB")
    amount = Fraction(found["number"])
    if unit == "%":
        if not found["more"]:
            raise _wrong(text, f"a share is of what there was before: write {metric}=+{limit}")
        return Budget(text, metric, True, amount, True)
    if unit and metric not in BYTES:
        raise _wrong(text, f"{metric} are counted, and have no unit")
    return Budget(text, metric, bool(found["more"]), amount * _UNITS[unit])


def judged(
    budgets: Iterable[Budget], figures: Mapping[str, int], before: Mapping[str, int] | None
) -> tuple[Verdict, ...]:
    """What comes of each budget. `before` are the figures to compare with, None where there are none."""
    verdicts = []
    for budget in budgets:
        was = None if before is None else before.get(budget.metric)
        verdicts.append(Verdict(budget, figures.get(budget.metric), was, budget.limit(was)))
    return tuple(verdicts)


def _wrong(text: str, hint: str) -> KezuriError:
    return KezuriError.of(f"not a budget: {text!r}", hint=hint, exit_code=2)
