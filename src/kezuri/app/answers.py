"""What commands other than `build` answer, as frozen values."""

from typing import NamedTuple


class ImageSummary(NamedTuple):
    """A line of `kezuri images`. `id` is the config digest, `created` RFC 3339 text, `size` the bytes of
    its layers' files, None where that is not known, `compressed` those of its layers as they are transferred."""

    name: str
    digest: str
    id: str
    created: str
    size: int | None
    platform: str
    compressed: int = 0


class HistoryLine(NamedTuple):
    """A line of `kezuri history`, newest first. `size` is what the layer's files have in bytes, None where that is not
    known, `compressed` what is transferred, `layer` the digest of its blob."""

    created: str
    created_by: str
    size: int | None
    comment: str
    layer: str
    empty: bool
    compressed: int = 0


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
