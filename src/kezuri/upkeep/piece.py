"""A piece of a store: what can be kept or removed as one."""

from typing import NamedTuple

KINDS = ("regular", "image", "exec.cachemount", "source.git.checkout", "source.http", "source.local", "internal")
"""What a piece can be, in BuildKit's words where it has one: results of steps; layers of images; cache mounts; git
repositories; downloaded files; digests of context files; and what nothing needs any more. No kind of cache, and so
left alone by filters and limits, are the images without a name ("untagged")."""


class Use(NamedTuple):
    """How a piece was used: when it was made and when it was last used (seconds since the epoch), how often, and the
    seconds that it would take to have it again."""

    created: float
    used: float
    uses: int = 1
    seconds: float = 0.0


class HeldBlob(NamedTuple):
    """A blob that a piece holds and no image with a name: its bytes on the disk, and whether these are counted in the
    size of the piece. An image without a name also holds listings, whose names begin with `listing `."""

    digest: str
    size: int
    counted: bool


class Ties(NamedTuple):
    """What a piece has to do with others.

    `layer` is the layer's id, if the piece is one, and `step` the kind of step that gave it (RUN, COPY, ADD, WORKDIR).
    `needs` is the id of the piece without which it can never be found again (a result stands on the very run that it
    was made upon); empty when there is none. `named` marks layers of images with a name, which are not cache. `shared`
    says that others hold some of its blobs, too.
    """

    layer: str = ""
    step: str = ""
    needs: str = ""
    named: bool = False
    shared: bool = False
    blobs: tuple[HeldBlob, ...] = ()


class Piece(NamedTuple):
    """Something that can be kept or removed as one; `kind` is one of KINDS or "untagged".

    `size` is the bytes on the disk that are freed when it goes. What several layers hold is counted with the one that
    was used last, and with none if an image with a name holds it too.
    """

    id: str
    kind: str
    title: str
    size: int
    use: Use
    ties: Ties = Ties()
