"""Entries as tar headers: ustar where it can, PAX records where it must (POSIX pax, "pax Interchange Format")."""

from zlib import adler32

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
OVERLAY_XATTRS = ("trusted.overlay.", "user.overlay.")
"""The kernel's own marks on overlay directories: they never enter a layer, and are never taken from one."""

END = bytes(1024)
"""Two empty blocks end an archive."""

PADDING = [bytes(n) for n in range(512)]
"""PADDING[-size % 512] follows a file's content."""

_TYPES = {"file": "0", "hardlink": "1", "symlink": "2", "char": "3", "block": "4", "dir": "5", "fifo": "6"}
_SECOND = 1_000_000_000
_MOST_ID = 0o7777777
_MOST_OCTAL = 0o77777777777


def _tail(kind: str, link: bytes = b"", device: tuple[int, int] = (0, 0), prefix: bytes = b"") -> bytes:
    """What follows the checksum: type, link, magic, empty owner names, device numbers, prefix of the name."""
    return (
        kind.encode()
        + link.ljust(100, b"\0")
        + b"ustar\x0000"
        + bytes(64)
        + b"%07o\0%07o\0" % device
        + prefix.ljust(155, b"\0")
        + bytes(12)
    )


_PLAIN = {kind: _tail(_TYPES[kind]) for kind in ("file", "dir")}
# adler32 of fewer than 65521 / 127 ASCII bytes holds their plain sum, plus one, in its lower half: the fastest sum
# of bytes that Python has.
_PLAIN_SUM = {kind: (adler32(tail) & 0xFFFF) - 1 + 8 * 0x20 for kind, tail in _PLAIN.items()}


def header(entry: Entry, nanoseconds: bool = False) -> bytes:
    """The blocks that come before the entry's content: one ustar header, with a PAX header before it if need be.

    Times are whole seconds, rounded down, unless `nanoseconds` (then a fraction costs 1 KiB in a PAX record); no
    access or change time, no owner names. Whiteouts and opaque marks carry no metadata. KezuriError for names that
    a layer cannot hold: `.wh.*` is reserved (OCI image spec, layer.md, "Whiteouts").
    """
    path, kind, mode, uid, gid, size, mtime, link, _, xattrs = entry
    if ".wh." in path or "\0" in path:
        _refuse_reserved(path)
    if kind == "file":
        name = path
    elif kind == "dir":
        name = path + "/" if path else "./"
    else:
        return _special(entry, nanoseconds)
    seconds = mtime // _SECOND
    if (
        len(name) <= 100
        and name.isascii()
        and not xattrs
        and uid <= _MOST_ID
        and gid <= _MOST_ID
        and 0 <= seconds <= _MOST_OCTAL
        and size <= _MOST_OCTAL
        and not (nanoseconds and mtime % _SECOND)
    ):
        if not name:
            raise KezuriError.of("a layer entry without a name is not a directory")
        stored = size if kind == "file" else 0
        head = f"{name:\0<100}{mode:07o}\0{uid:07o}\0{gid:07o}\0{stored:011o}\0{seconds:011o}\0".encode()
        return b"%b%06o\0 %b" % (head, (adler32(head) & 0xFFFF) - 1 + _PLAIN_SUM[kind], _PLAIN[kind])
    return _general(entry, name, _TYPES[kind], link, nanoseconds)


def _special(entry: Entry, nanoseconds: bool) -> bytes:
    path, kind = entry.path, entry.kind
    if kind == "opaque":
        name = f"{path}/{OPAQUE}" if path else OPAQUE
        return _general(Entry(path, kind, 0), name, "0", "", False)
    if not path:
        raise KezuriError.of("a layer entry without a name is not a directory")
    if kind == "whiteout":
        parent, _, base = path.rpartition("/")
        name = f"{parent}/{WHITEOUT}{base}" if parent else WHITEOUT + base
        return _general(Entry(path, kind, 0), name, "0", "", False)
    if kind == "char" and entry.device == (0, 0):
        raise KezuriError.of(f"{path}: a character device 0:0 cannot be stored, it means a removed file")
    if kind in ("symlink", "hardlink") and (not entry.link or "\0" in entry.link):
        raise KezuriError.of(f"{path}: a link needs a target")
    return _general(entry, path, _TYPES[kind], entry.link, nanoseconds)


def _general(entry: Entry, name: str, kind: str, link: str, nanoseconds: bool) -> bytes:
    records: list[tuple[str, bytes]] = []
    raw_name = name.encode("utf-8", "surrogateescape")
    raw_link = link.encode("utf-8", "surrogateescape")
    foreign = False
    prefix = b""
    if not name.isascii():
        records.append(("path", raw_name))
        foreign = not _is_utf8(name)
        raw_name = _cut(name)
    elif len(raw_name) > 100:
        split = _split(raw_name)
        if split:
            prefix, raw_name = split
        else:
            records.append(("path", raw_name))
            raw_name = _cut(name)
    if not link.isascii() or len(raw_link) > 100:
        records.append(("linkpath", raw_link))
        foreign = foreign or not _is_utf8(link)
        raw_link = _cut(link)
    size = entry.size if entry.kind == "file" else 0
    if size > _MOST_OCTAL:
        records.append(("size", b"%d" % size))
    uid, gid = entry.uid, entry.gid
    if uid > _MOST_ID:
        records.append(("uid", b"%d" % uid))
    if gid > _MOST_ID:
        records.append(("gid", b"%d" % gid))
    seconds, rest = divmod(entry.mtime, _SECOND)
    if not 0 <= seconds <= _MOST_OCTAL or (nanoseconds and rest):
        records.append(("mtime", _decimal(entry.mtime if nanoseconds else seconds * _SECOND)))
    for key, value in entry.xattrs:
        if not key.startswith(OVERLAY_XATTRS):
            if "=" in key:
                raise KezuriError.of(f"{entry.path}: a layer cannot hold the extended attribute {key!r}")
            records.append(("SCHILY.xattr." + key, value))
    if foreign:
        records.append(("hdrcharset", b"BINARY"))
    if any(not 0 <= number <= _MOST_ID for number in entry.device):
        raise KezuriError.of(f"{entry.path}: a layer cannot hold the device number {entry.device}")
    own = _ustar(
        raw_name,
        entry.mode,
        uid if uid <= _MOST_ID else 0,
        gid if gid <= _MOST_ID else 0,
        size if size <= _MOST_OCTAL else 0,
        seconds if 0 <= seconds <= _MOST_OCTAL else 0,
        _tail(kind, raw_link, entry.device, prefix),
    )
    if not records:
        return own
    body = b"".join(_record(key.encode("utf-8", "surrogateescape"), value) for key, value in sorted(records))
    pax = _ustar(b"PaxHeaders.0/entry", 0o644, 0, 0, len(body), 0, _tail("x"))
    return pax + body + PADDING[-len(body) % 512] + own


def _ustar(name: bytes, mode: int, uid: int, gid: int, size: int, seconds: int, tail: bytes) -> bytes:
    fields = (name, mode, uid, gid, size, seconds)
    head = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (name.ljust(100, b"\0"), *fields[1:])
    return b"%b%06o\0 %b" % (head, (adler32(head + tail) & 0xFFFF) - 1 + 8 * 0x20, tail)


def _record(key: bytes, value: bytes) -> bytes:
    """`length key=value\\n`, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) > len(str(rest)):
        length += 1
    return b"%d %b=%b\n" % (length, key, value)


def _decimal(nanoseconds: int) -> bytes:
    sign = "-" if nanoseconds < 0 else ""
    seconds, rest = divmod(abs(nanoseconds), _SECOND)
    return f"{sign}{seconds}.{rest:09d}".rstrip("0").rstrip(".").encode()


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """The name as prefix (at most 155 bytes) and rest (at most 100), divided at a slash; None if it cannot be."""
    at = name.rfind(b"/", 0, min(156, len(name) - 1))
    if at <= 0 or len(name) - at - 1 > 100:
        return None
    return name[:at], name[at + 1 :]


def _cut(name: str) -> bytes:
    """A shortened name, for the readers that do not know the PAX record with the whole one."""
    cut = name.encode("ascii", "replace")[:100]
    return cut if cut.strip(b"/") else b"_"


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _refuse_reserved(path: str) -> None:
    if "\0" in path:
        raise KezuriError.of(f"{path!r}: a name in a layer cannot hold a NUL byte")
    for part in path.split("/"):
        if part.startswith(WHITEOUT):
            raise KezuriError.of(
                f"{path}: a layer cannot hold a name that begins with {WHITEOUT}",
                hint="such names mark removed files (OCI image spec, layer.md); rename it or leave it out",
            )
