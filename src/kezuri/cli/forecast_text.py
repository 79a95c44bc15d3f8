"""A forecast as text: a table for each stage, then what it comes to."""

from collections.abc import Callable, Iterable
from functools import reduce

from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.quantities import duration, size, span
from kezuri.cli.screen_text import clip, width
from kezuri.diagnostics import visible
from kezuri.forecast.expense import Expense, layer_bytes
from kezuri.forecast.foresight import Consequences, Foresight
from kezuri.forecast.step import ForecastStep

_COLOURS = {"runs": "33", "depends": "36", "unknown": "35", "cached": "32"}
_LONGEST = 56
_MOST_NAMED = 7
"""How many steps of the critical path are named."""


def report(
    foresight: Foresight, colour: bool, phrase: Phrase = plainly, words: Callable[[str], str] = lambda text: text
) -> str:
    """The whole report, without a line's end, in the language that `phrase` and `words` (see Console) speak."""
    change = foresight.change
    steps = foresight.steps if change is None else change.steps
    affected = None if change is None else change.affected
    parts = []
    if change is not None:
        parts.append(visible("\n".join(_cause_lines(change, phrase)), "\n"))
    table = _table(foresight, steps, affected, colour, phrase, words)
    if table:
        parts.append(table)
    if change is not None:
        parts.append(_change_summary(foresight, change, phrase))
    else:
        parts.append(visible("\n".join(_summary(foresight, phrase)), "\n"))
    return "\n\n".join(parts)


def _table(
    foresight: Foresight,
    steps: tuple[ForecastStep, ...],
    affected: frozenset[tuple[int, int]] | None,
    colour: bool,
    phrase: Phrase,
    words: Callable[[str], str],
) -> str:
    """The steps by stage; with `affected`, those only."""
    rows: list[tuple[str, ...]] = []
    for stage in foresight.stages:
        of = [s for s in steps if s.stage == stage.number and (affected is None or (s.stage, s.position) in affected)]
        if not of:
            continue
        rows.append((visible(f"{stage.label} (FROM {stage.base})"),))
        for step in of:
            title = clip(visible(" ".join(step.title.split())), _LONGEST)
            known = step.past is not None
            cost = span(step.past.low, step.past.high) if step.past is not None else phrase("not known")
            bytes_ = size(layer_bytes(step)) if known else ""
            number = f"{step.position + stage.first}/{stage.last}"
            reason = visible(words(step.reason))
            rows.append((f"  {number}", step.outcome, title, cost, bytes_, reason))
    if not rows:
        return ""
    wide = [max((width(row[i]) for row in rows if len(row) > 1), default=0) for i in range(5)]
    wide[1] = max(width(_outcome(row[1], phrase)) for row in rows if len(row) > 1)
    lines: list[str] = []
    for row in rows:
        if len(row) == 1:
            lines += [""] * bool(lines) + [row[0]]
            continue
        number, outcome, title, cost, bytes_, reason = row
        named = _outcome(outcome, phrase)
        shown = named + " " * (wide[1] - width(named))
        if colour:
            shown = f"\x1b[{_COLOURS[outcome]}m{shown}\x1b[0m"
        gap = " " * (wide[2] - width(title))
        cells = (
            number.ljust(wide[0]),
            shown,
            title + gap,
            " " * (wide[3] - width(cost)) + cost,
            bytes_.rjust(wide[4]),
            reason,
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _outcome(outcome: str, phrase: Phrase) -> str:
    words = {
        "runs": phrase("runs"),
        "depends": phrase("depends"),
        "unknown": phrase("unknown"),
        "cached": phrase("cached"),
    }
    return words.get(outcome, outcome)


def counted(steps: Iterable[ForecastStep], phrase: Phrase = plainly) -> str:
    """How many steps there are of each outcome, in words."""
    outcomes = [step.outcome for step in steps]
    words = [phrase("{} of {} steps would run", outcomes.count("runs"), len(outcomes))]
    words += [phrase("{} may run", outcomes.count("depends"))] if "depends" in outcomes else []
    words += [phrase("{} cannot be told", outcomes.count("unknown"))] if "unknown" in outcomes else []
    words.append(phrase("{} cached", outcomes.count("cached")))
    return reduce(lambda before, after: phrase("{}, {}", before, after), words)


def _summary(foresight: Foresight, phrase: Phrase) -> list[str]:
    if not foresight.steps:
        return [phrase("There is nothing to do: no step makes files.")]
    lines = [phrase("{}.", counted(foresight.steps, phrase))]
    if any(step.outcome != "cached" for step in foresight.steps):
        lines.append(phrase("{}.", _cost(foresight.expense, phrase)))
        lines += _critical_path(foresight, phrase)
    for pull in foresight.pulls:
        layers = phrase("{} of {} layers", pull.missing, pull.layers)
        line = phrase("To pull: {}, {}, {} compressed", pull.image, layers, size(pull.size))
        lines.append(phrase("{}.", line if pull.certain else phrase("{}, if a step runs that may not", line)))
    return lines


def _cost(cost: Expense, phrase: Phrase) -> str:
    if cost.unknown and not cost.layer_bytes_most and not cost.work_most:
        return phrase("What that costs is not known: these steps have never run")
    text = phrase("About {} of work; on the clock about {}", span(*cost.work_range), span(*cost.wall_range))
    if cost.layer_bytes_most:
        text += phrase("; layers of about {}", size(cost.layer_bytes))
        if cost.layer_bytes_most > cost.layer_bytes:
            text += phrase(", at most {}", size(cost.layer_bytes_most))
    if cost.unknown == 1:
        text += phrase("; 1 step has never run, nothing is known of it")
    elif cost.unknown:
        text += phrase("; {} steps have never run, nothing is known of them", cost.unknown)
    return text


def _critical_path(foresight: Foresight, phrase: Phrase) -> list[str]:
    """The chain of steps that takes longest, where it is not simply all steps that run."""
    cost = foresight.expense
    running = [s for s in foresight.steps if s.outcome != "cached" and s.past is not None and s.past.seconds > 0]
    if not cost.critical or len(cost.critical) == len(running):
        return []
    of = {(step.stage, step.position): step for step in running}
    stages = {stage.number: stage for stage in foresight.stages}
    names = []
    for place in cost.critical:
        step, stage = of[place], stages[place[0]]
        seconds = duration(step.past.seconds) if step.past is not None else ""
        names.append(f"{stage.label} {step.position + stage.first}/{stage.last} ({seconds})")
    if len(names) > _MOST_NAMED:
        names[_MOST_NAMED - 1 : -1] = [phrase("{} more", len(names) - _MOST_NAMED)]
    return [phrase("Critical path, {}: {}.", duration(cost.critical_seconds), ", ".join(names))]


def _cause_lines(change: Consequences, phrase: Phrase) -> list[str]:
    words = {
        "file": phrase("changed"),
        "dockerfile": phrase("the Dockerfile: the plan itself may change"),
        "ignore": phrase("decides which files there are: any step that takes files may change"),
        "outside": phrase("in no context of this build"),
    }
    return [f"{cause.given}: {words[cause.role]}" for cause in change.causes if cause.role != "file"] or [
        phrase("If {} changed:", _named([cause.given for cause in change.causes], phrase))
    ]


def _named(names: list[str], phrase: Phrase) -> str:
    if not names:
        return phrase("nothing")
    if len(names) > 5:
        return phrase("{} and {} more files", ", ".join(names[:4]), len(names) - 4)
    return phrase("{} and {}", ", ".join(names[:-1]), names[-1]) if len(names) > 1 else names[0]


def _change_summary(foresight: Foresight, change: Consequences, phrase: Phrase) -> str:
    before = {(s.stage, s.position): s.outcome for s in foresight.steps}
    then = [s for s in change.steps if (s.stage, s.position) in change.affected]
    if not then:
        if any(cause.role in ("dockerfile", "ignore") for cause in change.causes):
            return phrase("What would run cannot be told before the change is made.")
        return phrase("Nothing would run because of it.")
    runs = sum(s.outcome == "runs" for s in then)
    may = len(then) - runs
    anyway = sum(before[(s.stage, s.position)] != "cached" for s in then)
    text = phrase("{} of {} steps would run because of it", runs, len(change.steps))
    text += phrase(", {} may run", may) if may else ""
    if anyway:
        all_of_them = phrase(" (all of them without the change too)")
        text += all_of_them if anyway == len(then) else phrase(" ({} of them without the change too)", anyway)
    if anyway < len(then):
        text = f"{phrase('{}.', text)}\n{phrase('{}, beyond what a build costs now', _cost(change.expense, phrase))}"
    return phrase("{}.", text)
