"""Figures of measurements as people read them: sizes, growth, shares, the words for metrics."""

from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.quantities import size
from kezuri.growth.budgets import Verdict
from kezuri.growth.change import FigureChange
from kezuri.growth.values import BYTES, Measurement


def metric_words(metric: str, phrase: Phrase) -> str:
    """What a metric is called."""
    return {
        "wire": phrase("compressed"),
        "unpacked": phrase("unpacked"),
        "shown": phrase("shown in the image"),
        "wasted": phrase("wasted"),
        "own": phrase("own layers"),
        "leftovers": phrase("leftovers"),
        "layers": phrase("layers"),
        "files": phrase("files"),
        "packages": phrase("packages"),
    }[metric]


def heading(metric: str, phrase: Phrase) -> str:
    """What stands above a column of it: the name that options have for it, in other languages what it is called."""
    words = metric_words(metric, phrase)
    return metric if words == metric_words(metric, plainly) else words


def figure(metric: str, value: int | None) -> str:
    """A value of a metric; `-` where it is not known."""
    if value is None:
        return "-"
    return size(value) if metric in BYTES else str(value)


def growth(metric: str, more: int) -> str:
    """How much more, with its sign: `+1.2MB`; `±0` for nothing."""
    if not more:
        return "±0"
    return ("+" if more > 0 else "-") + figure(metric, abs(more))


def share(more: int, before: int | None) -> str:
    """How much more, of what there was: `+2.4 %`; empty where there was nothing."""
    if not before:
        return ""
    percent = 100 * more / before
    digits = 1 if abs(percent) < 1000 else 0
    text = f"{percent:+.{digits}f}"
    if float(text) == 0:
        return "±0 %" if not more else f"{text[0]}<0.1 %"
    return f"{text} %"


def changed(change: FigureChange) -> str:
    """How a metric changed: `+1.2MB (+2.4 %)`; empty where one of both is not known."""
    if change.before is None or change.after is None:
        return ""
    said = growth(change.metric, change.more)
    part = share(change.more, change.before)
    return f"{said} ({part})" if part and change.more else said


def when(measured: Measurement, phrase: Phrase) -> str:
    """What it was measured at: `2026-11-28, main, 1a2b3c4`."""
    return ", ".join(filter(None, (measured.at[:10], measured.branch, measured.commit[:7])))


def judgement(verdict: Verdict, phrase: Phrase) -> str:
    """What came of a budget, as a sentence."""
    metric = verdict.budget.metric
    if verdict.value is None:
        return phrase("not measured")
    if verdict.limit is None:
        return phrase("nothing to compare with")
    room = figure(metric, abs(verdict.limit - verdict.value))
    if not verdict.kept:
        return phrase("exceeded by {}", room)
    return phrase("kept, {} left", room)
