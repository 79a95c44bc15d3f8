"""Writes one build into the journal while it is made."""

import threading
from collections.abc import Callable
from hashlib import sha256
from time import monotonic, time
from typing import TYPE_CHECKING

from kezuri.cache.question import Question, project_of, repeats
from kezuri.diagnostics import KezuriError
from kezuri.plan.inputs import BaseImage, ContextInput, ImageInput, Input, StageInput
from kezuri.plan.key import Components, digest
from kezuri.plan.operation import Operation, Plan, StagePlan
from kezuri.progress.events import StepName
from kezuri.store.database import Database

if TYPE_CHECKING:
    from kezuri.cache.journal import JournalOutcome, JournalStage, JournalStep, Miss, Source


class _Event:
    """What became of one step."""

    __slots__ = (
        "components",
        "kept",
        "layer",
        "made",
        "message",
        "miss",
        "origin",
        "outcome",
        "seconds",
        "start",
        "state",
    )

    def __init__(self, outcome: "JournalOutcome", components: Components) -> None:
        self.outcome: JournalOutcome = outcome
        self.components = components
        self.seconds = 0.0
        self.start = -1.0
        self.layer = ""
        self.state = ""
        self.miss: Miss = ""
        self.kept = True
        self.made = False
        self.message = ""
        self.origin = ""


class Chronicle:
    """Told by the builder, from any thread. Nothing is written before `close`: a build that finds everything again
    writes one moment, and a step costs a few words in memory."""

    def __init__(self, database: Database, asked: Question, plan: Plan) -> None:
        self._database = database
        self._asked = asked
        self._plan = plan
        self._began = time()
        self._clock = monotonic()
        self._bases: dict[int, str] = {}
        self._laid: dict[int, tuple[float, float]] = {}
        self._events: dict[tuple[int, int], _Event] = {}
        self._lock = threading.Lock()

    # what the builder tells

    def based(self, stage: int, state: str) -> None:
        """The stage begins with these files."""
        self._bases[stage] = state

    def laid(self, stage: int, seconds: float) -> None:
        """The base of the stage was fetched, listed or unpacked until now, for so many seconds."""
        self._laid[stage] = (self._since(seconds), seconds)

    def found(self, stage: int, position: int, components: Components, created: float = 0.0, cache: str = "") -> None:
        """The step's result was there: made at this moment (seconds since the epoch), or, for 0, in this build. `cache`
        is the imported cache that gave it, empty for the store's own."""
        event = _Event("cached" if created or cache else "shared", components)
        event.made, event.origin = created > self._began, cache
        self._put(stage, position, event)

    def ran(
        self, stage: int, position: int, components: Components, seconds: float, miss: "Miss", kept: bool = True
    ) -> None:
        """The step has run, because of `miss`; `kept` is whether its result may be used again."""
        event = _Event("ran", components)
        event.seconds, event.miss, event.kept = seconds, miss, kept
        event.start = self._since(seconds)
        self._put(stage, position, event)

    def failed(
        self, stage: int, position: int, components: Components, seconds: float, miss: "Miss", error: BaseException
    ) -> None:
        """The step has failed or was called off. Without components it has failed before it had a key."""
        called_off = not isinstance(error, KezuriError) or error.exit_code == 130
        event = _Event("canceled" if called_off else "failed", components)
        event.seconds, event.miss, event.message = seconds, miss, str(error).partition("\n")[0]
        event.start = self._since(seconds) if seconds else -1.0
        self._put(stage, position, event)

    def advanced(self, stage: int, position: int, layer: str, state: str) -> None:
        """The step has led to this state."""
        event = self._events.get((stage, position))
        if event is not None:
            event.layer, event.state = layer, state

    def _since(self, seconds: float) -> float:
        """How many seconds after the build what took so long until now has begun."""
        return round(max(0.0, monotonic() - self._clock - seconds), 4)

    def _put(self, stage: int, position: int, event: _Event) -> None:
        with self._lock:
            self._events[(stage, position)] = event

    # writing

    def close(self, error: str, name: Callable[[int, int], StepName]) -> None:
        """Write it down. `error` is empty when the build succeeded; `name` says what progress calls a step of a stage.
        A journal that cannot be written (the disk is full) is no reason for a build to fail."""
        fingerprint = self._fingerprint()
        quiet = not error and all(event.outcome in ("cached", "shared") for event in self._events.values())
        try:
            if quiet and repeats(self._database, project_of(self._asked), fingerprint, self._began):
                return
            from kezuri.cache.journal import Asked, Heading, Journal, JournalBuild

            heading = Heading(0, Asked(*self._asked), self._began, 0.0)
            build = JournalBuild(heading, monotonic() - self._clock, error, self._stages(name))
            Journal(self._database).add(build, fingerprint)
        except KezuriError:
            return

    def _fingerprint(self) -> str:
        """What was built from what: equal for two builds exactly when the journal would say the same of both, had all
        been found."""
        said = []
        for stage in self._plan.stages:
            base = stage.base
            said.append(f"{stage.label} {stage.platform} {base.digest if isinstance(base, BaseImage) else base}")
            for position, operation in enumerate(stage.operations):
                event = self._events.get((stage.number, position))
                key = digest(event.components) if event is not None else ""
                said.append(f"{key} {operation.node.span.start} {operation.title}")
        return sha256("\n".join(said).encode("utf-8", "surrogateescape")).hexdigest()

    def _stages(self, name: Callable[[int, int], StepName]) -> "tuple[JournalStage, ...]":
        from kezuri.cache.journal import JournalStage

        number = 0
        found = []
        for plan in self._plan.stages:
            base, own = plan.base, []
            for position, operation in enumerate(plan.operations):
                number += 1
                own.append(self._step(number, plan, position, operation, name(plan.number, position)))
            kind, title, stage, found_digest = "scratch", "scratch", -1, ""
            if isinstance(base, BaseImage):
                kind, title, found_digest = "image", plan.base_title, base.digest
            elif base is not None:
                kind, title, stage = "stage", plan.base_title, base.stage
            state = self._bases.get(plan.number, "")
            found.append(
                JournalStage(
                    plan.number,
                    plan.name,
                    plan.label,
                    str(plan.platform),
                    kind,
                    title,
                    stage,
                    found_digest,
                    state,
                    tuple(own),
                    *self._laid.get(plan.number, (-1.0, 0.0)),
                )
            )
        return tuple(found)

    def _step(
        self, number: int, stage: StagePlan, position: int, operation: Operation, name: StepName
    ) -> "JournalStep":
        from kezuri.cache.journal import JournalStep

        event = self._events.get((stage.number, position)) or _Event("not reached", ())
        span = operation.node.span
        return JournalStep(
            number,
            stage.number,
            position,
            name,
            operation.kind,
            operation.node.place.line,
            span == stage.node.span,
            digest(event.components) if event.components else "",
            event.components,
            event.outcome,
            event.seconds,
            event.layer,
            event.state,
            event.miss,
            event.kept,
            event.message,
            event.made,
            tuple(_source(component, found) for component, found in operation.input_components),
            operation.arguments,
            event.origin,
            event.start,
        )


def _source(component: str, found: Input) -> "Source":
    from kezuri.cache.journal import Source

    if isinstance(found, StageInput):
        return Source(component, "stage", stage=found.stage)
    if isinstance(found, ContextInput):
        return Source(component, "context", found.name)
    assert isinstance(found, ImageInput)
    return Source(component, "image", found.image.name, digest=found.image.digest)
