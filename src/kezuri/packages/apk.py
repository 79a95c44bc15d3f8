"""apk's accounts: one database, with the files of every package."""

from collections.abc import Iterator

from kezuri.packages.package import Package, number_of, path_of, text_of


def installed(data: bytes) -> Iterator[Package]:
    """The packages of a database, each with its files."""
    fields: dict[bytes, bytes] = {}
    files: list[str] = []
    directory = ""
    for line in (*data.split(b"\n"), b""):
        if not line:
            name = text_of(fields.get(b"P", b""))
            if name:
                source = text_of(fields.get(b"o", b""))
                yield Package(
                    "apk",
                    name,
                    text_of(fields.get(b"V", b"")),
                    tuple(files),
                    architecture=text_of(fields.get(b"A", b"")),
                    source=source if source != name else "",
                    licence=text_of(fields.get(b"L", b"")),
                    size=number_of(fields.get(b"I", b"")),
                    vendor=text_of(fields.get(b"m", b""), 300),
                )
            fields, files, directory = {}, [], ""
            continue
        key, colon, value = line.partition(b":")
        if not colon:
            continue
        if key == b"R":
            name = value.decode("utf-8", "surrogateescape")
            files.append(path_of(directory, name))
        elif key == b"F":
            directory = path_of(value.decode("utf-8", "surrogateescape"))
        elif len(key) == 1:
            fields.setdefault(key, value)
