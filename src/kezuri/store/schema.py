"""The tables of a store, and what a row of each says."""

from typing import NamedTuple

SCHEMA_VERSION = 2
SCHEMA = """
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
"""
SCHEMA_OF_JOURNAL = """
CREATE TABLE build (
  number INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, asked TEXT NOT NULL, began REAL NOT NULL,
  repeated REAL NOT NULL, fingerprint TEXT NOT NULL, data BLOB NOT NULL
);
CREATE INDEX build_project ON build (project);
CREATE TABLE listing (digest TEXT PRIMARY KEY, kept REAL NOT NULL, data BLOB NOT NULL);
"""
TO_VERSION_2 = "DROP TABLE IF EXISTS detail;" + SCHEMA_OF_JOURNAL
"""Since version 2 there is a journal of builds, and what files a digest stands for is kept by the digest."""


class LayerRow(NamedTuple):
    """A layer that the store knows. `directory` is its name under `layers/`, empty when it has no directory form;
    `diff_id` is empty until the layer has been packed or came packed; `bytes` are those of the directory form."""

    id: str
    diff_id: str
    directory: str
    bytes: int
    created: float
    used: float


class FormRow(NamedTuple):
    """A layer as a blob, made by the named encoder (`pulled` for blobs that came from elsewhere)."""

    layer: str
    encoder: str
    digest: str
    size: int
    media_type: str
    diff_id: str


class RecordRow(NamedTuple):
    """A result paid for: the step with this key gave this layer and led to this state.

    `components` is the JSON text of the key's components, `seconds` what the step took, `title` what to call it.
    """

    key: str
    state: str
    layer: str
    kind: str
    title: str
    components: str
    seconds: float
    created: float
    used: float
    uses: int


class BuildRow(NamedTuple):
    """A build that was journalled. `project` tells what was built, `asked` (JSON) how; `repeated` is when a build last
    found all of it in the cache again, 0 for never; `fingerprint` says what was built from what; `data` are its
    steps, compressed."""

    number: int
    project: str
    asked: str
    began: float
    repeated: float
    fingerprint: str
    data: bytes
