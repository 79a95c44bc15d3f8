"""The tables of a store, and what a row of each says."""

from typing import NamedTuple

SCHEMA_VERSION = 6
SCHEMA = """
CREATE TABLE layer (
  id TEXT PRIMARY KEY, diff_id TEXT, created REAL NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX layer_diff ON layer (diff_id);
CREATE TABLE directory (
  layer TEXT NOT NULL, owners TEXT NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL, boot TEXT NOT NULL,
  epoch INTEGER, PRIMARY KEY (layer, owners)
) WITHOUT ROWID;
CREATE TABLE form (
  layer TEXT NOT NULL, encoder TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, media_type TEXT NOT NULL,
  diff_id TEXT NOT NULL, verified INTEGER NOT NULL, PRIMARY KEY (layer, encoder)
) WITHOUT ROWID;
CREATE TABLE record (
  key TEXT PRIMARY KEY, state TEXT NOT NULL, layer TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL,
  components TEXT NOT NULL, seconds REAL NOT NULL, created REAL NOT NULL, used REAL NOT NULL, uses INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE mount (
  id TEXT PRIMARY KEY, directory TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL, name TEXT NOT NULL,
  family TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE build (
  number INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, asked TEXT NOT NULL, began REAL NOT NULL,
  repeated REAL NOT NULL, fingerprint TEXT NOT NULL, data BLOB NOT NULL
);
CREATE INDEX build_project ON build (project);
CREATE TABLE listing (digest TEXT PRIMARY KEY, kept REAL NOT NULL, data BLOB NOT NULL);
"""
SCHEMA_OF_FACTS = """
CREATE TABLE image (
  reference TEXT NOT NULL, platform TEXT NOT NULL, digest TEXT NOT NULL, used REAL NOT NULL,
  PRIMARY KEY (reference, platform)
) WITHOUT ROWID;
CREATE TABLE stand_in (
  reference TEXT NOT NULL, platform TEXT NOT NULL, digest TEXT NOT NULL, used REAL NOT NULL,
  PRIMARY KEY (reference, platform)
) WITHOUT ROWID;
CREATE TABLE selection (key TEXT PRIMARY KEY, digest TEXT NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE encoder (
  kind TEXT NOT NULL, level TEXT NOT NULL, name TEXT NOT NULL, used REAL NOT NULL, PRIMARY KEY (kind, level)
) WITHOUT ROWID;
CREATE TABLE download (
  url TEXT PRIMARY KEY, digest TEXT NOT NULL, etag TEXT NOT NULL, modified TEXT NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE pinned (
  name TEXT NOT NULL, digest TEXT NOT NULL, modified TEXT NOT NULL, used REAL NOT NULL, PRIMARY KEY (name, digest)
) WITHOUT ROWID;
CREATE TABLE misjudged (extents TEXT PRIMARY KEY, used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE unpacked (diff_id TEXT PRIMARY KEY, size INTEGER NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE mount_family (family TEXT PRIMARY KEY, generation TEXT NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE source (
  digest TEXT NOT NULL, repository TEXT NOT NULL, used REAL NOT NULL, PRIMARY KEY (digest, repository)
) WITHOUT ROWID;
"""
"""The tables of `facts.Facts`, each row with the time at which it was written."""


class LayerRow(NamedTuple):
    """A layer that the store knows. `diff_id` is empty until the layer has been packed or came packed."""

    id: str
    diff_id: str
    created: float
    used: float


class DirectoryRow(NamedTuple):
    """A layer as an overlay directory: `name` under `layers/`, of so many bytes. `owners` says under which ids it was
    made (see store/owners.py): for processes that see other ids it does not exist. `epoch` is the SOURCE_DATE_EPOCH in
    seconds that its files' times were cut off at, None when they are the files' own."""

    layer: str
    owners: str
    name: str
    bytes: int
    epoch: int | None = None


class FormRow(NamedTuple):
    """A layer as a blob, made by the named encoder. The encoder of a blob that came, or can come, from elsewhere is
    `pulled_encoder` of its digest, and of one out of a cache `imported_encoder`: a layer may have several.

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
        """Whether the blob is one of an image that comes from elsewhere."""
        return self.encoder.startswith(_PULLED)

    @property
    def imported(self) -> bool:
        """Whether the blob came out of a cache of another machine."""
        return self.encoder.startswith(_IMPORTED)

    @property
    def epoch(self) -> int | None:
        """The SOURCE_DATE_EPOCH in seconds that the times in the blob were cut off at; None when they are the files'
        own. It is part of the encoder's name, since it makes other bytes of the same layer."""
        _, _, epoch = self.encoder.partition(_DATED)
        return int(epoch) if epoch and not self.pulled else None


_PULLED = "pulled "
_IMPORTED = "cache "
_DATED = "@"


def pulled_encoder(digest: str) -> str:
    """What stands for the encoder of a blob that comes from elsewhere."""
    return _PULLED + digest


def imported_encoder(digest: str, epoch: int | None) -> str:
    """What stands for the encoder of a blob that comes out of a cache, made with this SOURCE_DATE_EPOCH (seconds, None
    for none)."""
    return dated_encoder(_IMPORTED + digest, epoch)


def dated_encoder(encoder: str, epoch: int | None) -> str:
    """The encoder's name as a form has it that was made with this SOURCE_DATE_EPOCH (seconds, None for none)."""
    return encoder if epoch is None else f"{encoder}{_DATED}{epoch}"


class MountRow(NamedTuple):
    """A cache mount: its directory under `mounts/`, when it was last used (seconds since the epoch), the id that a
    Dockerfile calls it by, and the family that is renewed together; the latter two are empty when that is not known."""

    id: str
    directory: str
    used: float
    name: str = ""
    family: str = ""


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
