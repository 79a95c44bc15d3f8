"""A forecast as text: a table for each stage, then what it comes to."""

from collections.abc import Iterable

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


def report(foresight: Foresight, colour: bool) -> str:
    """The whole report, without a line's end."""
    change = foresight.change
    steps = foresight.steps if change is None else change.steps
    affected = None if change is None else change.affected
    parts = []
    if change is not None:
        parts.append(visible("\n".join(_cause_lines(change)), "\n"))
    table = _table(foresight, steps, affected, colour)
    if table:
        parts.append(table)
    if change is not None:
        parts.append(_change_summary(foresight, change))
    else:
        parts.append(visible("\n".join(_summary(foresight)), "\n"))
    return "\n\n".join(parts)


def _table(
    foresight: Foresight, steps: tuple[ForecastStep, ...], affected: frozenset[tuple[int, int]] | None, colour: bool
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
            cost = span(step.past.low, step.past.high) if step.past is not None else "not known"
            bytes_ = size(layer_bytes(step)) if known else ""
            number = f"{step.position + stage.first}/{stage.last}"
            rows.append((f"  {number}", step.outcome, title, cost, bytes_, visible(step.reason)))
    if not rows:
        return ""
    wide = [max((width(row[i]) for row in rows if len(row) > 1), default=0) for i in range(5)]
    lines: list[str] = []
    for row in rows:
        if len(row) == 1:
            lines += [""] * bool(lines) + [row[0]]
            continue
        number, outcome, title, cost, bytes_, reason = row
        shown = outcome.ljust(wide[1])
        if colour:
            shown = f"\x1b[{_COLOURS[outcome]}m{shown}\x1b[0m"
        gap = " " * (wide[2] - width(title))
        cells = (number.ljust(wide[0]), shown, title + gap, cost.rjust(wide[3]), bytes_.rjust(wide[4]), reason)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def counted(steps: Iterable[ForecastStep]) -> str:
    """How many steps there are of each outcome, in words."""
    outcomes = [step.outcome for step in steps]
    words = [f"{outcomes.count('runs')} of {len(outcomes)} steps would run"]
    words += [f"{outcomes.count('depends')} may run"] if "depends" in outcomes else []
    words += [f"{outcomes.count('unknown')} cannot be told"] if "unknown" in outcomes else []
    words.append(f"{outcomes.count('cached')} cached")
    return ", ".join(words)


def _summary(foresight: Foresight) -> list[str]:
    if not foresight.steps:
        return ["There is nothing to do: no step makes files."]
    lines = [counted(foresight.steps) + "."]
    if any(step.outcome != "cached" for step in foresight.steps):
        lines.append(_cost(foresight.expense))
        lines += _critical_path(foresight)
    for pull in foresight.pulls:
        layers = f"{pull.missing} of {pull.layers} layers"
        may = "" if pull.certain else ", if a step runs that may not"
        lines.append(f"To pull: {pull.image}, {layers}, {size(pull.size)} compressed{may}.")
    return lines


def _cost(cost: Expense) -> str:
    if cost.unknown and not cost.layer_bytes_most and not cost.work_most:
        return "What that costs is not known: these steps have never run."
    text = f"About {span(*cost.work_range)} of work; on the clock about {span(*cost.wall_range)}"
    if cost.layer_bytes_most:
        most = f", at most {size(cost.layer_bytes_most)}" if cost.layer_bytes_most > cost.layer_bytes else ""
        text += f"; layers of about {size(cost.layer_bytes)}{most}"
    if cost.unknown:
        text += f"; {cost.unknown} {'step has' if cost.unknown == 1 else 'steps have'} never run, nothing is known of"
        text += " it" if cost.unknown == 1 else " them"
    return text + "."


def _critical_path(foresight: Foresight) -> list[str]:
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
        names[_MOST_NAMED - 1 : -1] = [f"{len(names) - _MOST_NAMED} more"]
    return [f"Critical path, {duration(cost.critical_seconds)}: {', '.join(names)}."]


def _cause_lines(change: Consequences) -> list[str]:
    words = {
        "file": "changed",
        "dockerfile": "the Dockerfile: the plan itself may change",
        "ignore": "decides which files there are: any step that takes files may change",
        "outside": "in no context of this build",
    }
    return [f"{cause.given}: {words[cause.role]}" for cause in change.causes if cause.role != "file"] or [
        f"If {_named([cause.given for cause in change.causes])} changed:"
    ]


def _named(names: list[str]) -> str:
    if len(names) > 5:
        return f"{', '.join(names[:4])} and {len(names) - 4} more files"
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names) or "nothing"


def _change_summary(foresight: Foresight, change: Consequences) -> str:
    before = {(s.stage, s.position): s.outcome for s in foresight.steps}
    then = [s for s in change.steps if (s.stage, s.position) in change.affected]
    if not then:
        sure = any(cause.role in ("dockerfile", "ignore") for cause in change.causes)
        return (
            "What would run cannot be told before the change is made." if sure else "Nothing would run because of it."
        )
    runs = sum(s.outcome == "runs" for s in then)
    may = len(then) - runs
    anyway = sum(before[(s.stage, s.position)] != "cached" for s in then)
    text = f"{runs} of {len(change.steps)} steps would run because of it"
    text += f", {may} may run" if may else ""
    text += f" ({'all' if anyway == len(then) else anyway} of them without the change too)" if anyway else ""
    if anyway < len(then):
        text += f".\n{_cost(change.expense)[:-1]}, beyond what a build costs now"
    return text + "."
