"""Measurements, what grew and what came of budgets, as lines of text."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from kezuri.app.growth import Gated, Recorded
from kezuri.cli.phrase import Phrase
from kezuri.cli.screen_text import clip, one_line
from kezuri.cli.size_words import changed, figure, growth, heading, judgement, metric_words, share, when
from kezuri.cli.table import aligned
from kezuri.diagnostics import visible
from kezuri.growth.change import Change, StepChange, change
from kezuri.growth.values import METRICS, Measurement, StepSize

_STEP = 60
_MOST = 10


def recorded(result: Recorded, phrase: Phrase) -> Iterator[str]:
    """A measurement that was made, beside what was measured before."""
    now = result.measurement
    yield f"{visible(now.name)} ({visible(when(now, phrase))})"
    yield from _figures(now, result.change, phrase)
    if result.change is not None:
        yield from _compared(result.change, phrase)


def gated(result: Gated, phrase: Phrase) -> Iterator[str]:
    """The verdicts first, then the figures and what grew."""
    rows = []
    for verdict in result.verdicts:
        mark = "?" if not verdict.judged else "ok" if verdict.kept else "!!"
        value = figure(verdict.budget.metric, verdict.value)
        rows.append((mark, verdict.budget.text, value, judgement(verdict, phrase)))
    yield from aligned(rows)
    if rows:
        yield ""
    now = result.measurement
    yield f"{visible(now.name)} ({visible(when(now, phrase))})"
    yield from _figures(now, result.change, phrase)
    if result.change is not None:
        yield from _compared(result.change, phrase)


def history(measurements: Sequence[Measurement], metrics: Sequence[str], phrase: Phrase) -> Iterator[str]:
    """A table with a row for each measurement, and below it what the growth of the first metric came from."""
    first = metrics[0]
    heads = (heading(metric, phrase) for metric in metrics)
    rows = [(phrase("when"), phrase("branch"), phrase("commit"), *heads, phrase("change"))]
    before: Measurement | None = None
    for one in measurements:
        more = ""
        if before is not None and first in before.figures and first in one.figures:
            grown = one.figures[first] - before.figures[first]
            more = " ".join(filter(None, (growth(first, grown), share(grown, before.figures[first]) * bool(grown))))
        figures = (figure(metric, one.figures.get(metric)) for metric in metrics)
        rows.append((one.at[:16].replace("T", " "), one.branch or "-", one.commit[:7] or "-", *figures, more))
        before = one
    yield from aligned(rows)
    jumps = list(largest_growth(measurements, first))
    if jumps:
        yield ""
        yield phrase("What grew most:")
        for one, grown, pair in jumps:
            at = visible(when(one, phrase))
            yield f"  {growth(first, grown)}  {at}"
            for step in pair:
                yield f"      {growth('unpacked', step.more)}  {_step(step.step)}"


def largest_growth(
    measurements: Sequence[Measurement], metric: str, most: int = 3
) -> Iterator[tuple[Measurement, int, tuple[StepChange, ...]]]:
    """The measurements that grew most over the one before, with the steps that grew in them, largest first."""
    jumps = []
    for before, after in pairwise(measurements):
        if metric in before.figures and metric in after.figures:
            jumps.append((after.figures[metric] - before.figures[metric], before, after))
    jumps.sort(key=lambda jump: -jump[0])
    for grown, before, after in jumps[:most]:
        if grown > 0:
            steps = tuple(step for step in change(before, after).steps if step.more > 0)
            yield after, grown, steps[:3]


def _figures(now: Measurement, compared: Change | None, phrase: Phrase) -> Iterator[str]:
    moved = {} if compared is None else {each.metric: each for each in compared.figures}
    rows = []
    for metric in METRICS:
        if metric not in now.figures:
            continue
        more = changed(moved[metric]) if metric in moved else ""
        rows.append((f"  {metric}", figure(metric, now.figures[metric]), metric_words(metric, phrase), more))
    yield from aligned(rows)


def _compared(compared: Change, phrase: Phrase) -> Iterator[str]:
    yield phrase("  compared with {}", visible(when(compared.before, phrase)) or visible(compared.before.name))
    if compared.steps:
        yield ""
        yield phrase("Steps:")
        rows = [(f"  {growth('unpacked', step.more)}", step_words(step, phrase)) for step in compared.steps[:_MOST]]
        yield from aligned(rows)
        yield from _rest(len(compared.steps) - _MOST, phrase)
    if compared.packages:
        yield ""
        yield phrase("Packages:")
        rows = [
            (
                f"  {growth('unpacked', package.more)}",
                package_words(package.before, package.after, package.name, phrase),
            )
            for package in compared.packages[:_MOST]
        ]
        yield from aligned(rows)
        yield from _rest(len(compared.packages) - _MOST, phrase)


def _rest(count: int, phrase: Phrase) -> Iterator[str]:
    if count > 0:
        yield phrase("  and {} more", count)


def step_words(step: StepChange, phrase: Phrase) -> str:
    """The instruction with its place, and whether it is new or gone."""
    said = _step(step.step)
    if step.before is None:
        return phrase("{} (new)", said)
    if step.after is None:
        return phrase("{} (gone)", said)
    return said


def package_words(before: tuple[str, ...], after: tuple[str, ...], name: str, phrase: Phrase) -> str:
    """The package with its versions, and whether it is new or gone."""
    was, now = ", ".join(filter(None, before)), ", ".join(filter(None, after))
    if not before:
        return phrase("{} (new)", f"{name} {now}".rstrip())
    if not after:
        return phrase("{} (gone)", f"{name} {was}".rstrip())
    return f"{name} {was} → {now}" if was != now else f"{name} {now}".rstrip()


def _step(step: StepSize) -> str:
    text = clip(one_line(step.text) or "?", _STEP)
    return f"{text} ({visible(step.place)})" if step.place else text
