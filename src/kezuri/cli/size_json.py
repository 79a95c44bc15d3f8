"""What came of a gate, as JSON."""

import json
from typing import Any

from kezuri.app.growth import Gated
from kezuri.growth.budgets import Verdict
from kezuri.growth.change import Change, StepChange
from kezuri.growth.values import StepSize, line_of


def gated_json(result: Gated) -> dict[str, Any]:
    """The document that docs/size.md describes."""
    return {
        "kept": result.kept,
        "measurement": json.loads(line_of(result.measurement)),
        "budgets": [_verdict(verdict) for verdict in result.verdicts],
        "baseline": None if result.change is None else json.loads(line_of(result.change.before)),
        "missing": result.missing or None,
        "change": None if result.change is None else change_json(result.change),
    }


def change_json(change: Change) -> dict[str, Any]:
    """What changed between two measurements; bytes are plain ones, as the layers' tars have them."""
    return {
        "figures": {each.metric: {"before": each.before, "after": each.after} for each in change.figures},
        "steps": [_step(step) for step in change.steps],
        "packages": [
            {
                "ecosystem": package.ecosystem,
                "name": package.name,
                "before": list(package.before),
                "after": list(package.after),
                "more": package.more,
            }
            for package in change.packages
        ],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "budget": verdict.budget.text,
        "metric": verdict.budget.metric,
        "value": verdict.value,
        "before": verdict.before,
        "limit": verdict.limit,
        "kept": verdict.kept if verdict.judged else None,
    }


def _step(step: StepChange) -> dict[str, Any]:
    return {
        "instruction": step.step.text,
        "dockerfile": step.step.dockerfile or None,
        "line": step.step.line or None,
        "ofBase": step.step.of_base,
        "before": _size(step.before),
        "after": _size(step.after),
        "more": step.more,
    }


def _size(step: StepSize | None) -> int | None:
    return None if step is None else step.size
