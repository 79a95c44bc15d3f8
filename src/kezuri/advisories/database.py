"""The database of advisories: one SQLite file, written aside and published by rename, and asked by names."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, Self, TypeVar
from urllib.parse import quote

from kezuri.advisories.rows import (
    ADVISORIES,
    AFFECTED,
    APPLICATION,
    DATA,
    SIGNALS,
    VERSION,
    finite,
    read_advisory,
    read_affected,
    read_data,
    statements,
)
from kezuri.advisories.values import Advisory, Affected, DataSet, Signal
from kezuri.diagnostics import KezuriError

_T = TypeVar("_T", str, int)
_AT_ONCE = 500
"""Names that one query asks for."""
_LONGEST = 64 << 20
"""Bytes of the longest value that is read; what an advisory says is far shorter."""
_HEADER = b"SQLite format 3\x00"


class Hit(NamedTuple):
    """What the database has about a name: the package as an advisory is about it, and the advisory's key."""

    key: int
    affected: Affected


class NoDatabase(KezuriError):
    """There is no database of advisories yet."""


class DamagedDatabase(KezuriError):
    """The file was a database of advisories, and can be read no longer: what is fetched anew may take its place."""


class Database:
    """A database that is open for reading; use it in a `with`. Opening reads nothing but its first page.

    The file is never changed in place, so that SQLite is told that it stays as it is: nothing is locked, and no
    file is made beside it. Who has it open while another one takes its name goes on with the old one. Threads may
    share one.
    """

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._places: dict[tuple[str, str], int] = {}

    @classmethod
    def open(cls, path: str) -> Self:
        """KezuriError where there is none (with what to do), where it is damaged, or made by a newer kezuri."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise NoDatabase.of(
                f"there is no database of advisories: {path}",
                hint="`kezuri db update` fetches one; without a network, `kezuri db import FILE|DIR` makes one of "
                "files that were brought along",
                exit_code=2,
            ) from None
        except OSError as error:
            raise _unreadable(error, path) from None
        try:
            _check(descriptor, path)
            address = f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode=ro&immutable=1"
            try:
                connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
            except sqlite3.Error as error:
                raise damaged(path, str(error)) from None
        finally:
            os.close(descriptor)
        opened = cls(connection, path)
        try:
            opened._check_schema()
        except KezuriError:
            connection.close()
            raise
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._connection.close()

    def data(self) -> Sequence[DataSet]:
        """What is in it."""
        covered: dict[object, list[tuple[str, str]]] = {}
        for number, ecosystem, release in self._rows("SELECT data, ecosystem, release FROM covered"):
            covered.setdefault(number, []).append((str(ecosystem), str(release)))
        try:
            return tuple(read_data(row, covered.get(row[0], ())) for row in self._rows(DATA))
        except (ValueError, TypeError):
            raise damaged(self._path, "the list of its data sets cannot be read") from None

    def served(self, name: str) -> tuple[str, str]:
        """ETag and Last-Modified of the file that a data set was fetched as, empty where its server said none."""
        for etag, modified in self._rows("SELECT etag, modified FROM data WHERE name = ?", name):
            return str(etag), str(modified)
        return "", ""

    def covers(self, ecosystem: str, release: str) -> bool:
        """Whether data about this ecosystem and release is there at all."""
        found = self._rows("SELECT 1 FROM covered WHERE ecosystem = ? AND release = ? LIMIT 1", ecosystem, release)
        return bool(found)

    def about(self, ecosystem: str, release: str, names: Iterable[str]) -> Iterator[tuple[str, Hit]]:
        """What it has about any of these names, as (name, hit). Withdrawn advisories are left out."""
        place = self._place(ecosystem, release)
        if place is None:
            return
        for some in _portions(names):
            for row in self._rows(AFFECTED % _marks(some), place, *some):
                try:
                    hit = Hit(int(row[1]), read_affected(ecosystem, release, row))  # type: ignore[call-overload]
                except (ValueError, KeyError, TypeError, IndexError, RecursionError):
                    raise damaged(self._path, f"what it has about {row[0]} cannot be read") from None
                yield hit.affected.name, hit

    def advisories(self, keys: Iterable[int]) -> Mapping[int, Advisory]:
        """The advisories of these keys."""
        found: dict[int, Advisory] = {}
        for some in _portions(keys):
            for row in self._rows(ADVISORIES % _marks(some), *some):
                try:
                    found[int(row[0])] = read_advisory(row)  # type: ignore[call-overload]
                except (ValueError, TypeError, RecursionError):
                    raise damaged(self._path, f"the advisory {row[1]} cannot be read") from None
            lost = [key for key in some if key not in found]
            if lost:
                raise damaged(self._path, f"{len(lost)} advisories that it speaks of are not in it")
        return found

    def signals(self, cves: Iterable[str]) -> Mapping[str, Signal]:
        """How urgent these are, as far as anything is known."""
        found: dict[str, Signal] = {}
        for some in _portions(cves):
            for cve, exploited, ransomware, chance in self._rows(SIGNALS % _marks(some), *some):
                try:
                    found[str(cve)] = Signal(str(cve), str(exploited), bool(ransomware), finite(chance))
                except ValueError:
                    raise damaged(self._path, f"how urgent {cve} is cannot be read") from None
        return found

    def verify(self) -> None:
        """Look at every page and every entry of it: DamagedDatabase for the first thing that is wrong."""
        for (said,) in self._rows("PRAGMA integrity_check(1)"):
            if said != "ok":
                raise damaged(self._path, str(said))
        counts: dict[str, int] = {}
        for table in ("advisory", "signal"):
            sql = f"SELECT name, count(*) FROM {table} JOIN data ON number = data GROUP BY name"
            for name, count in self._rows(sql):
                counts[str(name)] = counts.get(str(name), 0) + int(str(count))
        for data in self.data():
            if counts.get(data.name, 0) != data.entries:
                raise damaged(self._path, f"{data.name} has {counts.get(data.name, 0)} entries of {data.entries}")

    def _check_schema(self) -> None:
        """The tables are those that a kezuri makes: a view in the place of one could count for ever."""
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        found = self._rows("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
        if {" ".join(str(sql).split()) for (sql,) in found} != statements():
            raise damaged(self._path, "its tables are others")

    def _place(self, ecosystem: str, release: str) -> int | None:
        if not self._places:
            for number, own, version in self._rows("SELECT number, ecosystem, release FROM place"):
                self._places[str(own), str(version)] = int(str(number))
        return self._places.get((ecosystem, release))

    def _rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # SQLite quotes what it cannot read, which may be no text at all.
            raise damaged(self._path, str(error)) from None


def damaged(path: str, why: str) -> KezuriError:
    """The error for a file that cannot be believed."""
    return DamagedDatabase.of(
        f"the database of advisories {path} is damaged: {why}",
        hint="`kezuri db update` makes a new one of what it fetches; if it was filled by `kezuri db import`, remove "
        "the file and import again",
        exit_code=2,
    )


def _unreadable(error: OSError, path: str) -> KezuriError:
    return KezuriError.of(
        f"cannot read the database of advisories {path}: {error.strerror}",
        hint="--db or KEZURI_DB names another one",
        exit_code=2,
    )


def _check(descriptor: int, path: str) -> None:
    """KezuriError unless the header is that of a whole database of this kezuri's."""
    try:
        header = os.pread(descriptor, 100, 0)
        size = os.fstat(descriptor).st_size
    except OSError as error:
        raise _unreadable(error, path) from None
    application, version = int.from_bytes(header[68:72]), int.from_bytes(header[60:64])
    if not _HEADER.startswith(header[:16]) or (len(header) == 100 and application != APPLICATION):
        # Somebody's file: it is not written over, whatever is asked for.
        raise KezuriError.of(
            f"{path} is no database of advisories",
            hint="--db or KEZURI_DB names another file; if this was one, remove it",
            exit_code=2,
        )
    if len(header) < 100:
        raise damaged(path, "it is cut short")
    if version > VERSION:
        raise KezuriError.of(
            f"the database of advisories {path} is of a newer kezuri: its schema is {version}, not {VERSION}",
            hint="update kezuri, or name another database with --db",
            exit_code=2,
        )
    if version < VERSION:
        raise DamagedDatabase.of(
            f"the database of advisories {path} is of an older kezuri: its schema is {version}, not {VERSION}",
            hint="`kezuri db update` makes it anew",
            exit_code=2,
        )
    page = int.from_bytes(header[16:18])
    page = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32])
    if page * pages != size:
        raise damaged(path, f"it has {size} bytes, and says of itself that it has {page * pages}")


def _portions(values: Iterable[_T]) -> Iterator[list[_T]]:
    """The values, each once and no more at a time than one query takes; texts that no database can hold, which are no
    names of anything in it, are left out."""
    left = iter(dict.fromkeys(value for value in values if not isinstance(value, str) or _holdable(value)))
    while some := list(islice(left, _AT_ONCE)):
        yield some


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _holdable(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
