"""What the steps of a forecast would cost: seconds of work, time on the clock, and bytes to pull."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from kezuri.forecast.schedule import Lane, critical_path, lanes_of, makespan
from kezuri.forecast.step import ForecastStep
from kezuri.plan.inputs import BaseImage, ImageInput, StageInput
from kezuri.plan.operation import Plan


class Expense(NamedTuple):
    """Seconds of steps in all (`work`) and on the clock with stages beside each other (`wall`), and bytes of the
    layers that they would make. The `most` are those if every step ran that may run; `unknown` is how many of these
    have no earlier run to judge by, and count as nothing. Pulling is not in it.

    The ranges go from what the steps take that run for certain, each as fast as the first quartile of its earlier runs,
    to what all take that may run, each as slow as the third quartile. `critical` is the chain of steps that takes
    longest, by stage and position, as far as earlier runs tell, and `critical_seconds` what it takes: of those that run
    for certain, or, if there are none, of those that may.
    """

    work: float
    work_most: float
    wall: float
    wall_most: float
    layer_bytes: int
    layer_bytes_most: int
    unknown: int
    work_range: tuple[float, float]
    wall_range: tuple[float, float]
    critical: tuple[tuple[int, int], ...]
    critical_seconds: float


class Pull(NamedTuple):
    """A base image of which layers are not here: how many of how many, and their compressed bytes. `certain`: some
    step or the image needs them; otherwise only steps that may run do. Layers are counted once, with the first image
    that has them."""

    image: str
    missing: int
    layers: int
    size: int
    certain: bool


def expense(plan: Plan, steps: Iterable[ForecastStep], parallelism: int) -> Expense:
    """The cost of the steps, judged by their last runs. `parallelism` is how many may run at once."""
    of = {(step.stage, step.position): step for step in steps}
    sure = {place: step for place, step in of.items() if step.outcome == "runs"}
    maybe = {place: step for place, step in of.items() if step.outcome != "cached"}

    def lanes(running: Running, seconds: Callable[[ForecastStep], float]) -> Mapping[int, Lane]:
        return lanes_of(plan, {place: seconds(step) for place, step in running.items()})

    def wall(running: Running, seconds: Callable[[ForecastStep], float]) -> float:
        return makespan(lanes(running, seconds), max(1, parallelism))

    critical = critical_path(lanes(sure or maybe, _seconds))
    return Expense(
        sum(map(_seconds, sure.values())),
        sum(map(_seconds, maybe.values())),
        wall(sure, _seconds),
        wall(maybe, _seconds),
        sum(map(layer_bytes, sure.values())),
        sum(map(layer_bytes, maybe.values())),
        sum(step.past is None for step in maybe.values()),
        (sum(map(_low, sure.values())), sum(map(_high, maybe.values()))),
        (wall(sure, _low), wall(maybe, _high)),
        critical,
        sum(_seconds(of[place]) for place in critical),
    )


Running = Mapping[tuple[int, int], ForecastStep]
"""Steps that run, by stage and position."""


def layer_bytes(step: ForecastStep) -> int:
    """The bytes of the layer that an earlier run gave: compressed if it ever was, else on the disk."""
    if step.past is None:
        return 0
    return step.past.packed if step.past.packed is not None else step.past.unpacked or 0


def pulls(plan: Plan, steps: Sequence[ForecastStep], usable: Callable[[str], bool]) -> tuple[Pull, ...]:
    """What would be fetched of base images, in the order of the stages that need it."""
    wanted: dict[str, tuple[BaseImage, bool]] = {}

    def want(image: BaseImage | None, certain: bool) -> None:
        if image is not None:
            wanted[image.digest] = (image, certain or wanted.get(image.digest, (image, False))[1])

    # Wherever the image goes, its base goes with it.
    for number in [target.stage for target in plan.targets] or [plan.target]:
        want(_base(plan, number), True)
    of = {(step.stage, step.position): step for step in steps}
    for stage in plan.stages:
        for position, operation in enumerate(stage.operations):
            step = of[(stage.number, position)]
            runs = step.outcome != "cached"
            if runs:
                want(_base(plan, stage.number), step.outcome == "runs")
            for source in operation.key_inputs if runs or step.looks else ():
                certain = step.looks or step.outcome == "runs"
                if isinstance(source, ImageInput):
                    want(source.image, certain)
                elif isinstance(source, StageInput):
                    want(_base(plan, source.stage), certain)
    found = []
    counted: set[str] = set()
    for image, certain in sorted(wanted.values(), key=lambda pair: not pair[1]):
        missing = [
            (layer, descriptor.size)
            for layer, descriptor in dict(zip(image.config.diff_ids, image.layers)).items()
            if layer not in counted and not usable(layer)
        ]
        counted.update(layer for layer, _ in missing)
        if missing:
            sizes = sum(size for _, size in missing)
            found.append(Pull(image.name, len(missing), len(image.layers), sizes, certain))
    return tuple(found)


def _seconds(step: ForecastStep) -> float:
    return step.past.seconds if step.past is not None else 0.0


def _low(step: ForecastStep) -> float:
    return step.past.low if step.past is not None else 0.0


def _high(step: ForecastStep) -> float:
    return step.past.high if step.past is not None else 0.0


def _base(plan: Plan, number: int) -> BaseImage | None:
    base = plan.stage(number).base
    while isinstance(base, StageInput):
        base = plan.stage(base.stage).base
    return base if isinstance(base, BaseImage) else None
