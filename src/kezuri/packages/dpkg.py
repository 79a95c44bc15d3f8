"""dpkg's accounts: the status file, one file for each package as distroless images have them, lists of files."""

import re
from collections.abc import Iterator

from kezuri.packages.package import Package, number_of, path_of, text_of

_WANTED = frozenset((b"Package", b"Status", b"Version", b"Architecture", b"Source", b"Installed-Size", b"Maintainer"))
_ABSENT = frozenset((b"not-installed", b"config-files", b"half-installed"))
"""States of dpkg(1) in which the files of a package are not all there. In all others they are, configured or not."""

_LICENSE = re.compile(rb"^License:[ \t]*([^\n]*)", re.MULTILINE)
_COMMON = re.compile(rb"/usr/share/common-licenses/([A-Za-z0-9.+-]{1,60})")
_MOST_LICENCES = 200


def status(data: bytes) -> Iterator[Package]:
    """The installed packages of a status file; their files are those of settings alone. One without a `Status` counts
    as installed: distroless images have no other word for it."""
    fields: dict[bytes, bytes] = {}
    settings: list[str] = []
    key = b""
    for line in (*data.split(b"\n"), b""):
        if not line.strip():
            found = _package(fields, tuple(settings))
            if found is not None:
                yield found
            fields, settings, key = {}, [], b""
            continue
        if line[:1] in (b" ", b"\t"):
            if key == b"Conffiles":
                settings.append(path_of(text_of(line).partition(" ")[0]))
            continue
        key, colon, value = line.partition(b":")
        if colon and key in _WANTED:
            fields.setdefault(key, value)


def _package(fields: dict[bytes, bytes], settings: tuple[str, ...]) -> Package | None:
    name = text_of(fields.get(b"Package", b""))
    state = fields.get(b"Status", b"x x installed").split()
    if not name or len(state) < 3 or state[2] in _ABSENT:
        return None
    source, _, version = text_of(fields.get(b"Source", b"")).partition(" ")
    return Package(
        "deb",
        name,
        text_of(fields.get(b"Version", b"")),
        settings,
        architecture=text_of(fields.get(b"Architecture", b"")),
        source=source,
        source_version=version.strip("() "),
        size=number_of(fields.get(b"Installed-Size", b"")) * 1024,
        vendor=text_of(fields.get(b"Maintainer", b""), 300),
    )


def files(data: bytes) -> tuple[str, ...]:
    """What a list of files (`info/NAME.list`) names. Directories are in it, too."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if any("/." in line or "//" in line for line in lines):
        # `/.` is the first line of every list; names that begin with a point are rare.
        return tuple([path for line in lines if (path := path_of(line))])
    return tuple([line.strip("/") for line in lines if len(line) > 1])


def sums(data: bytes) -> tuple[str, ...]:
    """What a list of checksums (`info/NAME.md5sums`) names."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    return tuple([path for line in lines if (path := path_of(line.partition(" ")[2].strip(" *")))])


def licences(data: bytes) -> str:
    """The licences that a file of Debian's copyright names, each once: those of its `License` fields where it is in
    the form that machines read (DEP 5), else those in /usr/share/common-licenses that it points at. Empty for none."""
    found: dict[str, None] = {}
    if b"\nLicense:" in data or data.startswith(b"License:"):
        for match in _LICENSE.finditer(data):
            found.setdefault(" ".join(text_of(match[1], 300).split()))
    else:
        for match in _COMMON.finditer(data):
            found.setdefault(text_of(match[1], 60).rstrip("."))
    return "\n".join(sorted(each for each in found if each)[:_MOST_LICENCES])
