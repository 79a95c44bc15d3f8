"""Distributions of Python: a directory beside the modules that says what was installed, and a list of its files."""

import csv
import re
from collections.abc import Iterator

from kezuri.packages.package import Package, path_of, text_of

_RUNS = re.compile(r"[-_.]+")
_MOST_HEAD = 256 << 10


def normalised(name: str) -> str:
    """A distribution's name as the index spells it."""
    return _RUNS.sub("-", name).lower()


def metadata(data: bytes) -> Package | None:
    """The distribution whose METADATA or PKG-INFO this is; None where it names none."""
    fields: dict[bytes, bytes] = {}
    for line in data[:_MOST_HEAD].split(b"\n"):
        line = line.rstrip(b"\r")
        if not line:
            break
        key, colon, value = line.partition(b":")
        if colon and not key.startswith((b" ", b"\t")):
            fields.setdefault(key.lower(), value)
    name = text_of(fields.get(b"name", b""))
    if not name:
        return None
    licence = text_of(fields.get(b"license-expression", b"") or fields.get(b"license", b""))
    return Package("pypi", normalised(name), text_of(fields.get(b"version", b"")), licence=licence)


def recorded(data: bytes, path: str) -> tuple[str, ...]:
    """The files that a RECORD at `path` names: it lies in a directory of the one that its paths are relative to."""
    base = path.rpartition("/")[0].rpartition("/")[0]
    return tuple([at for name in _rows(data) if name and (at := path_of("" if name[0] == "/" else base, name))])


def _rows(data: bytes) -> Iterator[str]:
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    try:
        for row in csv.reader(lines):
            if row:
                yield row[0]
    except csv.Error:
        return


def listed(data: bytes, path: str) -> tuple[str, ...]:
    """The files that an `installed-files.txt` of an egg-info directory names: relative to that directory."""
    base = path.rpartition("/")[0]
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    return tuple([path_of(base, name) for name in lines if name])


def compiled_from(path: str) -> str:
    """The module that a file in `__pycache__` was compiled from; empty for none."""
    directory, _, name = path.rpartition("/")
    if not name.endswith(".pyc"):
        return ""
    above, _, last = directory.rpartition("/")
    if last != "__pycache__":
        return path[:-1]
    return f"{above}/{name.partition('.')[0]}.py" if above else f"{name.partition('.')[0]}.py"
