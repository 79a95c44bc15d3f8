"""The layer that turns alpine's stand-in into golang's: Debian's Go, moved to where the official image has it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from kezuri.bases.deb import Deb
from kezuri.bases.layer_writer import LayerWriter
from kezuri.bases.recipe import SUITE, Layer
from kezuri.oci import Platform

_LINKED = ("api", "lib", "misc", "src", "test", "pkg/include")
# No build reads the history of the API, the compiler's tests, or the tests of the standard library.
_UNREAD = ("api", "test")


class Release(NamedTuple):
    """A release line of Go (`1.24`) and the Debian release that has it."""

    version: str
    suite: str

    @property
    def package(self) -> str:
        """The Debian package with the programs."""
        return f"golang-{self.version}-go"


RELEASES = (Release("1.24", SUITE), Release("1.23", "bookworm-backports"), Release("1.22", "bookworm-backports"))


def place(version: str) -> Callable[[str], str | None]:
    """Where the files of Debian's packages go. Debian keeps sources under /usr/share and links to them; Go's own tree
    has both in one place."""
    programs, shared = f"usr/lib/go-{version}/", f"usr/share/go-{version}/"

    def where(path: str) -> str | None:
        if path.startswith(programs):
            inside = path.removeprefix(programs)
            return None if inside in _LINKED else f"usr/local/go/{inside}"
        if path.startswith(shared):
            inside = path.removeprefix(shared)
            unread = inside.split("/")[0] in _UNREAD or "/testdata" in inside or inside.endswith("_test.go")
            return None if unread or inside == "pkg" else f"usr/local/go/{inside}"
        if path.startswith("usr/share/doc/") and path.endswith("/copyright"):
            return path
        return None

    return where


def layer(release: Release) -> Layer:
    """Go in /usr/local/go, and the directories of a GOPATH."""
    packages = (release.package, f"golang-{release.version}-src")

    def write(writer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
        writer.dir("go", 0o1777)
        for path in ("go/src", "go/bin", "go/pkg"):
            writer.dir(path, 0o1777)
        writer.dir("usr/local/go")
        for name in packages:
            writer.take(debs[name], place(release.version))

    return Layer(f"go-{release.version}", packages, write, release.suite)
