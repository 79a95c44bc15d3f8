"""rpm's accounts: headers of packages, in a database of SQLite, in rpm's own, or in one of Berkeley DB."""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

from kezuri.packages.package import Package, number_of, path_of, text_of

_MOST_ENTRIES = 4096
_MOST_FILES = 2_000_000
_MOST_PACKAGES = 100_000
_MOST_STEPS = 20_000
"""Turns of SQLite's machine, in thousands, that reading a database may take."""
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
_HASH_MAGIC, _PAGE_HEADER = 0x061561, 26
_UNSORTED, _OVERFLOW, _HASH, _OFF_PAGE = 2, 7, 13, 3
_LETTERS: Final = {2: "H", 4: "I", 8: "Q"}
_NAME, _VERSION, _RELEASE, _EPOCH, _SIZE, _LICENCE, _ARCH, _SOURCE = 1000, 1001, 1002, 1003, 1009, 1014, 1022, 1044
_VENDOR = 1011
_OLD_NAMES, _PLACES, _BASENAMES, _DIRNAMES, _LONG_SIZE = 1027, 1116, 1117, 1118, 5009
_ENTRY = Struct(">IIII")


class Unreadable(Exception):
    """The database is none that is read here, or is damaged; the text says which."""


def sqlite(data: bytes) -> Iterator[Package]:
    """The packages of a database of SQLite (`rpmdb.sqlite`). Unreadable where it is none."""
    import sqlite3

    if not data.startswith(b"SQLite format 3\0"):
        raise Unreadable("it is no database of SQLite")
    # A database that had a journal beside it says so; what is in memory cannot have one.
    data = data[:18] + b"\1\1" + data[20:]
    steps = 0

    def enough() -> int:
        nonlocal steps
        steps += 1
        return steps > _MOST_STEPS

    connection = sqlite3.connect(":memory:")
    connection.text_factory = bytes
    try:
        connection.deserialize(data)
        connection.set_progress_handler(enough, 1000)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        if connection.execute("SELECT type FROM sqlite_master WHERE name = 'Packages'").fetchall() != [(b"table",)]:
            raise Unreadable("it has no table of packages")
        rows = connection.execute("SELECT blob FROM Packages")
        yield from _packages((blob for (blob,) in rows if isinstance(blob, bytes)), len(data))
    except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError) as error:
        raise Unreadable(str(error)) from error
    finally:
        connection.close()


def ndb(data: bytes) -> Iterator[Package]:
    """The packages of a database of rpm's own (`Packages.db`). Unreadable where it is none."""
    if data[:4] != b"RpmP" or len(data) < 32:
        raise Unreadable("it is no database of rpm's own")
    yield from _packages(_of_ndb(data), len(data))


def _of_ndb(data: bytes) -> Iterator[bytes]:
    form = Struct("<4sIII")
    end = min(Struct("<I").unpack_from(data, 12)[0] * 4096, len(data))
    for at in range(32, end - form.size + 1, form.size):
        magic, index, offset, _ = form.unpack_from(data, at)
        if magic != b"Slot":
            raise Unreadable("its table of packages is damaged")
        start = offset * 16
        if not index or start + form.size > len(data):
            continue
        word, number, _, size = form.unpack_from(data, start)
        if word == b"BlbS" and number == index:
            yield data[start + form.size : start + form.size + size]


def _packages(headers: Iterable[bytes], size: int) -> Iterator[Package]:
    """The packages of these headers. Unreadable for a database that says far more than its `size` can hold: of one
    that is made for it, every entry has the same pages."""
    room = 2 * size
    for number, blob in enumerate(headers):
        room -= len(blob)
        if room < 0 or number >= _MOST_PACKAGES:
            raise Unreadable("it says more than it can hold")
        found = header(blob)
        if found is not None:
            yield found


def berkeley(data: bytes) -> Iterator[Package]:
    """The packages of a hash of Berkeley DB (`Packages`), as rpm up to 4.15 keeps them. Unreadable where it is none."""
    order = next((each for each in "<>" if data[12:16] == Struct(f"{each}I").pack(_HASH_MAGIC)), "")
    size = Struct(f"{order or '<'}I").unpack_from(data, 20)[0] if len(data) >= _PAGE_HEADER else 0
    if not order or not 512 <= size <= 65536 or data[24]:
        raise Unreadable("it is no hash of Berkeley DB")
    yield from _packages(_of_hash(data, size, order), len(data))


def _of_hash(data: bytes, size: int, order: str) -> Iterator[bytes]:
    short, place = Struct(f"{order}H"), Struct(f"{order}II")
    left = 2 * (len(data) // size + 1)
    for start in range(0, len(data) - _PAGE_HEADER, size):
        if data[start + 25] not in (_HASH, _UNSORTED):
            continue
        count = min(short.unpack_from(data, start + 20)[0], (size - _PAGE_HEADER) // 2)
        # Keys and values in turn.
        for number in range(1, count, 2):
            index = start + _PAGE_HEADER + 2 * number
            if index + 2 > len(data):
                break
            at = start + short.unpack_from(data, index)[0]
            if at + 12 > min(start + size, len(data)) or data[at] != _OFF_PAGE:
                continue  # a header is always larger than a page has room for
            blob, pages = _chain(data, size, order, left, *place.unpack_from(data, at + 4))
            left -= pages
            yield blob


def _chain(data: bytes, size: int, order: str, most: int, page: int, length: int) -> tuple[bytes, int]:
    """A value of Berkeley DB that lies in pages of its own, one after the other, and how many these are."""
    number, filled = Struct(f"{order}I"), Struct(f"{order}H")
    found = bytearray()
    pages = 0
    while page and len(found) < length and pages < most:
        start = page * size
        if start + _PAGE_HEADER > len(data) or data[start + 25] != _OVERFLOW:
            break
        found += data[start + _PAGE_HEADER : start + _PAGE_HEADER + filled.unpack_from(data, start + 22)[0]]
        page = number.unpack_from(data, start + 16)[0]
        pages += 1
    return bytes(found[:length]), pages


def header(blob: bytes) -> Package | None:
    """The package that a header describes; None where it names none."""
    if len(blob) < 8:
        return None
    count, size = Struct(">II").unpack_from(blob, 0)
    start = 8 + count * _ENTRY.size
    if count > _MOST_ENTRIES or start > len(blob):
        return None
    fields = _Fields(blob[start : start + size], {})
    for number in range(count):
        tag, kind, offset, many = _ENTRY.unpack_from(blob, 8 + number * _ENTRY.size)
        fields.places.setdefault(tag, (kind, offset, many))
    name, version, release = (text_of(fields.text(tag)) for tag in (_NAME, _VERSION, _RELEASE))
    if not name or name == "gpg-pubkey":
        return None
    epoch = fields.numbers(_EPOCH)
    version = f"{version}-{release}" if release else version
    sizes = fields.numbers(_LONG_SIZE) or fields.numbers(_SIZE)
    return Package(
        "rpm",
        name,
        f"{epoch[0]}:{version}" if epoch else version,
        tuple(_files(fields)),
        architecture=text_of(fields.text(_ARCH)),
        source=text_of(fields.text(_SOURCE)),
        licence=text_of(fields.text(_LICENCE)),
        size=sizes[0] if sizes else 0,
        vendor=text_of(fields.text(_VENDOR), 300),
    )


def _files(fields: "_Fields") -> Iterator[str]:
    names = fields.texts(_BASENAMES)
    if not names:
        yield from map(path_of, fields.texts(_OLD_NAMES))
        return
    directories = [path_of(each) for each in fields.texts(_DIRNAMES)]
    for name, number in zip(names, fields.numbers(_PLACES)):
        if number < len(directories):
            yield f"{directories[number]}/{name}" if directories[number] else name


class _Fields:
    """The values of a header, where its index says that they are."""

    def __init__(self, store: bytes, places: dict[int, tuple[int, int, int]]) -> None:
        self._store = store
        self.places = places

    def text(self, tag: int) -> bytes:
        kind, offset, _ = self.places.get(tag, (0, 0, 0))
        if kind not in (6, 8, 9) or offset >= len(self._store):
            return b""
        return self._store[offset : max(self._store.find(b"\0", offset), offset)]

    def texts(self, tag: int) -> list[str]:
        kind, offset, count = self.places.get(tag, (0, 0, 0))
        if kind not in (6, 8, 9) or count > _MOST_FILES or offset >= len(self._store):
            return []
        parts = self._store[offset:].split(b"\0", count)[:count]
        return [part.decode("utf-8", "surrogateescape") for part in parts]

    def numbers(self, tag: int) -> tuple[int, ...]:
        kind, offset, count = self.places.get(tag, (0, 0, 0))
        width = _SIZES.get(kind, 0)
        if width not in (2, 4, 8) or count > _MOST_FILES or offset + count * width > len(self._store):
            return ()
        return Struct(f">{count}{_LETTERS[width]}").unpack_from(self._store, offset)


def listed(data: bytes) -> Iterator[Package]:
    """The packages of the list that images without rpm have in the place of its database: one a line, its tags between
    tabs: name, version and release, two times, vendor, nothing, size, architecture, epoch, source."""
    for line in data.split(b"\n"):
        fields = [text_of(field, 300) for field in line.split(b"\t")]
        if len(fields) != 10 or not fields[0] or fields[0] == "gpg-pubkey":
            continue
        name, version, _, _, vendor, _, size, architecture, epoch, source = fields
        yield Package(
            "rpm",
            name,
            f"{epoch}:{version}" if epoch not in ("", "0", "(none)") else version,
            architecture=architecture,
            source=source if source != "(none)" else "",
            size=number_of(size.encode()),
            vendor=vendor if vendor != "(none)" else "",
        )
