"""dpkg's accounts: the status file, one file for each package as distroless images have them, lists of files."""

from collections.abc import Iterator

from kezuri.packages.package import Package, number_of, path_of, text_of

_WANTED = frozenset((b"Package", b"Status", b"Version", b"Architecture", b"Source", b"Installed-Size"))


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
    if not name or (b"Status" in fields and fields[b"Status"].split()[2:3] != [b"installed"]):
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
