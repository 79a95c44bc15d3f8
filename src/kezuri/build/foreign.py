"""Results of other machines among those of this one: a Lookup that asks imported caches for what the store lacks, and
notes what a cache that is exported needs to know."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kezuri.build.lookup import KeyedLookup
from kezuri.build.turn import Found, Turn
from kezuri.cache.results import Results
from kezuri.forms.forms import Forms
from kezuri.forms.supply import ForeignLayer
from kezuri.keys.inputs import Inputs, selection_key
from kezuri.keys.options import Options
from kezuri.keys.state import SCRATCH, State, base_state, next_state
from kezuri.keys.stepkeys import StepKeys
from kezuri.plan.inputs import Choice, ContextInput, StageInput
from kezuri.plan.key import digest
from kezuri.plan.operation import Plan
from kezuri.store.database import Database
from kezuri.store.schema import FormRow, imported_encoder
from kezuri.travel.document import Record
from kezuri.travel.imported import Imported

if TYPE_CHECKING:
    from kezuri.step.task import Outcome


def fits(record: Record, database: Database, forms: Forms) -> bool:
    """Whether a cache's record can be believed beside what the store knows: a layer that it has under this id must be
    the same one, and its times those that this build asks for."""
    row = database.layer(record.layer)
    if record.blob is None:
        return True
    return (row is None or row.diff_id == record.diff_id) and forms.keeps_times(record.epoch)


class Reached(NamedTuple):
    """An operation that has a result: the turn with its key, the layer, and whether later builds may use it."""

    turn: Turn
    layer: str
    believable: bool


class ForeignLookup(KeyedLookup):
    """The Lookup of a store and of the caches that a build reads (see `kezuri.build.doors`). What the store has comes
    first: it costs nothing."""

    def __init__(
        self,
        keys: StepKeys,
        results: Results,
        options: Options,
        database: Database,
        forms: Forms,
        imported: Imported | None,
    ) -> None:
        super().__init__(keys, results, options)
        self._database = database
        self._forms = forms
        self._imported = imported
        self._guard = threading.Lock()
        self.reached: dict[tuple[int, int], Reached] = {}
        """What each operation came to, by its place."""

    def find(self, turn: Turn) -> Found | None:
        """See Lookup."""
        found = super().find(turn)
        key = turn.key or digest(turn.components)
        if found is None and self._imported is not None and not self.ignored(turn.stage):
            found = self._of_cache(key)
        if found is not None:
            self._note(turn._replace(key=key), found.layer, True)
        return found

    def keep(self, turn: Turn, outcome: "Outcome", seconds: float) -> None:
        """See Lookup."""
        super().keep(turn, outcome, seconds)
        self._note(turn, outcome.layer, outcome.believable)

    def adopt(self) -> None:
        """Remember the results of caches whose layers have come here meanwhile: later builds need no cache for them."""
        for reached in self.reached.values():
            record = self._imported.record(reached.layer) if self._imported is not None else None
            if record is not None and reached.believable and self._forms.usable(reached.layer):
                self._remember(reached.turn, reached.layer, record.seconds, record.created)

    def _of_cache(self, key: str) -> Found | None:
        assert self._imported is not None
        foreign = self._imported.find(key, self._usable)
        if foreign is None:
            return None
        record = foreign.record
        form = None
        if record.blob is not None:
            blob = record.blob
            encoder = imported_encoder(blob.digest, record.epoch)
            form = FormRow(
                record.layer, encoder, blob.digest, blob.size, blob.media_type, record.diff_id, verified=False
            )
        if not self._forms.usable(record.layer):
            self._forms.know_foreign(record.layer, ForeignLayer(form, record.created, self._imported))
        return Found(record.layer, record.created, foreign.name)

    def _usable(self, record: Record) -> bool:
        return fits(record, self._database, self._forms)

    def _note(self, turn: Turn, layer: str, believable: bool) -> None:
        with self._guard:
            self.reached[turn.place] = Reached(turn, layer, believable)


def below(plan: Plan, number: int, position: int) -> list[tuple[int, int]]:
    """The operations whose layers an operation of a stage stands on, those of the stages below it first."""
    base = plan.stage(number).base
    under = below(plan, base.stage, len(plan.stage(base.stage).operations)) if isinstance(base, StageInput) else []
    return under + [(number, i) for i in range(position)]


class Reach:
    """What the operations of a plan came to: which layers stand below an operation, and the state a stage ends with."""

    def __init__(self, plan: Plan, reached: Mapping[tuple[int, int], Reached]) -> None:
        self._plan = plan
        self._reached = reached

    def needed(self, ahead: Sequence[tuple[int, int]]) -> list[str]:
        """The layers whose files are needed for certain by what is `ahead` (stage and position, in order): what the
        first operation of each stage stands on or takes from, if that is there already."""
        first: dict[int, int] = {}
        for number, position in ahead:
            first.setdefault(number, position)
        found: dict[str, None] = {}
        for number, position in first.items():
            stage = self._plan.stage(number)
            if position >= len(stage.operations):
                continue
            operation = stage.operations[position]
            places = below(self._plan, number, position) if operation.kind == "RUN" or not operation.linked else []
            for source in operation.inputs:
                if isinstance(source, StageInput):
                    places = places + below(self._plan, source.stage, len(self._plan.stage(source.stage).operations))
            layers = [self._reached[place].layer for place in places if place in self._reached]
            if len(layers) == len(places):
                found |= dict.fromkeys(layers)
        return list(found)

    def selections(self, inputs: Inputs) -> dict[str, str]:
        """The digests of what the operations that have a result select from stages and images, by their keys."""
        found: dict[str, str] = {}
        for reached in self._reached.values():
            for _, piece in reached.turn.operation.pieces:
                if isinstance(piece, Choice) and not isinstance(piece.input, ContextInput):
                    key = selection_key(inputs.state(piece.input, self.state), piece)
                    found[key] = inputs.digest(piece, self.state)
        return found

    def state(self, source: StageInput) -> State:
        """The state that a stage ends with, all of whose operations have a result."""
        return self._state_of(source.stage)

    def _state_of(self, number: int) -> State:
        stage = self._plan.stage(number)
        if stage.operations:
            reached = self._reached[(number, len(stage.operations) - 1)]
            return next_state(reached.turn.before, reached.layer)
        if isinstance(stage.base, StageInput):
            return self._state_of(stage.base.stage)
        return base_state(stage.base) if stage.base is not None else SCRATCH
