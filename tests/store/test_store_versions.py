"""Stores that earlier versions made go on: what can be relied upon stays, the rest is made again."""

import sqlite3
from pathlib import Path

import pytest

from kezuri.oci.descriptor import LAYER
from kezuri.store.schema import FormRow
from kezuri.store.store import Store
from kezuri.upkeep.collection import Collection

VERSION_1 = """
CREATE TABLE layer (
  id TEXT PRIMARY KEY, diff_id TEXT, directory TEXT, bytes INTEGER NOT NULL DEFAULT 0,
  created REAL NOT NULL, used REAL NOT NULL, boot TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX layer_diff ON layer (diff_id);
CREATE TABLE form (
  layer TEXT NOT NULL, encoder TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, media_type TEXT NOT NULL,
  diff_id TEXT NOT NULL, PRIMARY KEY (layer, encoder)
) WITHOUT ROWID;
CREATE TABLE record (
  key TEXT PRIMARY KEY, state TEXT NOT NULL, layer TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL,
  components TEXT NOT NULL, seconds REAL NOT NULL, created REAL NOT NULL, used REAL NOT NULL, uses INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE memo (key TEXT PRIMARY KEY, value TEXT NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE image (digest TEXT PRIMARY KEY, created REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE mount (id TEXT PRIMARY KEY, directory TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL)
  WITHOUT ROWID;
CREATE TABLE detail (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
PRAGMA user_version=1;
"""
TO_VERSION_2 = """
DROP TABLE detail;
CREATE TABLE build (
  number INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, asked TEXT NOT NULL, began REAL NOT NULL,
  repeated REAL NOT NULL, fingerprint TEXT NOT NULL, data BLOB NOT NULL
);
CREATE INDEX build_project ON build (project);
CREATE TABLE listing (digest TEXT PRIMARY KEY, kept REAL NOT NULL, data BLOB NOT NULL);
PRAGMA user_version=2;
"""
DIGEST = "sha256:" + "d" * 64
CONTENT = """
INSERT INTO layer VALUES ('run-only', NULL, 'only', 1, 1, 1, '');
INSERT INTO layer VALUES ('run-packed', 'sha256:1', 'packed', 1, 1, 1, '');
INSERT INTO layer VALUES ('sha256:2', 'sha256:2', 'pulled', 1, 1, 1, '');
INSERT INTO form VALUES ('run-packed', 'gzip', 'BLOB', 2, 'application/vnd.oci.image.layer.v1.tar', 'sha256:1');
INSERT INTO form VALUES ('sha256:2', 'pulled', 'sha256:c', 3, 'application/vnd.oci.image.layer.v1.tar', 'sha256:2');
INSERT INTO record VALUES ('k1', 's', 'run-only', 'RUN', 't', '[]', 1, 1, 1, 1);
INSERT INTO record VALUES ('k2', 's', 'run-packed', 'RUN', 't', '[]', 1, 1, 1, 1);
INSERT INTO memo VALUES ('image x linux/amd64', 'DIGEST', 1);
INSERT INTO memo VALUES ('0123', 'the digest of a selection', 1);
"""


@pytest.mark.parametrize("script", [VERSION_1, VERSION_1 + TO_VERSION_2])
def test_directories_and_claims_of_unknown_origin_are_forgotten_and_packed_layers_stay(
    tmp_path: Path, script: str
) -> None:
    with Store(str(tmp_path)) as store:
        for name in ("only", "packed", "pulled"):
            Path(store.layer_directory(name)).mkdir()
    (tmp_path / "kezuri.db").unlink()
    with sqlite3.connect(tmp_path / "kezuri.db") as old:
        old.executescript((script + CONTENT).replace("DIGEST", DIGEST).replace("BLOB'", f"sha256:{'b' * 64}'"))
    old.close()
    for _ in range(2):
        with Store(str(tmp_path)) as store:
            database = store.database
            assert [row.id for row in database.layers()] == ["run-packed"] and database.directories() == []
            assert database.forms() == [FormRow("run-packed", "gzip", "sha256:" + "b" * 64, 2, LAYER, "sha256:1", True)]
            assert database.record("k1") is None and database.record("k2") is not None
            assert database.memo("image x linux/amd64") == DIGEST and database.memo("0123") is None
            assert database.builds() == [] and database.listings() == []
            names = {str(row[0]) for row in database.rows("SELECT name FROM sqlite_master")}
            assert not names & {"detail", "kept", "made"}
    with Store(str(tmp_path)) as store:
        gone = {g.name for g in Collection(store).collect(everything=False, before=None, keep_bytes=None)}
        assert gone == {"only", "packed", "pulled"}
