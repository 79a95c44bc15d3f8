"""A profile as a document: docs/profile.md has its fields."""

from typing import Any

from kezuri.explain.profile import UNKNOWN, InstructionCost, Occasion, Profile


def document(profile: Profile, why: dict[int, list[str]]) -> dict[str, Any]:
    """The profile; `why` are the lines that say why a step ran, by its number."""
    asked = profile.heading.asked
    return {
        "build": profile.heading.number,
        "context": asked.context,
        "dockerfile": asked.dockerfile,
        "target": asked.target,
        "platforms": list(asked.platforms),
        "began": profile.heading.began,
        "last": profile.heading.last,
        "seconds": round(profile.seconds, 3),
        "work": round(profile.spent, 3),
        "error": profile.error,
        "nothingRan": profile.quiet,
        "builds": [heading.number for heading in profile.builds],
        "bases": [
            {
                "stage": base.label,
                "image": base.name or None,
                "bytes": _known(base.size),
                "start": _moment(base.start),
                "seconds": round(base.seconds, 3),
            }
            for base in profile.bases
        ],
        "steps": [_step(step, why.get(step.number, [])) for step in profile.steps],
    }


def _step(step: InstructionCost, why: list[str]) -> dict[str, Any]:
    return {
        "step": step.number,
        "stage": step.label,
        "place": step.place,
        "line": step.line,
        "kind": step.kind,
        "instruction": step.title,
        "outcome": step.outcome,
        "start": _moment(step.start),
        "seconds": round(step.seconds, 3),
        "usualSeconds": round(step.usual, 3),
        "totalSeconds": round(step.spent, 3),
        "added": _known(step.added),
        "wasted": _known(step.wasted),
        "hides": _known(step.hides),
        "inImage": step.shipped,
        "ran": len(step.ran),
        "why": why,
        "builds": [_occasion(each) for each in step.times],
    }


def _occasion(each: Occasion) -> dict[str, Any]:
    return {
        "build": each.build,
        "began": each.began,
        "outcome": each.outcome,
        "seconds": round(each.seconds, 3),
        "because": [because.kind for because in each.because if because.kind != "nearest"],
    }


def _known(count: int) -> int | None:
    return None if count == UNKNOWN else count


def _moment(start: float) -> float | None:
    return None if start < 0 else round(start, 3)
