"""What the store remembers beside the blobs: layers and their forms, results paid for, cache mounts, small facts."""

import time

from kezuri.diagnostics import KezuriError
from kezuri.store.connection import Connection
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

_DIRECTORY = "layer, owners, name, bytes, epoch"


def boot_id() -> str:
    """A text that changes when the machine starts anew."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


class Database(Connection):
    """The store's memory."""

    def __init__(self, path: str, frugal: bool = False, fixed: bool = False) -> None:
        super().__init__(path, frugal, fixed)
        self.facts = Facts(self)
        version = self._version()
        if version < SCHEMA_VERSION:
            version = self._create()
        if version != SCHEMA_VERSION:
            raise KezuriError.of(
                f"{path} was written by another version of kezuri (its schema is {version}, not {SCHEMA_VERSION})",
                hint="use that version, or another store with --root",
                exit_code=125,
            )

    def _version(self) -> int:
        row = self.row("PRAGMA user_version")
        assert row is not None
        return int(row[0])  # type: ignore[call-overload, no-any-return]

    def _create(self) -> int:
        """Make the tables, or bring those of an earlier version to this one's, all or nothing; the version that they
        have then, which is another one when a later kezuri came between."""
        with self.transaction():
            version = self._version()
            if version >= SCHEMA_VERSION:
                return version
            if version == 0:
                for statement in filter(str.strip, (SCHEMA + SCHEMA_OF_FACTS).split(";")):
                    self.run(statement)
            else:
                from kezuri.store.migration import migrate

                migrate(self, version)
            self.run(f"PRAGMA user_version={SCHEMA_VERSION}")
            return SCHEMA_VERSION

    # layers

    def layer(self, layer: str) -> LayerRow | None:
        """The layer of this id."""
        row = self.row("SELECT id, coalesce(diff_id, ''), created, used FROM layer WHERE id = ?", layer)
        return None if row is None else LayerRow(*row)  # type: ignore[arg-type]

    def put_layer(self, layer: str, *, diff_id: str = "", created: float = 0.0) -> None:
        """Make a layer known, or add to what is known of it. `created` is when a new one was made (seconds since the
        epoch), 0 for now."""
        now = time.time()
        self.run(
            "INSERT INTO layer (id, diff_id, created, used) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET diff_id = coalesce(excluded.diff_id, diff_id), used = excluded.used",
            layer,
            diff_id or None,
            created or now,
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
