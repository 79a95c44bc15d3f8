"""A new database of advisories: written aside, with what is kept of the one before, and published by rename."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote

from kezuri.advisories.database import Database, damaged
from kezuri.advisories.rows import (
    APPLICATION,
    INDEX,
    TABLES,
    TAKEN_OVER,
    VERSION,
    advisory_row,
    affected_row,
    signal_row,
    text,
)
from kezuri.advisories.values import Advisory, DataSet, Entry, Signal
from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import disk_error

_AT_ONCE = 4096
"""Rows that are handed to SQLite together."""
_FAST = (
    "PRAGMA page_size=8192", "PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA cache_size=-32768", "PRAGMA temp_store=FILE", f"PRAGMA application_id={APPLICATION}",
    f"PRAGMA user_version={VERSION}",
)  # fmt: skip
"""Nobody else sees the file before it is whole, and it is written to the disk before it gets its name."""
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG)
"""What SQLite says of a file whose pages are others than were written, or have rows that no database takes."""


class Served(NamedTuple):
    """What the server of a data set said of its file: ETag and Last-Modified as they were, empty where it says nothing,
    and the SHA-256 of the bytes in hexadecimal."""

    etag: str = ""
    modified: str = ""
    digest: str = ""


UNSERVED = Served()
"""What is known of a file that no server gave."""


class Filled(NamedTuple):
    """A data set as it is written down, and how many packages its advisories are about that it is to tell of."""

    data: DataSet
    packages: int


class NewDatabase:
    """A database that is being written; use it in a `with`. Without `publish` nothing remains of it, and the old one
    is as it was. `keep` before `fill`. KezuriError for a disk that does not take it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._aside = f"{path}.{os.urandom(6).hex()}.part"
        self._key = self._number = 0
        self._places: dict[tuple[str, str], int] = {}

    def __enter__(self) -> Self:
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self._path)), exist_ok=True)
            os.close(os.open(self._aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644))
        except OSError as error:
            raise unwritten(error, self._path) from error
        self._connection = sqlite3.connect(self._aside, isolation_level=None, check_same_thread=False)
        try:
            for statement in _FAST:
                self._connection.execute(statement)
            self._connection.execute("BEGIN")
            for statement in filter(str.strip, TABLES.split(";")):
                self._connection.execute(statement)
        except sqlite3.Error as error:
            self._discard()
            raise self._explained(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._discard()

    def keep(self, old: str, without: Iterable[str] = ()) -> tuple[str, ...]:
        """Take over what the database at `old` has, but for these data sets; the names of what was taken over.
        DamagedDatabase where it cannot be read to its end."""
        with Database.open(old):
            pass
        left_out = set(without)
        attached = f"file:{quote(os.fsencode(os.path.abspath(old)))}?mode=ro&immutable=1"
        try:
            # Within a transaction nothing can be attached.
            self._connection.execute("COMMIT")
            self._connection.execute("ATTACH ? AS old", (attached,))
            self._connection.execute("BEGIN")
        except sqlite3.Error as error:
            raise damaged(old, str(error)) from error
        try:
            sets = self._connection.execute("SELECT number, name FROM old.data").fetchall()
            kept = {int(number): str(name) for number, name in sets if name not in left_out}
            self._take_over(kept)
            if self._incomplete():
                raise damaged(old, "it has not all the entries that it says it has")
            self._connection.execute("COMMIT")
            self._connection.execute("DETACH old")
            self._connection.execute("BEGIN")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
                raise damaged(old, str(error)) from error
            raise self._explained(error) from error
        return tuple(kept.values())

    def _take_over(self, numbers: Iterable[int]) -> None:
        """The rows of these data sets, with numbers and keys after those that are here already."""
        run = self._connection.execute
        run("CREATE TEMP TABLE kept (number INTEGER PRIMARY KEY)")
        self._connection.executemany("INSERT INTO kept VALUES (?)", ((number,) for number in numbers))
        run("CREATE TEMP TABLE there (old INTEGER PRIMARY KEY, new INTEGER NOT NULL)")
        for number, ecosystem, release in run("SELECT number, ecosystem, release FROM old.place").fetchall():
            run("INSERT INTO there VALUES (?, ?)", (number, self._place((ecosystem, release))))
        for statement in filter(str.strip, TAKEN_OVER.split(";")):
            run(statement, {"number": self._number, "key": self._key})
        run("DROP TABLE there")
        run("DROP TABLE kept")
        self._key = self._one("SELECT coalesce(max(key), 0) FROM advisory")
        self._number = self._one("SELECT coalesce(max(number), 0) FROM data")

    def _incomplete(self) -> bool:
        """Whether a data set has other than so many rows as is written of it."""
        there: dict[int, int] = {}
        for table in ("advisory", "signal"):
            for number, count in self._connection.execute(f"SELECT data, count(*) FROM {table} GROUP BY data"):
                there[number] = there.get(number, 0) + count
        said = self._connection.execute("SELECT number, entries FROM data").fetchall()
        return any(there.get(number, 0) != entries for number, entries in said)

    def fill(
        self,
        data: DataSet,
        entries: Iterable[Entry | Signal],
        served: Served = UNSERVED,
        after: Callable[[DataSet], DataSet] = lambda data: data,
    ) -> Filled:
        """Put a data set into it, and give it as it is written down: how many entries there are is counted here,
        whatever `data` says of it; entries of one id are one, of which that is told that says how severe the fault
        is. Where `data` names its ecosystems, packages of others are left out, for somebody else's data tells of them;
        else those are noted that occur. `after` says what is known when the last entry was read. A date that is not
        known then is that of the entry that was changed last, but for those that were changed in the future; it stays
        unknown where most entries do not say when they were changed."""
        self._number += 1
        number, count, packages, latest, dated = self._number, 0, 0, "", 0
        declared = set(data.ecosystems)
        whole = {ecosystem for ecosystem, release in declared if not release}
        covered = set(declared)
        # The key of each id, below 0 where nothing says yet how severe it is.
        known: dict[str, int] = {}
        advisories: list[tuple[object, ...]] = []
        affected: list[tuple[object, ...]] = []
        signals: list[tuple[object, ...]] = []
        try:
            for entry in entries:
                if isinstance(entry, Signal):
                    count += entry.cve not in known
                    known[entry.cve] = 0
                    signals.append(signal_row(number, entry))
                    if len(signals) >= _AT_ONCE:
                        self._put(advisories, affected, signals)
                    continue
                said = entry.advisory
                key = known.get(said.id, 0)
                if not key:
                    self._key += 1
                    count += 1
                    key = self._key
                    known[said.id] = key if _is_rated(said) else -key
                    advisories.append(advisory_row(key, number, said))
                    dated += bool(said.modified)
                elif key < 0:
                    key = -key
                    if _is_rated(said):
                        # A notice (DSA, USN) came before the entry that says how severe the fault is.
                        known[said.id] = key
                        advisories.append(advisory_row(key, number, said))
                if latest < said.modified and (not data.fetched or said.modified <= data.fetched):
                    latest = said.modified
                for one in entry.affected:
                    pair = (one.ecosystem, one.release)
                    if declared and pair not in declared and one.ecosystem not in whole:
                        continue
                    covered.add(pair)
                    packages += 1
                    if not said.withdrawn:
                        affected.append(affected_row(self._place(pair), key, one))
                if len(advisories) + len(affected) >= _AT_ONCE:
                    self._put(advisories, affected, signals)
            self._put(advisories, affected, signals)
            data = after(data)
            if not declared:
                covered.update(data.ecosystems)
            data = data._replace(
                date=data.date or (latest if 2 * dated >= count else ""),
                entries=count,
                ecosystems=tuple(sorted((text(a), text(b)) for a, b in covered)),
            )
            self._connection.executemany(
                "INSERT INTO covered VALUES (?, ?, ?)", ((number, *pair) for pair in data.ecosystems)
            )
            self._connection.execute(
                "INSERT INTO data VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number, *map(text, data[:4]), text(data.checked), count, text(data.licence), *map(text, served)),
            )
        except sqlite3.Error as error:
            raise self._explained(error) from error
        return Filled(data, packages)

    def checked(self, name: str, when: str) -> None:
        """The server of a data set that was kept said at this time that it has nothing newer."""
        try:
            self._connection.execute("UPDATE data SET checked = ? WHERE name = ?", (when, name))
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def publish(self) -> None:
        """Write it to the disk, look at it once more, and give it its name."""
        try:
            self._connection.execute(INDEX)
            self._connection.execute("COMMIT")
            self._connection.close()
            with Database.open(self._aside):
                pass
            for path in (self._aside, os.path.dirname(os.path.abspath(self._path))):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                if path == self._aside:
                    os.rename(self._aside, self._path)
        except sqlite3.Error as error:
            raise self._explained(error) from error
        except OSError as error:
            raise unwritten(error, self._path) from error

    def _put(
        self,
        advisories: list[tuple[object, ...]],
        affected: list[tuple[object, ...]],
        signals: list[tuple[object, ...]],
    ) -> None:
        for table, rows in (("advisory", advisories), ("affected", affected)):
            if rows:
                marks = ",".join("?" * len(rows[0]))
                self._connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)
                rows.clear()
        # Of a CVE that is there twice the more urgent word counts.
        self._connection.executemany(
            "INSERT INTO signal VALUES (?, ?, ?, ?, ?) ON CONFLICT (cve, data) DO UPDATE SET "
            "exploited = max(exploited, excluded.exploited), ransomware = max(ransomware, excluded.ransomware), "
            "chance = max(chance, excluded.chance)",
            signals,
        )
        signals.clear()

    def _place(self, pair: tuple[str, str]) -> int:
        number = self._places.get(pair)
        if number is None:
            number = self._places[pair] = len(self._places) + 1
            self._connection.execute("INSERT INTO place VALUES (?, ?, ?)", (number, text(pair[0]), text(pair[1])))
        return number

    def _one(self, sql: str) -> int:
        return int(self._connection.execute(sql).fetchone()[0])

    def _discard(self) -> None:
        self._connection.close()
        with suppress(FileNotFoundError):
            os.unlink(self._aside)

    def _explained(self, error: sqlite3.Error) -> KezuriError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        number = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO}.get(code, 0)
        if code == sqlite3.SQLITE_IOERR:
            number = _why(self._path)
        if number:
            return unwritten(OSError(number, os.strerror(number)), self._path)
        return KezuriError.of(f"cannot write {self._path}: {error}", exit_code=125)


def _is_rated(said: Advisory) -> bool:
    return said.severity != "unknown" or said.score > 0


def write(path: str, *entries: Entry | Signal, fetched: str = "") -> None:
    """A database of nothing but these: each advisory in the data set that it names, signals in `kev` where they are
    exploited and in `epss` where not."""
    sets: dict[str, list[Entry | Signal]] = {}
    for entry in entries:
        name = entry.advisory.data if isinstance(entry, Entry) else "kev" if entry.exploited else "epss"
        sets.setdefault(name, []).append(entry)
    with NewDatabase(path) as new:
        for name, own in sets.items():
            new.fill(DataSet(name, "", fetched, fetched, len(own)), own)
        new.publish()


def unwritten(error: OSError, path: str) -> KezuriError:
    """What to tell somebody whose disk did not take a file of the database, or of what is fetched for it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KezuriError.of(
            f"no space left on the device while writing {path}",
            hint="the old database is as it was; --db FILE puts it on another disk",
            exit_code=125,
        )
    return disk_error(error, path)


def _why(path: str) -> int:
    """The errno that SQLite calls an I/O error: a limit on files, else that of a failing disk."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if most != resource.RLIM_INFINITY:
        return errno.EFBIG
    status = os.statvfs(os.path.dirname(os.path.abspath(path)))
    return errno.ENOSPC if status.f_bavail * status.f_frsize < 1 << 20 else errno.EIO
