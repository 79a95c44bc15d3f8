"""Distributions of Python: a directory beside the modules that says what was installed, and a list of its files."""

import csv
import re
from collections.abc import Iterator
from typing import Final

from kezuri.packages.package import Package, path_of, text_of

_RUNS = re.compile(r"[-_.]+")
_MOST_HEAD = 256 << 10
_LONGEST = 40
_MOST_CLASSES = 20
_CLASSES: Final = {
    "Academic Free License (AFL)": "AFL-3.0",
    "Apache Software License": "Apache-2.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zope Public License": "ZPL-2.1",
    "zlib/libpng License": "Zlib",
}
"""Classifiers of the index that stand for one licence, and what SPDX calls it; `BSD License` is several."""


def normalised(name: str) -> str:
    """A distribution's name as the index spells it."""
    return _RUNS.sub("-", name).lower()


def metadata(data: bytes) -> Package | None:
    """The distribution whose METADATA or PKG-INFO this is; None where it names none."""
    fields: dict[bytes, bytes] = {}
    classes: list[str] = []
    for line in data[:_MOST_HEAD].split(b"\n"):
        line = line.rstrip(b"\r")
        if not line:
            break
        key, colon, value = line.partition(b":")
        if key == b"Classifier" and value.startswith(b" License ::") and len(classes) < _MOST_CLASSES:
            classes.append(text_of(value.rpartition(b"::")[2], 100))
        if colon and not key.startswith((b" ", b"\t")):
            fields.setdefault(key.lower(), value)
    name = text_of(fields.get(b"name", b""))
    if not name:
        return None
    licence = text_of(fields.get(b"license-expression", b""))
    if not licence:
        # `License` is a name, or the whole text of one, of which this is the first line: classifiers say it better.
        said = text_of(fields.get(b"license", b""))
        named = " OR ".join(_CLASSES.get(each, each) for each in dict.fromkeys(classes) if each != "OSI Approved")
        licence = named if named and (not said or len(said) > _LONGEST or said.upper() == "UNKNOWN") else said
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
