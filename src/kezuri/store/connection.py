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
from kezuri.linux.disk import disk_error

_PATIENCE = 60.0
"""Seconds to wait for another process that writes."""


class Connection:
    """One connection, guarded by a lock, shared by the threads of a process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._depth = 0
        try:
            self._db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
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

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
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
            # SQLite calls it an I/O error; and without a little space not even `prune` can work.
            return KezuriError.of(
                f"no space left on the device while opening {self._path}",
                hint="make a little room on that disk, then `kezuri prune` makes more; `--root DIR` is another store",
                exit_code=125,
            )
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            for path in (self._path, os.path.dirname(self._path)):
                if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
                    return disk_error(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), path)
        return KezuriError.of(
            f"{self._path}: {error}",
            hint="the cache can be rebuilt: move this file away; images and blobs stay",
            exit_code=125,
        )


def _full(path: str) -> bool:
    """Whether the disk has less room than the files that SQLite shares memory through."""
    try:
        status = os.statvfs(os.path.dirname(path))
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < 64 << 10
