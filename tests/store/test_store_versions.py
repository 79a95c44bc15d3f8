"""Stores that earlier versions made go on: what can be relied upon stays, the rest is made again."""

import base64
import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from tests.build.build_workshop import Workshop

from kezuri.cache.file_lists import FileLists
from kezuri.cache.journal import Journal
from kezuri.diagnostics import KezuriError
from kezuri.linux.ownership import Privilege
from kezuri.oci.descriptor import LAYER
from kezuri.store import database as database_module
from kezuri.store import migration
from kezuri.store.facts import Download
from kezuri.store.schema import DirectoryRow, FormRow, MountRow
from kezuri.store.store import Store
from kezuri.upkeep.collector import Collector, Limits

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
            assert database.facts.image("x", "linux/amd64") == DIGEST and database.facts.selection("0123") == ""
            assert Journal(database).headings() == () and FileLists(database).sizes() == []
            names = {str(row[0]) for row in database.rows("SELECT name FROM sqlite_master")}
            assert not names & {"detail", "kept", "made"}
    with Store(str(tmp_path)) as store:
        gone = {g.name for g in Collector(store, Privilege()).collect(Limits())}
        assert gone == {"only", "packed", "pulled"}


RECORDED = Path(__file__).parent / "version3"
"""A store of version 3, as commit 8c61cf4 made it of the Dockerfile and the files in `context`: without directories,
which are of the ids of one machine, and without its journal."""

FACTS = """
INSERT INTO directory VALUES ('run-1', 'o', 'run-1', 5, '');
INSERT INTO directory VALUES ('run-2', 'o', 'run-2', 6, 'this boot');
INSERT INTO directory VALUES ('run-3', 'o', 'run-3', 7, '');
INSERT INTO mount VALUES ('m1', 'd1', 1, 2);
INSERT INTO mount VALUES ('m2', 'd2', 3, 4);
INSERT INTO memo VALUES ('directory dated run-1', '1000', 1);
INSERT INTO memo VALUES ('directory dated run-3', '', 1);
INSERT INTO memo VALUES ('image docker.io/library/x:1 linux/arm/v7', 'sha256:i', 1);
INSERT INTO memo VALUES ('stand-in docker.io/library/x:1 linux/amd64', 'sha256:s', 1);
INSERT INTO memo VALUES ('encoder zstd 3', 'zstd/1/3', 1);
INSERT INTO memo VALUES ('download url aa', '{"digest": "sha256:d", "etag": "e", "modified": "then"}', 5);
INSERT INTO memo VALUES ('download file sha256:d a name.tar', '{"digest": "sha256:d", "modified": "then"}', 1);
INSERT INTO memo VALUES ('download url bb', 'no JSON', 1);
INSERT INTO memo VALUES ('download url cc', '[]', 1);
INSERT INTO memo VALUES ('owners 0123-', 'not granted', 1);
INSERT INTO memo VALUES ('owners 4567-', '', 1);
INSERT INTO memo VALUES ('mount m1', 'npm', 1);
INSERT INTO memo VALUES ('mount of m1', 'f1', 1);
INSERT INTO memo VALUES ('mount family f1', 'g1', 1);
"""


def version_3(root: Path, more: str = "") -> None:
    """Put the recorded store in place."""
    with Store(str(root)):
        pass
    for name in ("kezuri.db", "kezuri.db-wal", "kezuri.db-shm"):
        (root / name).unlink(missing_ok=True)
    layout = json.loads((RECORDED / "layout.json").read_text())
    (root / "index.json").write_text(json.dumps(layout["index.json"]))
    for name, data in layout["blobs"].items():
        (root / "blobs" / "sha256" / name).write_bytes(base64.b64decode(data))
    with sqlite3.connect(root / "kezuri.db") as old:
        old.executescript((RECORDED / "kezuri.sql").read_text() + more)
    old.close()


def tables(root: Path) -> set[str]:
    """The columns of all tables."""
    with sqlite3.connect(root / "kezuri.db") as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        found = {f"{name} {column[1:]}" for name in names for column in database.execute(f"PRAGMA table_info({name})")}
    database.close()
    return found


def test_a_store_of_version_3_hits_every_step(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    version_3(shop.root)
    for name in ("a", "b"):
        shop.write(**{name: (RECORDED / "context" / name).read_text()})
        (shop.context / name).chmod(0o644)
    with Store(str(shop.root)) as store:
        before = store.names.all()
        assert len(before) == 2 and len(store.database.records()) == 4
    result = shop.build((RECORDED / "context" / "Dockerfile").read_text(), tags=("recorded",))
    assert (result.ran, result.cached) == (0, 4)
    assert shop.files(result)["e/a"] == (RECORDED / "context" / "a").read_bytes()
    with Store(str(shop.root)) as store:
        assert store.names.all() == before


def test_every_small_fact_of_version_3_is_kept_where_it_belongs(tmp_path: Path) -> None:
    version_3(tmp_path, FACTS.replace("this boot", database_module.boot_id()))
    for _ in range(2):
        with Store(str(tmp_path)) as store:
            database, facts = store.database, store.database.facts
            assert database.directories() == [
                DirectoryRow("run-1", "o", "run-1", 5, 1000),
                DirectoryRow("run-2", "o", "run-2", 6, None),
                DirectoryRow("run-3", "o", "run-3", 7, None),
            ]
            assert database.mounts() == [MountRow("m1", "d1", 2.0, "npm", "f1"), MountRow("m2", "d2", 4.0)]
            assert facts.images() == [("docker.io/library/x:1", "sha256:i")]
            assert facts.image("docker.io/library/x:1", "linux/arm/v7") == "sha256:i"
            assert facts.stand_in("docker.io/library/x:1", "linux/amd64") == "sha256:s"
            assert facts.encoder("zstd", 3) == "zstd/1/3" and facts.encoder("gzip", None) == "igzip/1.9.1/2"
            assert facts.download("aa") == Download("sha256:d", "e", "then")
            assert facts.pinned("a name.tar", "sha256:d") == Download("sha256:d", "", "then")
            assert facts.downloads() == [("sha256:d", 5.0)]
            assert facts.is_misjudged("0123") and not facts.is_misjudged("4567")
            assert facts.generation("f1") == "g1" and facts.generation("f2") == ""
            assert database.row("SELECT count(*) FROM selection") == (1,)
    with Store(str(tmp_path / "new")):
        pass
    assert tables(tmp_path) == tables(tmp_path / "new")


@pytest.mark.parametrize("version", [4, 5])
def test_a_store_of_an_earlier_version_gets_the_tables_of_later_ones(tmp_path: Path, version: int) -> None:
    with Store(str(tmp_path)) as store:
        store.database.facts.put_generation("f", "g")
    wanted = tables(tmp_path)
    with sqlite3.connect(tmp_path / "kezuri.db") as database:
        database.execute("DROP TABLE source")
        if version == 4:
            database.execute("DROP TABLE unpacked")
        database.execute(f"PRAGMA user_version={version}")
    database.close()
    with Store(str(tmp_path)) as store:
        facts = store.database.facts
        assert facts.generation("f") == "g" and facts.unpacked(["sha256:1"]) == {}
        facts.put_unpacked("sha256:1", 5)
        assert facts.unpacked(["sha256:1", "sha256:2", "sha256:1"]) == {"sha256:1": 5}
        facts.put_sources(["sha256:1", "sha256:2"], "host/a")
        facts.put_sources(["sha256:1"], "host/b")
        assert facts.sources("sha256:1") == ("host/b", "host/a") and facts.sources("sha256:3") == ()
    assert tables(tmp_path) == wanted


def test_a_migration_that_is_killed_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version_3(tmp_path, FACTS)
    before = tables(tmp_path)
    fact = migration._fact
    told: list[str] = []

    def killed(key: str, value: str) -> tuple[str, tuple[str, ...]] | None:
        told.append(key)
        if len(told) == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return fact(key, value)

    child = os.fork()
    if child == 0:
        try:
            monkeypatch.setattr(migration, "_fact", killed)
            with Store(str(tmp_path)):
                pass
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert tables(tmp_path) == before
    with Store(str(tmp_path)) as store:
        assert store.database.facts.generation("f1") == "g1" and len(store.database.records()) == 4


def test_an_earlier_kezuri_refuses_what_a_later_one_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(str(tmp_path)):
        pass
    monkeypatch.setattr(database_module, "SCHEMA_VERSION", 3)
    with pytest.raises(KezuriError, match="its schema is 6, not 3"), Store(str(tmp_path)):
        pass
