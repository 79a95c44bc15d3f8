"""Results already paid for, found by key and believed only while their layers are at hand."""

from collections.abc import Callable
from time import time

from kezuri.plan.key import Components, decode, digest, encode
from kezuri.store.database import FRESH, Database
from kezuri.store.schema import RecordRow


class Results:
    """The local cache of step results.

    `usable` says whether some form of a layer is at hand: a record whose layer is gone is no result.
    """

    def __init__(self, database: Database, usable: Callable[[str], bool]) -> None:
        self._database = database
        self._usable = usable

    def find(self, components: Components) -> RecordRow | None:
        """The result paid for under the key of these components, if its layer is still there."""
        record = self._database.record(digest(components))
        if record is None or not self._usable(record.layer):
            return None
        # Noted at once: what is not known to be in use may be collected while this build runs.
        if record.used < time() - FRESH and not self._database.touch(record.key, record.layer):
            return None
        return record

    def keep(
        self,
        components: Components,
        *,
        state: str,
        layer: str,
        kind: str,
        title: str,
        seconds: float,
        created: float = 0.0,
    ) -> RecordRow:
        """Remember a result. `created` is when it was made (seconds since the epoch), 0 for now."""
        now = time()
        made = created or now
        record = RecordRow(digest(components), state, layer, kind, title, encode(components), seconds, made, now, 1)
        self._database.put_record(record)
        return record

    def lost(self, key: str) -> bool:
        """Whether a result is known under the key whose layer is gone."""
        record = self._database.record(key)
        return record is not None and not self._usable(record.layer)

    def components(self, record: RecordRow) -> Components:
        """The named parts of a record's key."""
        return decode(record.components)
