"""Small facts that a store keeps because they cost something to find out, each kind in a table of its own.

Any of them may be forgotten: then it is found out again.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple

from kezuri.oci.reference import Reference
from kezuri.store.connection import Connection

_TABLES = (
    "image", "stand_in", "selection", "encoder", "download", "pinned", "misjudged", "mount_family", "unpacked",
    "source",
)  # fmt: skip


_SOURCES = 8


class Download(NamedTuple):
    """What a file was when it was last downloaded: the digest of its content, and the ETag and Last-Modified that its
    server sent (empty for none)."""

    digest: str
    etag: str
    modified: str


class Facts:
    """The small facts of one store. References and platforms are kept as they are written."""

    def __init__(self, database: Connection) -> None:
        self._database = database

    # images by name

    def image(self, reference: object, platform: object) -> str:
        """The digest of the manifest that a registry last gave for the reference and the platform; empty when none
        was asked."""
        return self._text("SELECT digest FROM image WHERE reference = ? AND platform = ?", reference, platform)

    def put_image(self, reference: object, platform: object, digest: str) -> None:
        """Keep which manifest a registry gave for the reference and the platform."""
        self._put("image", reference, platform, digest)

    def images(self) -> list[tuple[str, str]]:
        """(reference, digest of the manifest) of all images that builds have asked registries for."""
        rows = self._database.rows("SELECT reference, digest FROM image ORDER BY reference, platform")
        return [(str(reference), str(digest)) for reference, digest in rows]

    def stand_in(self, reference: object, platform: object) -> str:
        """The digest of the manifest of the image that was assembled in the place of the one that no registry gave;
        empty when there is none."""
        return self._text("SELECT digest FROM stand_in WHERE reference = ? AND platform = ?", reference, platform)

    def put_stand_in(self, reference: object, platform: object, digest: str) -> None:
        """Keep which image was assembled in the place of the one that no registry gave."""
        self._put("stand_in", reference, platform, digest)

    def sources(self, digest: str) -> tuple[str, ...]:
        """The repositories (`host/path`) that were last seen to have a blob, the latest first."""
        rows = self._database.rows(
            "SELECT repository FROM source WHERE digest = ? ORDER BY used DESC LIMIT ?", digest, _SOURCES
        )
        return tuple(str(repository) for (repository,) in rows)

    def sources_beside(self, repository: Reference, digest: str) -> list[str]:
        """The paths of other repositories of the same registry that were last seen to have a blob."""
        start = f"{repository.host}/"
        found = (name.removeprefix(start) for name in self.sources(digest) if name.startswith(start))
        return [path for path in found if path != repository.path]

    def put_sources(self, digests: Iterable[str], repository: str) -> None:
        """Keep that a repository has these blobs."""
        with self._database.transaction():
            for digest in digests:
                self._put("source", digest, repository)

    # what is computed of layers

    def selection(self, key: str) -> str:
        """The digest over the files that an instruction selects from a stage or an image; empty when it is not known.
        The key says which state and which selection."""
        return self._text("SELECT digest FROM selection WHERE key = ?", key)

    def put_selection(self, key: str, digest: str) -> None:
        """Keep the digest of a selection."""
        self._put("selection", key, digest)

    def encoder(self, kind: str, level: int | None) -> str:
        """The name of the encoder with which this store last packed for that compression; empty when it never did."""
        return self._text("SELECT name FROM encoder WHERE kind = ? AND level = ?", kind, _level(level))

    def put_encoder(self, kind: str, level: int | None, name: str) -> None:
        """Keep the name of the encoder that packs for that compression."""
        self._put("encoder", kind, _level(level), name)

    def unpacked(self, diff_ids: Iterable[str]) -> dict[str, int]:
        """How many bytes the files of these layers have, as far as that is known."""
        wanted = tuple(dict.fromkeys(diff_ids))
        found: dict[str, int] = {}
        for at in range(0, len(wanted), 500):
            some = wanted[at : at + 500]
            marks = ", ".join("?" for _ in some)
            for diff_id, size in self._database.rows(
                f"SELECT diff_id, size FROM unpacked WHERE diff_id IN ({marks})", *some
            ):
                found[str(diff_id)] = int(size)  # type: ignore[call-overload]
        return found

    def put_unpacked(self, diff_id: str, size: int) -> None:
        """Keep how many bytes the files of a layer have."""
        self._put("unpacked", diff_id, size)

    # what was downloaded

    def download(self, url: str) -> Download | None:
        """What the file was that was last downloaded from a URL, which is named by its SHA-256 in hex."""
        row = self._database.row("SELECT digest, etag, modified FROM download WHERE url = ?", url)
        return None if row is None else Download(str(row[0]), str(row[1]), str(row[2]))

    def put_download(self, url: str, download: Download) -> None:
        """Keep what was downloaded from a URL, which is named by its SHA-256 in hex."""
        self._put("download", url, *download)

    def pinned(self, name: str, digest: str) -> Download | None:
        """What is known of a file of this name and content, wherever it was downloaded from."""
        row = self._database.row("SELECT modified FROM pinned WHERE name = ? AND digest = ?", name, digest)
        return None if row is None else Download(digest, "", str(row[0]))

    def put_pinned(self, name: str, download: Download) -> None:
        """Keep what was downloaded under a file name."""
        self._put("pinned", name, download.digest, download.modified)

    def downloads(self) -> list[tuple[str, float]]:
        """(digest, when it was last used in seconds since the epoch) of the content of every URL."""
        rows = self._database.rows("SELECT digest, used FROM download")
        return [(str(digest), float(used)) for digest, used in rows]  # type: ignore[arg-type]

    def downloaded(self) -> set[str]:
        """The digests of all files that were downloaded."""
        rows = self._database.rows("SELECT digest FROM download UNION SELECT digest FROM pinned")
        return {str(digest) for (digest,) in rows}

    def drop_download(self, digest: str) -> None:
        """Forget where the content of this digest was downloaded from."""
        with self._database.transaction():
            self._database.run("DELETE FROM download WHERE digest = ?", digest)
            self._database.run("DELETE FROM pinned WHERE digest = ?", digest)

    # ids and cache mounts

    def is_misjudged(self, extents: str) -> bool:
        """Whether a user namespace turned out to have other ids than were foretold: newuidmap did not grant them.
        `extents` names the foretold ones."""
        return self._database.row("SELECT 1 FROM misjudged WHERE extents = ?", extents) is not None

    def put_misjudged(self, extents: str, wrong: bool) -> None:
        """Keep whether the ids that were foretold turned out to be wrong. Nothing is written when that is known."""
        if wrong and not self.is_misjudged(extents):
            self._put("misjudged", extents)
        elif not wrong and self.is_misjudged(extents):
            self._database.run("DELETE FROM misjudged WHERE extents = ?", extents)

    def generation(self, family: str) -> str:
        """What tells the caches of a family of cache mounts from those before it was renewed; empty when it never
        was."""
        return self._text("SELECT generation FROM mount_family WHERE family = ?", family)

    def put_generation(self, family: str, generation: str) -> None:
        """Renew a family of cache mounts."""
        self._put("mount_family", family, generation)

    def drop(self, before: float) -> None:
        """Forget every fact that was written before the moment (seconds since the epoch)."""
        with self._database.transaction():
            for table in _TABLES:
                self._database.run(f"DELETE FROM {table} WHERE used < ?", before)

    def _text(self, sql: str, *values: object) -> str:
        row = self._database.row(sql, *map(str, values))
        return "" if row is None else str(row[0])

    def _put(self, table: str, *values: object) -> None:
        marks = ", ".join("?" for _ in values)
        self._database.run(f"INSERT OR REPLACE INTO {table} VALUES ({marks}, ?)", *map(str, values), time.time())


def _level(level: int | None) -> str:
    """A compression level as a column of a primary key, which is never null: empty for the default."""
    return "" if level is None else str(level)
