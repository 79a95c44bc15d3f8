"""What differs between two images: sizes, layers, settings, packages, files; and how much of it the base brought."""

from typing import Any, Literal, NamedTuple

from kezuri.anatomy.values import LayerShare, Owner
from kezuri.comparison.values import Figure, Side

Origin = Literal["base", "own", ""]
"""Whether a layer of the base image brought something, or one of the image's own instructions; empty where that is not
known."""


class SettingChange(NamedTuple):
    """A field of the config that has another value, as `User` or `Env PATH`; None on the side that has none."""

    name: str
    before: str | None
    after: str | None


class LayerChange(NamedTuple):
    """A layer that only one of the images has."""

    what: Literal["new", "gone"]
    layer: LayerShare


class PackageChange(NamedTuple):
    """A package that came, went, or is there in other versions. `owner` says which, without a version; `before` and
    `after` are its versions, several where the image has it several times; the sizes are those of its files."""

    what: Literal["new", "gone", "version"]
    owner: Owner
    before: tuple[str, ...]
    after: tuple[str, ...]
    size_before: int
    size_after: int
    origin: Origin = ""


class FileChange(NamedTuple):
    """A path that is not the same. `content`: other bytes, or another target of a link; `kind`: a file became a
    directory and the like; `metadata`: the same bytes with another owner, mode or attributes. `details` are what of the
    metadata differs, as (word, before, after). Sizes are those of a file's bytes, under its first name; 0 for others.
    """

    what: Literal["new", "gone", "kind", "content", "metadata"]
    path: str
    kind: str
    size_before: int
    size_after: int
    details: tuple[tuple[str, str, str], ...] = ()
    origin: Origin = ""

    @property
    def grown(self) -> int:
        """How many bytes it takes more; below zero for fewer."""
        return self.size_after - self.size_before

    @property
    def weight(self) -> int:
        """By how many bytes it counts where the weightiest changes are told first: those that it takes more or fewer,
        or, where other content has the same size, all of them."""
        if self.grown or self.what != "content":
            return abs(self.grown)
        return max(self.size_after, self.size_before)


class Tally(NamedTuple):
    """Changes of files counted: those that are new, gone, of other content or kind, and of other metadata only; the
    bytes of the new ones, of the gone ones, and how much all together take more."""

    new: int = 0
    gone: int = 0
    changed: int = 0
    metadata: int = 0
    size_new: int = 0
    size_gone: int = 0
    grown: int = 0

    def with_(self, change: FileChange) -> "Tally":
        """The tally, with one more."""
        what = change.what
        return Tally(
            self.new + (what == "new"),
            self.gone + (what == "gone"),
            self.changed + (what in ("content", "kind")),
            self.metadata + (what == "metadata"),
            self.size_new + (change.size_after if what == "new" else 0),
            self.size_gone + (change.size_before if what == "gone" else 0),
            self.grown + change.grown,
        )

    @property
    def every(self) -> int:
        """How many paths are not the same."""
        return self.new + self.gone + self.changed + self.metadata


class ImageDifference(NamedTuple):
    """Two images beside each other. `shared` are how many layers both have, with the bytes that they take on the wire;
    `files` are all changes by path, or the weightiest where no more were wanted, and `tally` counts all in any case;
    `directories` are those whose files grew or shrank most, with the bytes. `origins` say how much of the changes of
    files the base brought, and how much the image's own instructions."""

    before: Side
    after: Side
    figures: tuple[Figure, ...]
    settings: tuple[SettingChange, ...]
    layers: tuple[LayerChange, ...]
    shared: int
    shared_size: int
    packages: tuple[PackageChange, ...]
    files: tuple[FileChange, ...]
    tally: Tally
    directories: tuple[tuple[str, Tally], ...]
    origins: tuple[tuple[Origin, Tally], ...]
    told: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing differs that is looked at: not the layers alone, when what they show is the same. Of one that
        only one image has, and nobody could read, that is not known."""
        unread = any(change.layer.unread for change in self.layers)
        return not (self.settings or self.packages or self.tally.every or unread)

    def to_json(self) -> dict[str, Any]:
        """As `kezuri diff --format json` prints it."""
        return {
            "schema": 1,
            "before": self.before._asdict(),
            "after": self.after._asdict(),
            "same": self.same,
            "figures": [figure.to_json() for figure in self.figures],
            "settings": [change._asdict() for change in self.settings],
            "layers": {
                "shared": self.shared,
                "sharedBytes": self.shared_size,
                "changes": [_layer(change) for change in self.layers],
            },
            "packages": [_package(change) for change in self.packages],
            "files": {
                "counted": _tally(self.tally),
                "byOrigin": {origin or "unknown": _tally(tally) for origin, tally in self.origins},
                "byDirectory": [{"path": path, **_tally(tally)} for path, tally in self.directories],
                "changes": [_file(change) for change in self.files],
            },
            "told": list(self.told),
        }


def _layer(change: LayerChange) -> dict[str, Any]:
    layer, maker = change.layer, change.layer.maker
    return {
        "what": change.what,
        "number": layer.number,
        "diffId": layer.diff_id,
        "digest": layer.digest,
        "wire": layer.blob,
        "unpacked": layer.tar,
        "wasted": layer.wasted,
        "instruction": maker.text,
        "dockerfile": maker.dockerfile,
        "line": maker.line,
        "ofBase": maker.of_base,
    }


def _package(change: PackageChange) -> dict[str, Any]:
    return {
        "what": change.what,
        "kind": change.owner.kind,
        "ecosystem": change.owner.ecosystem,
        "name": change.owner.name,
        "before": list(change.before),
        "after": list(change.after),
        "bytesBefore": change.size_before,
        "bytesAfter": change.size_after,
        "origin": change.origin,
    }


def _file(change: FileChange) -> dict[str, Any]:
    said: dict[str, Any] = {
        "what": change.what,
        "path": change.path,
        "kind": change.kind,
        "bytesBefore": change.size_before,
        "bytesAfter": change.size_after,
    }
    if change.details:
        said["details"] = [{"of": word, "before": old, "after": new} for word, old, new in change.details]
    if change.origin:
        said["origin"] = change.origin
    return said


def _tally(tally: Tally) -> dict[str, int]:
    return {
        "new": tally.new,
        "gone": tally.gone,
        "changed": tally.changed,
        "metadata": tally.metadata,
        "bytesNew": tally.size_new,
        "bytesGone": tally.size_gone,
        "bytesGrown": tally.grown,
    }
