"""The tables of a store, and what a row of each says."""

from typing import NamedTuple

SCHEMA_VERSION = 3
_LAYERS = """
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
"""
SCHEMA = (
    _LAYERS
    + """
CREATE TABLE record (
  key TEXT PRIMARY KEY, state TEXT NOT NULL, layer TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL,
  components TEXT NOT NULL, seconds REAL NOT NULL, created REAL NOT NULL, used REAL NOT NULL, uses INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE memo (key TEXT PRIMARY KEY, value TEXT NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE image (digest TEXT PRIMARY KEY, created REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE mount (id TEXT PRIMARY KEY, directory TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL)
  WITHOUT ROWID;
"""
)
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
TO_VERSION_3 = (
    """
DELETE FROM record WHERE layer NOT IN (SELECT layer FROM form WHERE encoder <> 'pulled');
DELETE FROM layer WHERE id NOT IN (SELECT layer FROM form WHERE encoder <> 'pulled');
CREATE TABLE kept AS SELECT id, diff_id, created, used FROM layer;
CREATE TABLE made AS SELECT layer, encoder, digest, size, media_type, diff_id, 1 FROM form WHERE encoder <> 'pulled';
DROP TABLE layer;
DROP TABLE form;
DELETE FROM memo WHERE key NOT LIKE '% %';
"""
    + _LAYERS
    + """
INSERT INTO layer SELECT * FROM kept;
INSERT INTO form SELECT * FROM made;
DROP TABLE kept;
DROP TABLE made;
"""
)
"""Since version 3 it is known under whose ids a directory was made and which blobs were compared with the diff id that
their image claims. Of what was there before nobody can tell: directories, claims and digests of what directories hold
are forgotten, blobs that kezuri packed stay."""


class LayerRow(NamedTuple):
    """A layer that the store knows. `diff_id` is empty until the layer has been packed or came packed."""

    id: str
    diff_id: str
    created: float
    used: float


class DirectoryRow(NamedTuple):
    """A layer as an overlay directory: `name` under `layers/`, of so many bytes. `owners` says under which ids it was
    made (see store/owners.py): for processes that see other ids it does not exist."""

    layer: str
    owners: str
    name: str
    bytes: int


class FormRow(NamedTuple):
    """A layer as a blob, made by the named encoder. The encoder of a blob that came, or can come, from elsewhere is
    `pulled_encoder` of its digest: a layer may have several.

    `verified` tells that its plain bytes were seen to have the diff id. Until then that is what an image claims.
    """

    layer: str
    encoder: str
    digest: str
    size: int
    media_type: str
    diff_id: str
    verified: bool = True

    @property
    def pulled(self) -> bool:
        """Whether the blob comes from elsewhere."""
        return self.encoder.startswith(_PULLED)


DATED = "directory dated "
"""What the memo of a directory begins with, before its name, whose times were cut off at some SOURCE_DATE_EPOCH."""
_PULLED = "pulled "


def pulled_encoder(digest: str) -> str:
    """What stands for the encoder of a blob that comes from elsewhere."""
    return _PULLED + digest


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
