"""The layer that turns alpine's stand-in into golang's: Debian's Go, moved to where the official image has it."""

from collections.abc import Mapping

from kezuri.bases.deb import Deb
from kezuri.bases.layer_writer import LayerWriter
from kezuri.bases.recipe import Layer
from kezuri.oci import Platform

VERSION = "1.24"
_PROGRAMS, _SHARED = f"usr/lib/go-{VERSION}/", f"usr/share/go-{VERSION}/"
_LINKED = ("api", "lib", "misc", "src", "test", "pkg/include")
# No build reads the history of the API, the compiler's tests, or the tests of the standard library.
_UNREAD = ("api", "test")


def _place(path: str) -> str | None:
    """Debian keeps sources under /usr/share and links to them; Go's own tree has both in one place."""
    if path.startswith(_PROGRAMS):
        inside = path.removeprefix(_PROGRAMS)
        return None if inside in _LINKED else f"usr/local/go/{inside}"
    if path.startswith(_SHARED):
        inside = path.removeprefix(_SHARED)
        unread = inside.split("/")[0] in _UNREAD or "/testdata" in inside or inside.endswith("_test.go")
        return None if unread or inside == "pkg" else f"usr/local/go/{inside}"
    if path.startswith("usr/share/doc/") and path.endswith("/copyright"):
        return path
    return None


def _go(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    layer.dir("go", 0o1777)
    for path in ("go/src", "go/bin", "go/pkg"):
        layer.dir(path, 0o1777)
    layer.dir("usr/local/go")
    for name in GOLANG.packages:
        layer.take(debs[name], _place)


GOLANG = Layer(f"go-{VERSION}", (f"golang-{VERSION}-go", f"golang-{VERSION}-src"), _go)
