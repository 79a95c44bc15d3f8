"""What commands other than `build` answer, as frozen values."""

from typing import NamedTuple


class ImageSummary(NamedTuple):
    """A line of `kezuri images`. `id` is the config digest, `created` RFC 3339 text, `size` the layers in bytes
    uncompressed as far as known, else compressed."""

    name: str
    digest: str
    id: str
    created: str
    size: int
    platform: str


class HistoryLine(NamedTuple):
    """A line of `kezuri history`, newest first. `size` is the layer's compressed size in bytes, `layer` its digest."""

    created: str
    created_by: str
    size: int
    comment: str
    layer: str
    empty: bool


class Removed(NamedTuple):
    """Something that rmi or prune took away: `what` is untagged, deleted, record, snapshot, blob, mount, git or
    temporary; `size` is bytes freed."""

    what: str
    name: str
    size: int = 0


class Check(NamedTuple):
    """One finding of `kezuri doctor`: `state` is ok, warning or error; `remedy` says what to do."""

    name: str
    state: str
    detail: str
    remedy: str = ""
