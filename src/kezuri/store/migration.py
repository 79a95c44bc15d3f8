"""Stores that earlier versions made are brought to the tables of this one, in one transaction.

A process that is killed meanwhile leaves the tables as they were.
"""

import json

from kezuri.store.connection import Connection
from kezuri.store.schema import SCHEMA_OF_FACTS

_TO_VERSION_2 = """
DROP TABLE IF EXISTS detail;
CREATE TABLE build (
  number INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, asked TEXT NOT NULL, began REAL NOT NULL,
  repeated REAL NOT NULL, fingerprint TEXT NOT NULL, data BLOB NOT NULL
);
CREATE INDEX build_project ON build (project);
CREATE TABLE listing (digest TEXT PRIMARY KEY, kept REAL NOT NULL, data BLOB NOT NULL);
"""
"""Since version 2 there is a journal of builds, and what files a digest stands for is kept by the digest."""

_TO_VERSION_3 = """
DELETE FROM record WHERE layer NOT IN (SELECT layer FROM form WHERE encoder <> 'pulled');
DELETE FROM layer WHERE id NOT IN (SELECT layer FROM form WHERE encoder <> 'pulled');
CREATE TABLE kept AS SELECT id, diff_id, created, used FROM layer;
CREATE TABLE made AS SELECT layer, encoder, digest, size, media_type, diff_id, 1 FROM form WHERE encoder <> 'pulled';
DROP TABLE layer;
DROP TABLE form;
DELETE FROM memo WHERE key NOT LIKE '% %';
CREATE TABLE layer (
  id TEXT PRIMARY KEY, diff_id TEXT, created REAL NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX layer_diff ON layer (diff_id);
CREATE TABLE directory (
  layer TEXT NOT NULL, owners TEXT NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL, boot TEXT NOT NULL,
  PRIMARY KEY (layer, owners)
) WITHOUT ROWID;
CREATE TABLE form (
  layer TEXT NOT NULL, encoder TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, media_type TEXT NOT NULL,
  diff_id TEXT NOT NULL, verified INTEGER NOT NULL, PRIMARY KEY (layer, encoder)
) WITHOUT ROWID;
INSERT INTO layer SELECT * FROM kept;
INSERT INTO form SELECT * FROM made;
DROP TABLE kept;
DROP TABLE made;
"""
"""Since version 3 it is known under whose ids a directory was made and which blobs were compared with the diff id that
their image claims. Of what was there before nobody can tell: directories, claims and digests of what directories hold
are forgotten, blobs that kezuri packed stay."""

_TO_VERSION_4 = (
    """
DROP TABLE IF EXISTS image;
ALTER TABLE directory RENAME TO directory_before;
CREATE TABLE directory (
  layer TEXT NOT NULL, owners TEXT NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL, boot TEXT NOT NULL,
  epoch INTEGER, PRIMARY KEY (layer, owners)
) WITHOUT ROWID;
INSERT INTO directory SELECT layer, owners, name, bytes, boot,
  (SELECT CAST(value AS INTEGER) FROM memo WHERE key = 'directory dated ' || name AND value <> '')
  FROM directory_before;
DROP TABLE directory_before;
ALTER TABLE mount RENAME TO mount_before;
CREATE TABLE mount (
  id TEXT PRIMARY KEY, directory TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL, name TEXT NOT NULL,
  family TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO mount SELECT id, directory, created, used,
  coalesce((SELECT value FROM memo WHERE key = 'mount ' || id), ''),
  coalesce((SELECT value FROM memo WHERE key = 'mount of ' || id), '')
  FROM mount_before;
DROP TABLE mount_before;
"""
    + SCHEMA_OF_FACTS
)
"""Since version 4 each kind of small fact has a table, or a column beside what it is about. Before, all were texts in
the table `memo` whose keys began with words: see `_fact`."""


_UNPACKED = "CREATE TABLE unpacked (diff_id TEXT PRIMARY KEY, size INTEGER NOT NULL, used REAL NOT NULL) WITHOUT ROWID"
_SOURCE = (
    "CREATE TABLE source (digest TEXT NOT NULL, repository TEXT NOT NULL, used REAL NOT NULL, "
    "PRIMARY KEY (digest, repository)) WITHOUT ROWID"
)
"""Since version 5 it is kept how many bytes the files of a layer have. Since version 6 it is kept which
repositories have a blob. The step to version 4 makes the tables of all facts."""


def migrate(database: Connection, version: int) -> None:
    """Bring tables of an earlier version (1 to 5) to those of this one. To be called within a transaction."""
    if version >= 4:
        for made, statement in ((5, _UNPACKED), (6, _SOURCE)):
            if version < made:
                database.run(statement)
        return
    for number, script in ((2, _TO_VERSION_2), (3, _TO_VERSION_3), (4, _TO_VERSION_4)):
        if version < number:
            for statement in filter(str.strip, script.split(";")):
                database.run(statement)
    for key, value, used in database.rows("SELECT key, value, used FROM memo"):
        fact = _fact(str(key), str(value))
        if fact is not None:
            table, values = fact
            marks = ", ".join("?" for _ in values)
            database.run(f"INSERT OR REPLACE INTO {table} VALUES ({marks}, ?)", *values, used)
    database.run("DROP TABLE memo")


def _fact(key: str, value: str) -> tuple[str, tuple[str, ...]] | None:
    """The table for what a memo of version 3 says, and its columns but the time; None for what is in other tables
    already, and for what nobody can read."""
    kind, _, rest = key.partition(" ")
    if not rest:
        return "selection", (key, value)
    first, _, others = rest.partition(" ")
    match kind:
        case "image":
            return "image", (first, others, value)
        case "stand-in":
            return "stand_in", (first, others, value)
        case "encoder":
            return "encoder", (first, "" if others == "None" else others, value)
        case "owners":
            return ("misjudged", (rest.removesuffix("-"),)) if value else None
        case "mount" if first == "family":
            return "mount_family", (others, value)
        case "download":
            return _download(first, others, value)
    return None


def _download(kind: str, about: str, value: str) -> tuple[str, tuple[str, ...]] | None:
    try:
        known = json.loads(value)
        digest = str(known["digest"])
    except (ValueError, KeyError, TypeError):
        return None
    modified = str(known.get("modified") or "")
    if kind == "url":
        return "download", (about, digest, str(known.get("etag") or ""), modified)
    # The name of the file comes after its digest, and may have spaces.
    return "pinned", (about.partition(" ")[2], digest, modified)
