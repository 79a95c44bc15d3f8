"""The connection to a store's SQLite database: statements, transactions, and errors that say what to do.

SQLite in WAL mode without a sync at every commit: a killed process loses nothing; after a crash of the machine what
was not known to be on the disk is forgotten (see `boot` and docs/decisions/0006-durability.md).
"""

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import HINTS, disk_error

_PATIENCE = 60.0
"""Seconds to wait for another process that writes."""


class Connection:
    """One connection, guarded by a lock, shared by the threads of a process.

    A `frugal` one writes no file beside the database: it works on a disk that is full, for rows that go. While somebody
    else has the database open, who has those files already, it is like any other. A `fixed` one is of a file that
    cannot be written: it works on a copy in memory, which is forgotten.
    """

    def __init__(self, path: str, frugal: bool = False, fixed: bool = False) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._origin: sqlite3.Connection | None = None
        try:
            if fixed:
                from kezuri.store.fixed_copy import fixed_copy

                self._db = fixed_copy(path)
                return
            self._db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            if not (frugal and self._write_in_place()) and self._origin is None:
                self._write_ahead()
            self._db.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _write_ahead(self) -> None:
        """Two processes that open a new file at once can get in each other's way here, and SQLite does not wait."""
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > end:
                    raise
            time.sleep(0.01)

    def _write_in_place(self) -> bool:
        """Keep the journal in memory; whether that is possible now. Who looks first in exclusive mode needs no file to
        share memory through; leaving write-ahead mode moves what the log holds into the database."""
        self._db.execute("PRAGMA busy_timeout=0")
        kept = False
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            kept = self._db.execute("PRAGMA journal_mode=MEMORY").fetchone() == ("memory",)
        except sqlite3.OperationalError as error:
            kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if kind in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                self._work_on_a_copy()
                return False
            if kind != sqlite3.SQLITE_BUSY:
                raise
        if not kept:
            self._db.execute("PRAGMA locking_mode=NORMAL")
        self._db.execute(f"PRAGMA busy_timeout={int(_PATIENCE * 1000)}")
        return kept

    def _work_on_a_copy(self) -> None:
        """There is no room for what the log holds: go on in memory, and write that back at the end, when there is."""
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.backup(copy)
        self._origin, self._db = self._db, copy

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._origin is not None:
                try:
                    self._db.backup(self._origin)
                except sqlite3.Error as error:
                    raise self._explained(error) from error
                finally:
                    self._origin.close()
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within happens, or nothing. Nested ones join the outermost."""
        with self._lock:
            if self._depth == 0:
                self.run("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self.run("COMMIT")
            except BaseException:
                if self._depth == 1 and self._db.in_transaction:
                    self.run("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def row(self, sql: str, *values: object) -> tuple[object, ...] | None:
        """The first row of a query; None when there is none."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def run(self, sql: str, *values: object) -> int:
        """Run a statement; how many rows it changed. KezuriError when the disk is full or the file damaged."""
        with self._lock:
            try:
                return self._db.execute(sql, values).rowcount
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """The rows of a query. KezuriError as `run`."""
        with self._lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def _explained(self, error: sqlite3.Error) -> KezuriError:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), self._path)
        if isinstance(error, sqlite3.OperationalError) and _full(self._path):
            # SQLite calls it an I/O error.
            return disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), self._path)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR and _limited(self._path):
            return disk_error(OSError(errno.EFBIG, os.strerror(errno.EFBIG)), self._path)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            for path in (self._path, os.path.dirname(self._path)):
                if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
                    return disk_error(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), path)
        hint = "the cache can be rebuilt: move this file away; images and blobs stay"
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
            hint = f"{HINTS[errno.EIO]}\nIf it is this file alone: {hint}"
        return KezuriError.of(f"{self._path}: {error}", hint=hint, exit_code=125)


def _full(path: str) -> bool:
    """Whether the disk has less room than the files that SQLite shares memory through, or no file can be made."""
    try:
        status = os.statvfs(os.path.dirname(path))
    except OSError:
        return False
    few = status.f_files > 0 and status.f_favail < 3
    return few or (status.f_blocks > 0 and status.f_bavail * status.f_frsize < 64 << 10)


def _limited(path: str) -> bool:
    """Whether this process may not write files as large as the database, or the memory that SQLite shares."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    try:
        return most != resource.RLIM_INFINITY and most < max(os.stat(path).st_size + (1 << 20), 1 << 20)
    except OSError:
        return False
