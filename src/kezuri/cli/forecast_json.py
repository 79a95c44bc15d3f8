"""A forecast as JSON: the format of `kezuri plan --format json` (docs/plan-format.md)."""

from typing import Any

from kezuri.cli.json_text import json_text
from kezuri.forecast.expense import Expense
from kezuri.forecast.foresight import ForecastStage, Foresight
from kezuri.forecast.step import ForecastStep
from kezuri.plan.inputs import ContextInput, ImageInput, Input, StageInput

VERSION = 1


def document(foresight: Foresight) -> str:
    """The whole document."""
    stages = {stage.number: stage for stage in foresight.stages}
    whole: dict[str, Any] = {
        "version": VERSION,
        "target": foresight.target,
        "platform": foresight.platform,
        "parallelism": foresight.parallelism,
        "stages": [
            {
                "name": stage.label,
                "base": stage.base,
                "steps": [_step(s, stages) for s in foresight.steps if s.stage == stage.number],
            }
            for stage in foresight.stages
        ],
        "cost": {
            **_cost(foresight.expense),
            "critical_path": [
                {"stage": stages[number].label, "number": position + stages[number].first}
                for number, position in foresight.expense.critical
            ],
            "critical_path_seconds": round(foresight.expense.critical_seconds, 3),
        },
        "pulls": [
            {
                "image": pull.image,
                "missing_layers": pull.missing,
                "layers": pull.layers,
                "bytes": pull.size,
                "certain": pull.certain,
            }
            for pull in foresight.pulls
        ],
    }
    change = foresight.change
    if change is not None:
        before = {(s.stage, s.position): s.outcome for s in foresight.steps}
        whole["change"] = {
            "files": [{"given": c.given, "path": c.place, "role": c.role} for c in change.causes],
            "something": change.something,
            "steps": [
                {**_step(s, stages), "before": before[(s.stage, s.position)], "stage": stages[s.stage].label}
                for s in change.steps
                if (s.stage, s.position) in change.affected
            ],
            "cost": _cost(change.expense),
        }
    return json_text(whole, 2)


def _step(step: ForecastStep, stages: dict[int, ForecastStage]) -> dict[str, Any]:
    stage = stages[step.stage]
    past = step.past
    like = None
    if step.like is not None:
        other = stages[step.like[0]]
        like = {"stage": other.label, "number": step.like[1] + other.first}
    return {
        "number": step.position + stage.first,
        "kind": step.kind,
        "title": step.title,
        "line": step.line,
        "outcome": step.outcome,
        "reason": step.reason,
        "takes": [_taken(source, stages) for source in step.takes],
        "like": like,
        "cache": step.cache or None,
        "seconds": None if past is None else round(past.seconds, 3),
        "seconds_range": None if past is None else _range((past.low, past.high)),
        "compressed_bytes": None if past is None else past.packed,
        "unpacked_bytes": None if past is None else past.unpacked,
    }


def _taken(source: Input, stages: dict[int, ForecastStage]) -> dict[str, str]:
    match source:
        case StageInput(number):
            return {"stage": stages[number].label}
        case ImageInput(image):
            return {"image": image.name}
        case ContextInput(name):
            return {"context": name}


def _cost(cost: Expense) -> dict[str, Any]:
    return {
        "work_seconds": round(cost.work, 3),
        "work_seconds_most": round(cost.work_most, 3),
        "wall_seconds": round(cost.wall, 3),
        "wall_seconds_most": round(cost.wall_most, 3),
        "work_seconds_range": _range(cost.work_range),
        "wall_seconds_range": _range(cost.wall_range),
        "layer_bytes": cost.layer_bytes,
        "layer_bytes_most": cost.layer_bytes_most,
        "steps_not_known": cost.unknown,
    }


def _range(ends: tuple[float, float]) -> list[float]:
    return [round(end, 3) for end in ends]
