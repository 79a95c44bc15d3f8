"""Which files of an image are records of packages, and what each of them tells."""

import re
from typing import Final, Protocol

from kezuri.packages import npm
from kezuri.packages.package import Package, Record

SMALLEST_PROGRAM: Final = 96 << 10
"""A program with fewer bytes holds no record of what it was built from: those of Go and Rust start larger."""
_FIXED: Final = {
    "var/lib/dpkg/status": "dpkg",
    "lib/apk/db/installed": "apk",
    "usr/lib/apk/db/installed": "apk",
}
_PYTHON: Final = {
    "METADATA": "python",
    "PKG-INFO": "python",
    "RECORD": "python files",
    "installed-files.txt": "egg files",
}
_STATUS_D = "var/lib/dpkg/status.d/"
_MOST: Final = {"npm": 2 << 20, "python": 2 << 20}
MOST_READ: Final = 32 << 20
"""A record with more bytes than this is not read; programs are looked into wherever their record lies."""


class Peek(Protocol):
    """A file's bytes, wherever they are."""

    def at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer where the file ends."""
        ...


def kind_of(path: str, size: int, mode: int = 0o644) -> str:
    """The kind of record that a file with this path is; empty for what is none."""
    name = path[path.rfind("/") + 1 :]
    if name == "package.json":
        return "npm" if npm.is_record(path) else ""
    if name in _PYTHON:
        directory = path[: -len(name) - 1]
        return _PYTHON[name] if directory.endswith((".dist-info", ".egg-info", "/EGG-INFO")) else ""
    if path.startswith("var/lib/dpkg/"):
        return _of_dpkg(path, name)
    return _FIXED.get(path, "")


def _of_dpkg(path: str, name: str) -> str:
    if path == "var/lib/dpkg/status":
        return "dpkg"
    if name.endswith(".list") and path.startswith("var/lib/dpkg/info/"):
        return "dpkg files"
    if path.startswith(_STATUS_D) and "/" not in path[len(_STATUS_D) :]:
        return "dpkg sums" if name.endswith(".md5sums") else "dpkg one"
    return ""


def parse(kind: str, path: str, size: int, data: Peek) -> Record | None:
    """What a record of this kind tells; None where there is nothing in it. Never raises for what is in it."""
    if size > _MOST.get(kind, MOST_READ):
        return Record(kind, trouble=f"/{path} is too large to be read as a record of packages")
    return _whole(kind, path, data.at(0, size))


def _whole(kind: str, path: str, data: bytes) -> Record | None:
    packages: tuple[Package, ...] = ()
    files: tuple[str, ...] = ()
    if kind in ("dpkg", "dpkg one"):
        from kezuri.packages import dpkg

        packages = tuple(dpkg.status(data))
    elif kind in ("dpkg files", "dpkg sums"):
        from kezuri.packages import dpkg

        files = dpkg.files(data) if kind == "dpkg files" else dpkg.sums(data)
    elif kind == "apk":
        from kezuri.packages import apk

        packages = tuple(apk.installed(data))
    elif kind == "npm":
        found = npm.package(data, path)
        packages = (found,) if found is not None else ()
    elif kind in ("python", "python files", "egg files"):
        from kezuri.packages import python

        if kind == "python":
            found = python.metadata(data)
            packages = (found,) if found is not None else ()
        else:
            files = python.recorded(data, path) if kind == "python files" else python.listed(data, path)
    return Record(kind, packages, files) if packages or files else None


_LIST = re.compile(r"(?:.*/)?([^/:]+)(?::([^/:]+))?\.list$")


def listed_package(path: str) -> tuple[str, str]:
    """The package, and its architecture where it is told, whose files a list of dpkg's names."""
    found = _LIST.match(path)
    return (found[1], found[2] or "") if found is not None else ("", "")
