"""The database of advisories: opened, filled from files that were brought along, and what is in it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from kezuri.app.request import Settings
from kezuri.diagnostics import Diagnostic, KezuriError, nearest
from kezuri.progress.events import Listener, WorkName, warning
from kezuri.progress.reporter import Reporter

if TYPE_CHECKING:
    from kezuri.advisories.database import Database
    from kezuri.advisories.reading import Reading
    from kezuri.advisories.values import DataSet
    from kezuri.app.advisory_writing import Brought, Change, Rewritten


class Status(NamedTuple):
    """What the database has: its path, its size in bytes, its data sets, and what has to be said of their age."""

    path: str
    size: int
    data: "Sequence[DataSet]"
    remarks: tuple[Diagnostic, ...]


@contextmanager
def opened_database(settings: Settings) -> "Iterator[Database]":
    """The database of `settings.db`. KezuriError, with what to do, where there is none or it cannot be used."""
    from kezuri.advisories.database import Database

    with Database.open(database_path(settings)) as database:
        yield database


def database_path(settings: Settings) -> str:
    """Where the database is, behind all links. KezuriError where that is not known, or where something is that is no
    file: it would be renamed away."""
    if not settings.db:
        raise KezuriError.of(
            "it is not known where the database of advisories is: HOME is not set",
            hint="name it with --db or KEZURI_DB",
            exit_code=2,
        )
    path = os.path.realpath(settings.db)
    if os.path.exists(path) and not os.path.isfile(path):
        raise KezuriError.of(
            f"the database of advisories cannot be {settings.db}: that is no file",
            hint="--db or KEZURI_DB names another one",
            exit_code=2,
        )
    return path


def age_remarks(settings: Settings, data: "Sequence[DataSet]", now: float) -> tuple[Diagnostic, ...]:
    """What has to be said of the age of data, by the settings' limit. `now` is in seconds since the epoch."""
    from kezuri.advisories.age import remarks

    return remarks(data, now, settings.db_age)


def status(settings: Settings, now: float, thorough: bool = False) -> Status:
    """What the database has. With `thorough` every page of it is looked at. KezuriError as for `opened_database`."""
    with opened_database(settings) as database:
        if thorough:
            database.verify()
        data = database.data()
        return Status(settings.db, os.stat(settings.db).st_size, data, age_remarks(settings, data, now))


def import_data(
    settings: Settings,
    paths: Sequence[str],
    listener: Listener,
) -> "Rewritten":
    """Put what files and directories hold into the database, each data set in place of the one of its name: advisories
    in any form that is known, or the database of another kezuri. KezuriError for a path that holds none, or that cannot
    be read to its end: then the database is as it was."""
    from kezuri.app.advisory_writing import Rewritten, alone, rewrite

    path, reporter = database_path(settings), Reporter(listener)

    def step(name: str) -> AbstractContextManager[object]:
        return reporter.step(WorkName(name))

    with alone(path, waiting(path, listener)):
        whole = [given for given in paths if _is_database(given)]
        with step("recognise"):
            brought = _recognised([given for given in paths if given not in whole])
        changes: list[Change] = []
        for given in whole:
            with step(f"read {given}"):
                changes += _merge(path, given)
        rewritten = rewrite(path, brought, step=step) if brought else Rewritten((), {})
        return Rewritten((*changes, *rewritten.changes), rewritten.failed)


def waiting(path: str, listener: Listener) -> Callable[[], None]:
    """Tells the listener that somebody else writes the database."""
    return lambda: warning(listener)(f"another kezuri writes {path}: waiting until it is done")


def remove(settings: Settings, names: Sequence[str], listener: Listener) -> tuple[str, ...]:
    """Take data sets out of the database; a name is also for all that begin with it and a slash. The names of what is
    gone. KezuriError for a name that it does not have."""
    from kezuri.advisories.writing import NewDatabase
    from kezuri.app.advisory_writing import alone, present

    path = database_path(settings)
    with alone(path, waiting(path, listener)):
        there = [data.name for data in present(path) or ()]
        gone: dict[str, None] = {}
        for name in names:
            own = [one for one in there if belongs(one, name)]
            if not own:
                raise unknown(name, there)
            gone.update(dict.fromkeys(own))
        with NewDatabase(path) as new:
            new.keep(path, gone)
            new.publish()
        return tuple(gone)


def belongs(name: str, asked: str) -> bool:
    """Whether a data set is one of those that somebody asks for: `alpine` are all of Alpine, `alpine/v3.20` both
    repositories of that release."""
    return name == asked or name.startswith(asked.removesuffix("/") + "/")


def unknown(name: str, names: Sequence[str]) -> KezuriError:
    """The error for a name that is none of the data sets there are."""
    guess = nearest(name, names)
    return KezuriError.of(
        f"there is no data set {name}",
        hint=f"did you mean {guess}?"
        if guess
        else "`kezuri db status` lists what is there, `kezuri db origins` what there is",
        exit_code=2,
    )


def _recognised(paths: Sequence[str]) -> "list[Brought]":
    """What the paths hold, by the names of the data sets: several files may be parts of one."""
    from kezuri.advisories.recognise import recognised
    from kezuri.advisories.values import DataSet
    from kezuri.app.advisory_writing import Brought

    found: dict[str, list[tuple[str, int, Reading]]] = {}
    for path in paths:
        for number, reading in enumerate(recognised(path)):
            found.setdefault(reading.name, []).append((path, number, reading))
    brought = []
    for name, parts in found.items():
        address = ", ".join(dict.fromkeys(os.path.abspath(reading.address) for _, _, reading in parts))
        ecosystem = name.removeprefix("osv/") if name.startswith("osv/") else ""
        data = DataSet(name, address, "", "", 0, ecosystems=((ecosystem, ""),) if ecosystem else ())
        readings = tuple(_Again(path, number, reading) for path, number, reading in parts)
        brought.append(Brought(data, readings, trusted=True))
    return brought


class _Again:
    """Opens a reading: the one that is there the first time, and the same data anew after that."""

    def __init__(self, path: str, number: int, reading: "Reading") -> None:
        self._path = path
        self._number = number
        self._reading: Reading | None = reading

    def __call__(self) -> "Reading":
        from kezuri.advisories.recognise import recognised

        reading, self._reading = self._reading, None
        return reading or recognised(self._path)[self._number]


def _is_database(path: str) -> bool:
    from kezuri.advisories.pieces import opened

    try:
        with opened(path) as file:
            return file.read(16) == b"SQLite format 3\x00"
    except (OSError, KezuriError):
        return False


def _merge(path: str, other: str) -> "Iterator[Change]":
    """Take everything over that another database has."""
    from kezuri.advisories.database import Database
    from kezuri.advisories.writing import NewDatabase
    from kezuri.app.advisory_writing import Change, present

    before = {data.name: data.entries for data in present(path) or ()}
    with Database.open(other) as database:
        data = database.data()
    with NewDatabase(path) as new:
        if before:
            new.keep(path, [one.name for one in data])
        new.keep(other)
        new.publish()
    for one in data:
        yield Change(one, before.get(one.name, -1), 0, ())
