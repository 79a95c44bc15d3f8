"""What earlier runs tell of a step: what it took the last time, and results that it might turn out to have."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kezuri.forecast.durations import Durations, spread
from kezuri.plan.key import Components, decode
from kezuri.store.database import Database
from kezuri.store.schema import RecordRow

if TYPE_CHECKING:
    from kezuri.travel.document import Record


class Past(NamedTuple):
    """An earlier run: its seconds, and the bytes of its layer, compressed and on the disk (None: no such form).

    The middle half of the runs of the same instruction in this project took from `low` to `high` seconds; both are
    `seconds` where the journal remembers no other run.
    """

    seconds: float
    packed: int | None
    unpacked: int | None
    low: float
    high: float


class History:
    """The records of a store, read once, when they are first asked for, beside the project's `durations`."""

    def __init__(self, database: Database, durations: Durations) -> None:
        self._database = database
        self._durations = durations
        self._records: dict[str, list[tuple[RecordRow, Components]]] | None = None

    def last(self, kind: str, title: str, components: Components) -> Past | None:
        """The run of the same instruction that has most in common with this one; of equal ones the latest."""
        same = [(record, parts) for record, parts in self._of(kind) if record.title == title]
        if not same:
            return None
        wanted = set(components)
        best, _ = max(same, key=lambda pair: (len(wanted.intersection(pair[1])), pair[0].created))
        return self.of_record(best)

    def of_record(self, record: RecordRow) -> Past:
        """What the run took that gave this record."""
        forms = self._database.forms(record.layer)
        unpacked = max((row.bytes for row in self._database.directories(record.layer)), default=None)
        runs = self._durations.of(record.kind, record.title)
        low, high = spread(runs) if len(runs) > 1 else (record.seconds, record.seconds)
        return Past(record.seconds, forms[0].size if forms else None, unpacked, low, high)

    def of_foreign(self, kind: str, title: str, record: "Record") -> Past:
        """What the run took, on another machine, that a cache has this record of."""
        runs = self._durations.of(kind, title)
        low, high = spread(runs) if len(runs) > 1 else (record.seconds, record.seconds)
        return Past(record.seconds, record.blob.size if record.blob is not None else None, None, low, high)

    def alike(self, kind: str, equal: Callable[[Components], bool]) -> list[RecordRow]:
        """The records of a kind of step whose components satisfy `equal`."""
        return [record for record, parts in self._of(kind) if equal(parts)]

    def _of(self, kind: str) -> list[tuple[RecordRow, Components]]:
        if self._records is None:
            self._records = {}
            for record in self._database.records():
                self._records.setdefault(record.kind, []).append((record, decode(record.components)))
        return self._records.get(kind, [])
