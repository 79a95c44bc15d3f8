"""Which caches a build reads and which it writes, as a user names them."""

from typing import Literal, NamedTuple

Mode = Literal["min", "max"]


class CacheSource(NamedTuple):
    """`--cache-from`: `kind` is `registry`, where `place` is a reference, or `local`, where it is a directory and `tag`
    or `digest` says what in it. `scope` is a branch: its cache is looked at first, then the one without a scope.
    `mounts`: cache mounts that are not here begin with what lies there."""

    kind: Literal["registry", "local"]
    place: str
    tag: str = ""
    digest: str = ""
    scope: str = ""
    mounts: bool = False

    def __str__(self) -> str:
        return self.place


class CacheTarget(NamedTuple):
    """`--cache-to`: `kind` and `place` as for CacheSource, or `inline`, which has no place. `mode`: `min` takes the
    layers of the result along, `max` those of all stages. `compression` is empty for that of the image. `most` is how
    many bytes the layers may have together (0 for no bound). `patient`: that it cannot be written is no error."""

    kind: Literal["registry", "local", "inline"]
    place: str = ""
    tag: str = ""
    mode: Mode = "min"
    compression: Literal["", "gzip", "zstd", "uncompressed"] = ""
    level: int | None = None
    scope: str = ""
    mounts: bool = False
    most: int = 0
    patient: bool = False

    def __str__(self) -> str:
        return self.place or "the image"


def scoped(tag: str, scope: str) -> str:
    """The tag of a scope's cache. What a tag cannot hold (a branch has slashes) becomes a dash, and what would then be
    equal to another scope's is told apart by a few digits of its digest."""
    if not scope:
        return tag
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in scope)
    suffix = ""
    if plain != scope or len(plain) > 60:
        from hashlib import sha256

        suffix = "-" + sha256(scope.encode()).hexdigest()[:8]
    return f"{tag[:50]}-{plain[:60]}{suffix}"
