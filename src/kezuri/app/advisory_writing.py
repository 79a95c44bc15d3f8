"""The database of advisories written anew, with what is brought in place of what it had: by one kezuri at a time, and
never with less than it promises."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from glob import escape, glob
from time import time
from typing import NamedTuple

from kezuri.advisories.age import instant
from kezuri.advisories.database import Database, NoDatabase
from kezuri.advisories.losses import Loss
from kezuri.advisories.reading import Reading
from kezuri.advisories.values import DataSet, Entry, Signal
from kezuri.advisories.writing import UNSERVED, NewDatabase, Served, unwritten
from kezuri.diagnostics import KezuriError
from kezuri.linux.held_file import hold

_MANY = 100
"""Entries from which on a set that has lost more than half of them is not believed."""

_DATED = ("kev", "epss")
"""Formats that say of which date the whole is."""


class Brought(NamedTuple):
    """Data that is to be put into the database under a name: `readings` open it, anew each time they are called. `data`
    is what is known of it before it is read. Of what is `trusted` an error of its reader says enough."""

    data: DataSet
    readings: tuple[Callable[[], Reading], ...]
    served: Served = UNSERVED
    trusted: bool = False


class Change(NamedTuple):
    """A data set that was put into the database; `before` are the entries that it had, -1 where it is new. `lost` is
    how much of it could not be read, and `told` the first of that."""

    data: DataSet
    before: int
    lost: int
    told: tuple[Loss, ...]


class Rewritten(NamedTuple):
    """What was put into the database, and what could not be: that is as it was before."""

    changes: tuple[Change, ...]
    failed: Mapping[str, KezuriError]


class _Unreadable(Exception):
    """A reading that failed: `error` says why. What the database itself fails with is told apart by this."""

    def __init__(self, error: KezuriError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def alone(path: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Nobody else writes the database at `path` meanwhile. `waiting` is called when somebody does. What a writer left
    that was killed is removed. KezuriError where the disk does not take a file."""
    lock = f"{path}.lock"
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        held = hold(lock, os.O_CREAT)
        if held < 0:
            waiting()
            held = hold(lock, os.O_CREAT, wait=True)
    except OSError as error:
        raise unwritten(error, lock) from error
    try:
        for left in glob(f"{escape(path)}.*.part"):
            with suppress(OSError):
                os.unlink(left)
        yield
    finally:
        os.close(held)


def present(path: str) -> Sequence[DataSet] | None:
    """What the database at `path` has; None where there is none. DamagedDatabase where it cannot be read."""
    try:
        with Database.open(path) as database:
            return database.data()
    except NoDatabase:
        return None


def rewrite(
    path: str,
    brought: Sequence[Brought],
    checked: Sequence[str] = (),
    *,
    tolerant: bool = False,
    afresh: bool = False,
    step: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> Rewritten:
    """Write the database anew: with what is brought, and with everything else that it had, unless it is made `afresh`.
    The servers of those that are `checked` said that they have nothing newer. With `tolerant` what cannot be read, or
    not be believed, is left as it was, and told; else it is an error, and nothing changes at all. Within `step` happens
    what it is given the name of. To be called `alone`."""
    before = {} if afresh else {data.name: data for data in present(path) or ()}
    failed: dict[str, KezuriError] = {}
    while True:
        # What was put into a database cannot be taken out again: without the set that failed it is begun anew.
        wanted = [one for one in brought if one.data.name not in failed]
        if failed and not wanted and not checked:
            return Rewritten((), failed)
        now = instant(time())
        try:
            with NewDatabase(path) as new:
                if before:
                    new.keep(path, [one.data.name for one in wanted])
                changes = []
                for one in wanted:
                    with step(f"read {one.data.name}"):
                        changes.append(_fill(new, one, before.get(one.data.name), now))
                for name in checked:
                    new.checked(name, now)
                with step(f"write {path}"):
                    new.publish()
                return Rewritten(tuple(changes), failed)
        except _Failed as error:
            if not tolerant:
                raise error.error from None
            failed[error.name] = error.error


class _Failed(Exception):
    def __init__(self, name: str, error: KezuriError) -> None:
        super().__init__(name)
        self.name = name
        self.error = error


def _fill(new: NewDatabase, one: Brought, before: DataSet | None, now: str) -> Change:
    name = one.data.name
    opened: list[Reading] = []

    def entries() -> Iterator[Entry | Signal]:
        try:
            for open_ in one.readings:
                opened.append(open_())
                yield from opened[-1]
        except KezuriError as error:
            raise _Unreadable(error) from None

    def after(data: DataSet) -> DataSet:
        # Who keeps a catalogue dates it. A date that is only that of the last entry says nothing where it is to come:
        # somebody mistyped it, and all else would seem to be as new.
        dates = [each.date for each in opened if each.format in _DATED or each.date <= now]
        licences = dict.fromkeys(reading.licence for reading in opened if reading.licence)
        return data._replace(
            date=max(dates, default="") or data.date,
            licence=data.licence or ", ".join(licences),
            ecosystems=data.ecosystems or tuple({pair for reading in opened for pair in reading.ecosystems}),
        )

    try:
        filled, packages = new.fill(one.data._replace(fetched=now), entries(), one.served, after)
    except _Unreadable as error:
        if one.trusted:
            raise _Failed(name, error.error) from None
        raise _Failed(
            name,
            KezuriError.of(
                f"{name}: what {one.data.address} gives cannot be read: {error.error}",
                hint="that is no answer to believe: what was there is kept",
            ),
        ) from None
    lost = sum(reading.losses.count for reading in opened)
    if not filled.entries:
        first = next((f"{loss.name}: {loss.why}" for reading in opened for loss in reading.losses.told), "")
        raise _Failed(
            name,
            KezuriError.of(
                f"{name}: there is not one advisory in {filled.address}",
                hint="that is no answer to believe: what was there is kept",
                output=first,
            ),
        )
    if one.data.ecosystems and not packages:
        wanted = ", ".join(f"{ecosystem} {release}".strip() for ecosystem, release in one.data.ecosystems)
        raise _Failed(
            name,
            KezuriError.of(
                f"{name}: what {filled.address} has tells of no package of {wanted}",
                hint="is it the file of something else?",
            ),
        )
    if lost > filled.entries:
        first = next(f"{loss.name}: {loss.why}" for reading in opened for loss in reading.losses.told)
        raise _Failed(
            name,
            KezuriError.of(
                f"{name}: of what {filled.address} has {lost} parts could not be read, and {filled.entries} could: "
                "that is not believed",
                hint="what was there is kept; is there a newer kezuri that knows this format?",
                output=first,
            ),
        )
    if before is not None and filled.entries * 2 < before.entries and before.entries >= _MANY:
        raise _Failed(
            name,
            KezuriError.of(
                f"{name}: {filled.address} has {filled.entries} entries, and the database {before.entries}: "
                "that is not believed",
                hint="`kezuri db rm` removes what is there, if it really has become so few",
            ),
        )
    return Change(
        filled,
        -1 if before is None else before.entries,
        lost,
        tuple(loss for reading in opened for loss in reading.losses.told),
    )
