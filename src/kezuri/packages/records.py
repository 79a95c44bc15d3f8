"""Which files of an image are records of packages, and what each of them tells."""

import re
from typing import Final

from kezuri.packages import npm, runtimes
from kezuri.packages.package import Package, Peek, Record

SMALLEST_PROGRAM: Final = 96 << 10
"""A program with fewer bytes holds no record of what it was built from: those of Go and Rust start larger."""
_RPM: Final = {"rpmdb.sqlite": "rpm sqlite", "Packages.db": "rpm ndb", "Packages": "rpm bdb"}
_RPM_PLACES: Final = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
_NAMES: Final = {
    "METADATA": "python",
    "PKG-INFO": "python",
    "RECORD": "python files",
    "installed-files.txt": "egg files",
}
_ENDS: Final = {
    "jar": "archive",
    "war": "archive",
    "ear": "archive",
    "hpi": "archive",
    "jpi": "archive",
    "gemspec": "gem",
    "egg-info": "python",
}
_BESIDE: Final = {
    "copyright": ("copyright", re.compile(r"usr/share/doc/[^/]+/copyright$")),
    "os-release": ("os release", re.compile(r"(?:etc|usr/lib)/os-release$")),
}
_STATUS_D = "var/lib/dpkg/status.d/"
_GEM = re.compile(r"(?:^|/)specifications/(?:default/)?[^/]+\.gemspec$")
_MOST: Final = {
    "copyright": 1 << 20,
    "os release": 64 << 10,
    "npm": 1 << 20,
    "python": 2 << 20,
    "gem": 2 << 20,
    "composer": 8 << 20,
    "dotnet": 8 << 20,
    "conda": 12 << 20,
    "rpm sqlite": 192 << 20,
    "rpm ndb": 192 << 20,
    "rpm bdb": 192 << 20,
}
_MOST_LINES = 1_000_000
MOST_READ: Final = 32 << 20
"""A record with more bytes than this is not read; programs and archives are looked into wherever their record lies."""
LOOKED_INTO: Final = frozenset(("program", "archive", "node program", "busybox program"))
"""Kinds that are not read as a whole."""


def kind_of(path: str, size: int, mode: int = 0o644) -> str:
    """The kind of record that a file with this path is; empty for what is none."""
    name = path[path.rfind("/") + 1 :]
    if name in _BESIDE:
        kind, pattern = _BESIDE[name]
        return kind if pattern.match(path) else ""
    if name == "rpmdb.sqlite-wal":
        return "rpm journal" if path[: -len(name) - 1] in _RPM_PLACES else ""
    if name == "container-manifest-2":
        return "rpm list" if path == "var/lib/rpmmanifest/container-manifest-2" else ""
    if name == "package.json":
        return "npm" if npm.is_record(path) else ""
    if name in _NAMES:
        directory = path[: -len(name) - 1]
        return _NAMES[name] if directory.endswith((".dist-info", ".egg-info", "/EGG-INFO")) else ""
    if path.startswith("var/lib/dpkg/"):
        return _of_dpkg(path, name)
    if name == "installed" and path in ("lib/apk/db/installed", "usr/lib/apk/db/installed"):
        return "apk"
    if name in _RPM and path[: -len(name) - 1] in _RPM_PLACES:
        return _RPM[name]
    if name == "installed.json":
        return "composer" if path.endswith("/composer/installed.json") else ""
    kind = runtimes.kind_of(path, name, size)
    if kind:
        return kind
    end = name[name.rfind(".") + 1 :]
    if end in _ENDS:
        return _ENDS[end] if end != "gemspec" or _GEM.search(path) else ""
    if end == "json":
        if "/conda-meta/" in path or path.startswith("conda-meta/"):
            return "conda" if path.endswith(f"conda-meta/{name}") else ""
        return "dotnet" if name.endswith(".deps.json") else ""
    return "program" if mode & 0o111 and size >= SMALLEST_PROGRAM and ".so" not in name else ""


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
    if kind == "program":
        from kezuri.packages import program

        return program.record(data)
    if kind == "archive":
        from kezuri.packages import java

        return java.record(data, path, size)
    if kind in runtimes.KINDS:
        found = runtimes.runtime(kind, path, data)
        return Record(kind, (found,)) if found is not None else None
    if kind == "rpm journal":
        return Record(kind, trouble=f"/{path} has changes that are not in the database yet, and is not read")
    if kind == "copyright" and size > _MOST[kind]:
        return None
    if size > _MOST.get(kind, MOST_READ):
        return Record(kind, trouble=f"/{path} is too large to be read as a record of packages")
    if kind in _RPM.values():
        return _of_rpm(kind, path, data.at(0, size))
    raw = data.at(0, size)
    if raw.count(b"\n") > _MOST_LINES:
        return Record(kind, trouble=f"/{path} is too large to be read as a record of packages")
    return _whole(kind, path, raw)


def _of_rpm(kind: str, path: str, data: bytes) -> Record:
    from kezuri.packages import rpm

    found: list[Package] = []
    try:
        readers = {"rpm sqlite": rpm.sqlite, "rpm ndb": rpm.ndb, "rpm bdb": rpm.berkeley}
        found.extend(readers[kind](data))
    except rpm.Unreadable as error:
        return Record(kind, tuple(found), trouble=f"/{path} could not be read as a database of rpm: {error}")
    return Record(kind, tuple(found))


def _whole(kind: str, path: str, data: bytes) -> Record | None:
    packages: tuple[Package, ...] = ()
    files: tuple[str, ...] = ()
    if kind == "copyright":
        from kezuri.packages import dpkg

        licences = dpkg.licences(data)
        return Record(kind, text=licences) if licences else None
    if kind == "os release":
        return Record(kind, text=data.decode("utf-8", "replace"))
    if kind in ("dpkg", "dpkg one"):
        from kezuri.packages import dpkg

        packages = tuple(dpkg.status(data))
    elif kind in ("dpkg files", "dpkg sums"):
        from kezuri.packages import dpkg

        files = dpkg.files(data) if kind == "dpkg files" else dpkg.sums(data)
    elif kind == "rpm list":
        from kezuri.packages import rpm

        packages = tuple(rpm.listed(data))
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
    elif kind in ("gem", "composer", "dotnet", "conda"):
        from kezuri.packages import other_languages

        if kind == "gem":
            found = other_languages.gem(data, path)
            packages = (found,) if found is not None else ()
        else:
            readers = {
                "composer": other_languages.composer,
                "dotnet": other_languages.dotnet,
                "conda": other_languages.conda,
            }
            packages = readers[kind](data, path)
    return Record(kind, packages, files) if packages or files else None


_LIST = re.compile(r"(?:.*/)?([^/:]+)(?::([^/:]+))?\.list$")


def listed_package(path: str) -> tuple[str, str]:
    """The package, and its architecture where it is told, whose files a list of dpkg's names."""
    found = _LIST.match(path)
    return (found[1], found[2] or "") if found is not None else ("", "")
