"""A forecast and the build that follows it, step by step."""

from typing import Any

from tests.build.build_workshop import Workshop, asked

from kezuri.app.forecast import foresee
from kezuri.app.request import Settings
from kezuri.forecast.foresight import Foresight
from kezuri.progress.events import Event, StepCached, StepDone, StepStarted


def forecast(shop: Workshop, changed: tuple[str, ...] | None = None, **more: Any) -> Foresight:
    """What a build of the workshop's context would do."""
    heard: list[Event] = []
    parallelism = more.pop("parallelism", 0)
    request = asked(**{"context": str(shop.context), **more})
    found = foresee(request, Settings(str(shop.root), max_parallelism=parallelism), heard.append, changed)
    assert not any(isinstance(event, StepCached) for event in heard)
    return found


def outcomes(foresight: Foresight) -> dict[str, str]:
    """What is foretold of each step, by the name under which a build shows it, its stage always named."""
    stages = {stage.number: stage for stage in foresight.stages}
    return {
        f"[{stages[s.stage].label} {s.position + stages[s.stage].first}/{stages[s.stage].last}] {s.title}": s.outcome
        for s in foresight.steps
    }


def came(shop: Workshop) -> dict[str, str]:
    """What came of each step in the last build."""
    names = {e.step: str(e.name) for e in shop.said.events if isinstance(e, StepStarted)}
    found: dict[str, str] = {}
    for event in shop.said.events:
        name = names.get(event.step, "") if isinstance(event, StepCached | StepDone) else ""
        if name.startswith("[") and not name.startswith("[internal]") and "] FROM " not in name:
            # A build that goes through its plan again finds what it has made.
            again = found.get(name) == "runs"
            found[name] = "cached" if isinstance(event, StepCached) and not again else "runs"
    return found


def agree(foresight: Foresight, real: dict[str, str]) -> bool:
    """Whether everything that was foretold for certain came so. Of equal steps one runs, whichever comes first."""
    names = dict(zip(((s.stage, s.position) for s in foresight.steps), outcomes(foresight)))
    if not names.values() & real.keys():
        # A lone first stage without a name is not called by its number.
        names = {place: "[" + name.partition(" ")[2] for place, name in names.items()}
    assert set(names.values()) == real.keys()
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for step in foresight.steps:
        groups.setdefault(step.like or (step.stage, step.position), []).append((step.stage, step.position))
    foretold = {(s.stage, s.position): s.outcome for s in foresight.steps}
    for first, group in groups.items():
        ran = sum(real[names[place]] == "runs" for place in group)
        if foretold[first] in ("cached", "runs") and ran != (foretold[first] == "runs"):
            return False
        if ran > 1:
            return False
    return True
