"""What a build of a plan would do, worked out behind misses too, without doing any of it."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.forecast.history import History, Past
from kezuri.forecast.step import NO_RESULT, ForecastOutcome, ForecastStep
from kezuri.forecast.unseen import family, is_unseen, may_be_equal
from kezuri.forms.forms import Forms
from kezuri.keys.options import Options
from kezuri.keys.state import SCRATCH, State, base_state, next_state
from kezuri.keys.stepkeys import StepKeys
from kezuri.plan.inputs import BaseImage, StageInput
from kezuri.plan.key import Components, digest
from kezuri.plan.operation import Operation, Plan, StagePlan
from kezuri.store.schema import RecordRow
from kezuri.store.store import Store

if TYPE_CHECKING:
    from kezuri.travel.imported import Foreign, Imported

Sight = tuple[State, ...] | None
"""The states that a stage may be in: one when it is known, None when there are too many to follow. The state after a
RUN that will run has a made-up identity: like the one that it will have, it is nobody else's."""

_MOST = 24
_MOST_TRIED = 20_000
"""How many keys that a step may turn out to have are asked for in imported caches."""


class _Made(NamedTuple):
    """A step that makes something: where it is, its possible keys in full, and the layers that each may give."""

    place: tuple[int, int]
    components: Mapping[str, Components]
    layers: Mapping[str, tuple[str, ...]]


class _Way(NamedTuple):
    """One of the ways in which a step may be met: the state before it, and those of the stages that it takes from."""

    before: State
    inputs: Mapping[int, State]


_SOME = State("some state", ("some layer",))
"""Stands for a stage that nobody can follow: no files of it are known."""


class Forecast:
    """Goes through a plan as the builder does, and on behind what it does not find.

    `lenient`: a step whose sources are not there is one that runs; for trees in which files were thought away.
    `imported` are the caches of other machines that are asked for what the store lacks.
    """

    def __init__(
        self,
        plan: Plan,
        forms: Forms,
        store: Store,
        keys: StepKeys,
        options: Options,
        history: History,
        *,
        lenient: bool = False,
        imported: "Imported | None" = None,
    ) -> None:
        self._imported = imported
        self._plan = plan
        self._forms = forms
        self._database = store.database
        self._keys = keys
        self._options = options
        self._lenient = lenient
        self._history = history
        self._ends: dict[int, Sight] = {}
        self._settled: dict[int, bool] = {}
        self._made: dict[frozenset[str], _Made] = {}
        self._families: dict[tuple[object, ...], list[tuple[_Made, str]]] = {}
        self._waited: dict[int, frozenset[int]] = {}

    def steps(self) -> tuple[ForecastStep, ...]:
        """Every step of the plan, in its order. KezuriError, at the line, for a source or secret that is not there."""
        steps = [step for stage in self._plan.stages for step in self._stage(stage)]
        return tuple(self._second_look(step) for step in steps)

    def _stage(self, stage: StagePlan) -> Iterator[ForecastStep]:
        sight: Sight = (SCRATCH,)
        settled, cause = True, ""
        if isinstance(stage.base, StageInput):
            sight, settled = self._ends[stage.base.stage], self._settled[stage.base.stage]
            cause = "" if settled else f"{self._plan.stage(stage.base.stage).label} comes before it"
        elif isinstance(stage.base, BaseImage):
            sight = (base_state(stage.base),)
        for position, operation in enumerate(stage.operations):
            step, sight = self._step(stage, position, operation, sight, cause)
            if step.outcome != "cached" or step.like is not None:
                settled = False
                if step.outcome != "unknown":
                    cause = f"step {position + 1 + isinstance(stage.base, BaseImage)} {_DOES[step.outcome]}"
            yield step
        self._ends[stage.number], self._settled[stage.number] = sight, settled

    def _step(
        self, stage: StagePlan, position: int, operation: Operation, sight: Sight, cause: str
    ) -> tuple[ForecastStep, Sight]:
        place, ignored, ways = (stage.number, position), self._options.ignores(stage), self._ways(operation, sight)
        layers: Mapping[str, tuple[str, ...]] = {}
        parts: dict[str, Components] = {}
        met: list[tuple[State, str]] = []
        seen: set[ForecastOutcome] = set()
        looks, found = False, None
        foreign: Foreign | None = None
        components: Components = (("kind", operation.kind),)
        for way in ways:
            components = self._components(operation, way, strict=len(ways) == 1 and not self._lenient)
            key = digest(components)
            met.append((way.before, key))
            if key not in parts:
                parts[key] = components
                unseen = any(is_unseen(value) for _, value in components)
                there = [] if ignored else self._found(components, unseen)
                looks = looks or (unseen and self._inputs_settled(operation))
                given = [record.layer for record in there]
                if there and not unseen:
                    seen.add("cached")
                    found = there[0]
                elif not (ignored or unseen) and (away := self._elsewhere(key)) is not None:
                    seen.add("cached")
                    foreign = away
                    given = [away.record.layer]
                else:
                    given += self._given_meanwhile(components)
                    if unseen and not ignored:
                        given += self._alike_elsewhere(components)
                    seen.update(("cached", "runs") if given else ("runs",))
                    given.append(_new_layer(operation, key, unseen))
                layers = {**layers, key: tuple(dict.fromkeys(given))}
        outcome: ForecastOutcome = "unknown" if not ways else "depends" if len(seen) > 1 else seen.pop()
        reason, like = "", None
        if outcome in ("runs", "depends"):
            made = self._made.setdefault(frozenset(parts), _Made(place, parts, layers))
            if made.place == place:
                for key, components_made in parts.items():
                    self._families.setdefault(family(components_made), []).append((made, key))
                reason = self._reason(operation, outcome, ignored, cause)
            else:
                outcome, like, layers = "cached", made.place, made.layers
                reason = "an equal step of this build makes it"
        elif outcome == "unknown":
            reason = "too much before it may turn out one way or another"
        layer = cache = ""
        past: Past | None
        if outcome == "cached" and foreign is not None:
            cache = foreign.name
            reason = f"in the cache {cache}"
            past = self._history.of_foreign(operation.kind, operation.title, foreign.record)
        else:
            past = self._past(operation, components, found if outcome == "cached" else None)
        if outcome == "cached" and like is None and len(ways) == 1:
            (layer,) = layers[met[0][1]]
        line = operation.node.place.line
        keys, takes = tuple(sorted(parts)), operation.inputs
        step = ForecastStep(
            *place, operation.kind, operation.title, line, outcome, reason, keys, past, takes, like, looks, layer, cache
        )
        after = tuple(dict.fromkeys(next_state(before, layer) for before, key in met for layer in layers[key]))
        return step, after if ways and sight is not None and len(after) <= _MOST else None

    # ways

    def _ways(self, operation: Operation, sight: Sight) -> list[_Way]:
        """The ways in which the operation may be met; none when there are too many."""
        befores = sight if sight is not None else (SCRATCH,) if operation.linked else ()
        stages = sorted({source.stage for source in operation.key_inputs if isinstance(source, StageInput)})
        ends = [self._ends[stage] or (_SOME,) for stage in stages]
        count = len(befores)
        for end in ends:
            count *= len(end)
        if count > _MOST:
            return []
        return [_Way(before, dict(zip(stages, states))) for before, *states in product(befores, *ends)]

    def _inputs_settled(self, operation: Operation) -> bool:
        return all(self._settled[source.stage] for source in operation.key_inputs if isinstance(source, StageInput))

    def _components(self, operation: Operation, way: _Way, strict: bool) -> Components:
        try:
            return self._keys.components(operation, way.before, lambda source: way.inputs[source.stage])
        except KezuriError as error:
            if strict:
                raise
            return (("kind", operation.kind), ("state before", way.before.id), ("impossible", str(error)))

    def _found(self, components: Components, unseen: bool) -> list[RecordRow]:
        if unseen:
            alike = self._history.alike(dict(components)["kind"], lambda parts: may_be_equal(components, parts))
            return [record for record in alike if self._forms.usable(record.layer)]
        record = self._database.record(digest(components))
        return [record] if record is not None and self._forms.usable(record.layer) else []

    def _elsewhere(self, key: str) -> "Foreign | None":
        """The result of another machine that an imported cache has."""
        if self._imported is None:
            return None
        from kezuri.build.foreign import fits

        return self._imported.find(key, lambda record: fits(record, self._database, self._forms))

    def _alike_elsewhere(self, components: Components) -> list[str]:
        """The layers that imported caches give for the keys which this one may turn out to be. The digests that nobody
        can know here are among those that a cache of the step's result has written down."""
        open_ones = [number for number, (_, value) in enumerate(components) if is_unseen(value)]
        digests = self._imported.digests() if self._imported is not None else frozenset()
        if len(digests) ** len(open_ones) > _MOST_TRIED:
            return []
        found: dict[str, None] = {}
        for values in product(sorted(digests), repeat=len(open_ones)):
            known = list(components)
            for number, value in zip(open_ones, values):
                known[number] = (known[number][0], value)
            foreign = self._elsewhere(digest(tuple(known)))
            if foreign is not None:
                found[foreign.record.layer] = None
        return list(found)

    def _given_meanwhile(self, components: Components) -> list[str]:
        """The layers of earlier steps of this build whose key may turn out to be this one."""
        return [
            layer
            for made, key in self._families.get(family(components), ())
            if may_be_equal(components, made.components[key])
            for layer in made.layers[key]
        ]

    def _second_look(self, step: ForecastStep) -> ForecastStep:
        """A step may also be spared by a later one that turns out to be equal and happens to come first."""
        own = self._made.get(frozenset(step.keys))
        if step.outcome != "runs" or own is None:
            return step
        stages = [
            other.place[0]
            for components in own.components.values()
            for other, key in self._families.get(family(components), ())
            if other.place > own.place
            and may_be_equal(components, other.components[key])
            and step.stage not in self._waited_for(other.place[0])
        ]
        if not stages:
            return step
        return step._replace(outcome="depends", reason=f"{self._plan.stage(min(stages)).label} may make the same")

    def _waited_for(self, number: int) -> frozenset[int]:
        """The stages that are complete, in all cases, before the end of this one: itself and what it needs."""
        known = self._waited.get(number)
        if known is not None:
            return known
        found, todo = {number}, [number]
        while todo:
            stage = self._plan.stage(todo.pop())
            inputs = [stage.base, *(source for o in stage.operations for source in o.key_inputs)]
            for source in inputs:
                if isinstance(source, StageInput) and source.stage not in found:
                    found.add(source.stage)
                    todo.append(source.stage)
        self._waited[number] = frozenset(found)
        return self._waited[number]

    # telling

    def _reason(self, operation: Operation, outcome: ForecastOutcome, ignored: bool, cause: str) -> str:
        if ignored:
            return "earlier results are not to be used"
        open_stages = [
            self._plan.stage(source.stage).label
            for source in operation.key_inputs
            if isinstance(source, StageInput) and not self._settled[source.stage]
        ]
        if cause and not operation.linked and (outcome == "runs" or not open_stages):
            return cause
        if open_stages:
            return f"takes files from {', '.join(open_stages)}"
        if operation.remotes and outcome == "depends":
            return "what it fetches may have changed"
        return "its files are in layers that are not unpacked" if outcome == "depends" else NO_RESULT

    def _past(self, operation: Operation, components: Components, record: RecordRow | None) -> Past | None:
        if record is not None:
            return self._history.of_record(record)
        return self._history.last(operation.kind, operation.title, components)


_DOES: Mapping[ForecastOutcome, str] = {
    "cached": "before it is made anew",
    "runs": "before it runs",
    "depends": "before it may run",
}


def _new_layer(operation: Operation, key: str, unseen: bool) -> str:
    """The id of the layer that the operation would make; made up where the real one cannot be told."""
    if operation.kind == "RUN" or unseen:
        return f"layer of {key}"
    return f"copy-{key}"
