"""What the instructions of a build cost as a section of the page, with the time line of the build."""

from collections.abc import Callable
from typing import Any

from kezuri.check.image.blotting import blotted
from kezuri.diagnostics import visible
from kezuri.explain.profile import BaseCost, InstructionCost, Profile
from kezuri.report.places import shown

Why = Callable[[InstructionCost], tuple[str, str]]
"""Why an instruction ran, in English and in Japanese, in lines; empty for one that did not run."""


def profile_section(profile: Profile, why: Why) -> dict[str, Any]:
    """The build that is looked at, its instructions stage by stage."""
    steps: list[dict[str, Any]] = []
    for base in profile.bases:
        steps.append(_base(base))
        steps += [_step(step, why) for step in profile.steps if step.stage == base.stage]
    asked = profile.heading.asked
    return {
        "kind": "profile",
        "name": visible(shown(asked.dockerfile)),
        "build": profile.heading.number,
        "seconds": profile.seconds,
        "spent": profile.spent,
        "builds": len(profile.builds),
        "told": [visible(blotted(profile.error), "\n")] if profile.error else [],
        "steps": steps,
    }


def _base(base: BaseCost) -> dict[str, Any]:
    return {
        "base": True,
        "line": 0,
        "title": visible(f"FROM {blotted(base.name)}" if base.name else f"FROM … ({base.label})"),
        "label": visible(base.label),
        "outcome": "base",
        "start": base.start,
        "seconds": base.seconds,
        "usual": 0,
        "total": 0,
        "ran": 0,
        "times": 0,
        "added": base.size,
        "wasted": -1,
        "hides": -1,
        "shipped": True,
        "because": "",
        "because_ja": "",
    }


def _step(step: InstructionCost, why: Why) -> dict[str, Any]:
    said, said_ja = why(step)
    return {
        "base": False,
        "line": step.line,
        "title": visible(blotted(step.title)),
        "label": visible(step.label),
        "outcome": step.outcome,
        "start": step.start,
        "seconds": step.seconds,
        "usual": step.usual,
        "total": step.spent,
        "ran": len(step.ran),
        "times": len(step.times),
        "added": step.added,
        "wasted": step.wasted,
        "hides": step.hides,
        "shipped": step.shipped,
        "because": visible(blotted(said), "\n"),
        "because_ja": visible(blotted(said_ja), "\n"),
    }
