"""What the store remembers beside the blobs: layers and their forms, results paid for, small facts worth keeping.

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
from kezuri.store.facts import Facts
from kezuri.store.schema import (
    SCHEMA,
    SCHEMA_OF_FACTS,
    SCHEMA_VERSION,
    DirectoryRow,
    FormRow,
    LayerRow,
    MountRow,
    RecordRow,
)

FRESH = 600.0
"""Seconds for which a noted use is recent enough: a build that finds everything in the cache then writes nothing."""

_PATIENCE = 60.0
"""Seconds to wait for another process that writes."""

_DIRECTORY = "layer, owners, name, bytes, epoch"


def boot_id() -> str:
    """A text that changes when the machine starts anew."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


class Database:
    """The store's memory. One connection, guarded by a lock, shared by the threads of a process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._depth = 0
        self.facts = Facts(self)
        try:
            self._db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            self._write_ahead()
            self._db.execute("PRAGMA synchronous=NORMAL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version < SCHEMA_VERSION:
                version = self._create()
            if version != SCHEMA_VERSION:
                raise KezuriError.of(
                    f"{path} was written by another version of kezuri (its schema is {version}, not {SCHEMA_VERSION})",
                    hint="use that version, or another store with --root",
                    exit_code=125,
                )
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

    def _create(self) -> int:
        """Make the tables, or bring those of an earlier version to this one's, all or nothing; the version that they
        have then, which is another one when a later kezuri came between."""
        with self.transaction():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version >= SCHEMA_VERSION:
                return int(version)
            if version == 0:
                for statement in filter(str.strip, (SCHEMA + SCHEMA_OF_FACTS).split(";")):
                    self.run(statement)
            else:
                from kezuri.store.migration import migrate

                migrate(self, version)
            self.run(f"PRAGMA user_version={SCHEMA_VERSION}")
            return SCHEMA_VERSION

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

    # layers

    def layer(self, layer: str) -> LayerRow | None:
        """The layer of this id."""
        row = self.row("SELECT id, coalesce(diff_id, ''), created, used FROM layer WHERE id = ?", layer)
        return None if row is None else LayerRow(*row)  # type: ignore[arg-type]

    def put_layer(self, layer: str, *, diff_id: str = "") -> None:
        """Make a layer known, or add to what is known of it."""
        now = time.time()
        self.run(
            "INSERT INTO layer (id, diff_id, created, used) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET diff_id = coalesce(excluded.diff_id, diff_id), used = excluded.used",
            layer,
            diff_id or None,
            now,
            now,
        )

    def drop_layer(self, layer: str) -> None:
        """Forget a layer, its forms and every record that gives it."""
        with self.transaction():
            self.run("DELETE FROM form WHERE layer = ?", layer)
            self.run("DELETE FROM directory WHERE layer = ?", layer)
            self.run("DELETE FROM record WHERE layer = ?", layer)
            self.run("DELETE FROM layer WHERE id = ?", layer)

    def layers(self) -> list[LayerRow]:
        """Every layer."""
        rows = self.rows("SELECT id, coalesce(diff_id, ''), created, used FROM layer")
        return [LayerRow(*row) for row in rows]  # type: ignore[arg-type]

    # directories

    def directory(self, layer: str, owners: str) -> DirectoryRow | None:
        """The layer's directory that was made under these owners."""
        sql = f"SELECT {_DIRECTORY} FROM directory WHERE layer = ? AND owners = ?"
        row = self.row(sql, layer, owners)
        return None if row is None else DirectoryRow(*row)  # type: ignore[arg-type]

    def put_directory(self, layer: str, owners: str, name: str, size: int, epoch: int | None = None) -> None:
        """Make a directory form known, with its layer. `size` is bytes, `epoch` the seconds that its times were cut off
        at."""
        with self.transaction():
            self.put_layer(layer)
            sql = "INSERT OR REPLACE INTO directory VALUES (?, ?, ?, ?, ?, ?)"
            self.run(sql, layer, owners, name, size, boot_id(), epoch)

    def directories(self, layer: str = "") -> list[DirectoryRow]:
        """Every directory of the layer, or of all layers, whoever made it."""
        sql = f"SELECT {_DIRECTORY} FROM directory"
        found = self.rows(sql + " WHERE layer = ?", layer) if layer else self.rows(sql)
        return [DirectoryRow(*row) for row in found]  # type: ignore[arg-type]

    def has_directories(self, owners: str) -> bool:
        """Whether some layer has a directory that was made under these owners."""
        return self.row("SELECT 1 FROM directory WHERE owners = ? LIMIT 1", owners) is not None

    def drop_directory(self, layer: str, name: str = "") -> None:
        """Forget a directory of the layer, by default all of them."""
        self.run("DELETE FROM directory WHERE layer = ? AND ? IN (name, '')", layer, name)

    def unsynced(self, boot: str) -> list[DirectoryRow]:
        """Directories that were written before the machine last started and never known to be on the disk."""
        rows = self.rows(f"SELECT {_DIRECTORY} FROM directory WHERE boot NOT IN ('', ?)", boot)
        return [DirectoryRow(*row) for row in rows]  # type: ignore[arg-type]

    def has_unsynced(self) -> bool:
        """Whether some directory may not be on the disk yet."""
        return self.row("SELECT 1 FROM directory WHERE boot <> '' LIMIT 1") is not None

    def mark_synced(self) -> None:
        """Every directory known so far is on the disk."""
        self.run("UPDATE directory SET boot = '' WHERE boot <> ''")

    # forms

    def form(self, layer: str, encoder: str) -> FormRow | None:
        """The blob that the encoder made of the layer."""
        row = self.row("SELECT * FROM form WHERE layer = ? AND encoder = ?", layer, encoder)
        return None if row is None else _form(row)

    def forms(self, layer: str = "") -> list[FormRow]:
        """Every blob of the layer, or of all layers."""
        sql = "SELECT * FROM form"
        found = self.rows(sql + " WHERE layer = ?", layer) if layer else self.rows(sql)
        return [_form(row) for row in found]

    def is_verified(self, digest: str, diff_id: str) -> bool:
        """Whether a blob's plain bytes were seen to have the diff id, whatever image or step it belongs to."""
        sql = "SELECT 1 FROM form WHERE digest = ? AND diff_id = ? AND verified LIMIT 1"
        return self.row(sql, digest, diff_id) is not None

    def put_form(self, form: FormRow) -> None:
        """Remember a blob form."""
        self.run("INSERT OR REPLACE INTO form VALUES (?, ?, ?, ?, ?, ?, ?)", *form)

    def drop_form(self, layer: str, encoder: str) -> None:
        """Forget a blob form."""
        self.run("DELETE FROM form WHERE layer = ? AND encoder = ?", layer, encoder)

    # records

    def record(self, key: str) -> RecordRow | None:
        """The result paid for under this key."""
        row = self.row("SELECT * FROM record WHERE key = ?", key)
        return None if row is None else RecordRow(*row)  # type: ignore[arg-type]

    def records(self) -> list[RecordRow]:
        """Every result paid for."""
        return [RecordRow(*row) for row in self.rows("SELECT * FROM record")]  # type: ignore[arg-type]

    def put_record(self, record: RecordRow) -> None:
        """Remember a result."""
        self.run("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *record)

    def drop_record(self, key: str, used: float) -> bool:
        """Forget a result unless it was used again since; whether it is gone."""
        with self.transaction():
            self.run("DELETE FROM record WHERE key = ? AND used = ?", key, used)
            return self.row("SELECT 1 FROM record WHERE key = ?", key) is None

    def touch(self, key: str, layer: str) -> bool:
        """Note that a record and its layer were used just now; whether both are still there."""
        now = time.time()
        with self.transaction():
            there = self.run("UPDATE record SET used = ?, uses = uses + 1 WHERE key = ?", now, key) == 1
            return there and self.touch_layer(layer)

    def touch_layer(self, layer: str) -> bool:
        """Note that a layer was used just now; whether it is still there."""
        return self.run("UPDATE layer SET used = ? WHERE id = ?", time.time(), layer) == 1

    # cache mounts

    def mount(self, mount: str) -> str | None:
        """The directory of a cache mount, by its id."""
        row = self.row("SELECT directory FROM mount WHERE id = ?", mount)
        if row is None:
            return None
        self.run("UPDATE mount SET used = ? WHERE id = ?", time.time(), mount)
        return str(row[0])

    def put_mount(self, mount: str, directory: str, name: str = "", family: str = "") -> None:
        """Make a cache mount known; see MountRow."""
        now = time.time()
        self.run(
            "INSERT INTO mount VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, family = excluded.family",
            *(mount, directory, now, now, name, family),
        )

    def mounts(self) -> list[MountRow]:
        """Every cache mount."""
        rows = self.rows("SELECT id, directory, used, name, family FROM mount")
        return [MountRow(*row) for row in rows]  # type: ignore[arg-type]

    def find_mount(self, mount: str) -> MountRow | None:
        """The cache mount of this id, without noting a use."""
        row = self.row("SELECT id, directory, used, name, family FROM mount WHERE id = ?", mount)
        return None if row is None else MountRow(*row)  # type: ignore[arg-type]

    def forget_mount(self, mount: str) -> None:
        """Forget a cache mount, used or not."""
        self.run("DELETE FROM mount WHERE id = ?", mount)

    def drop_mount(self, mount: str, used: float) -> bool:
        """Forget a cache mount unless it was used again since; whether it is gone."""
        with self.transaction():
            self.run("DELETE FROM mount WHERE id = ? AND used = ?", mount, used)
            return self.row("SELECT 1 FROM mount WHERE id = ?", mount) is None


def _form(row: tuple[object, ...]) -> FormRow:
    layer, encoder, digest, size, media_type, diff_id, verified = row
    return FormRow(str(layer), str(encoder), str(digest), int(str(size)), str(media_type), str(diff_id), verified == 1)


def _full(path: str) -> bool:
    """Whether the disk has less room than the files that SQLite shares memory through."""
    try:
        status = os.statvfs(os.path.dirname(path))
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < 64 << 10
