"""The rows of a comparison: what each is called, in what it is measured, and what exactly was measured."""

from collections.abc import Iterable, Mapping

from kezuri.comparison.values import Better, Figure, Reading, Unit

_BUILD = "`kezuri build` as a process of its own, with the base images in the store and nothing else"
_PULL = "`kezuri pull` into an empty store, which fetches and verifies every layer and unpacks none"

_ROWS: Mapping[str, tuple[str, Unit, str]] = {
    "size.wire": ("Size on the wire", "bytes", "the layers as they travel, compressed as they are"),
    "size.unpacked": ("Size unpacked", "bytes", "the layers' tars without compression"),
    "size.shown": ("Bytes of its files", "bytes", "the bytes of all files that a container sees"),
    "size.wasted": (
        "Wasted bytes",
        "bytes",
        "bytes in layers that a container does not see: removed or replaced further up",
    ),
    "layers": ("Layers", "count", "the layers of the manifest"),
    "files": ("Files", "count", "everything but directories that a container sees"),
    "packages.system": ("System packages", "count", "installed packages of dpkg, apk and rpm"),
    "packages.language": ("Language packages", "count", "packages of npm, PyPI, Go, Maven and the like"),
    "build.cold": ("Build, cold", "seconds", _BUILD),
    "build.unchanged": ("Build, nothing changed", "seconds", "the same build once more"),
    "build.edit": (
        "Build after a one-line edit",
        "seconds",
        "the same build after a comment was appended to a source file",
    ),
    "context": ("Build context", "bytes", "all files of the context that no ignore file leaves out"),
    "pull": ("Pull", "seconds", _PULL),
    "user": ("User", "text", "whom programs run as, by the image's settings"),
    "setid": ("Set-id files", "count", "files that run as their owner or group: set-user-ID, set-group-ID"),
    "faults": ("Known faults", "count", "advisories about the image's packages, as `kezuri scan` counts them"),
    "faults.severe": ("Known faults, critical and high", "count", "those of them that are critical or high"),
    "findings.dockerfile": ("Findings in the Dockerfile", "count", "what `kezuri check` says of the Dockerfile"),
    "findings.image": ("Findings in the image", "count", "what `kezuri check` says of the image"),
}


def figure(key: str, readings: Iterable[Reading]) -> Figure:
    """The row of this name with what was measured of both sides."""
    title, unit, how = _ROWS[key]
    before, after = readings
    better: Better = "neither" if unit == "text" else "less"
    return Figure(key, title, unit, before, after, how, better)
