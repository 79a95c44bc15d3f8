"""Files that hold records of packages: programs, archives and databases, put together byte by byte."""

import io
import os
import sqlite3
import zipfile
from struct import pack

CASES = os.path.join(os.path.dirname(__file__), "cases")
"""What real programs wrote: sections of programs that Go 1.26 and cargo-auditable 0.7 made, a header of rpm 4.18."""


def case(name: str) -> bytes:
    """The bytes that a real program wrote."""
    with open(os.path.join(CASES, name), "rb") as file:
        return file.read()


def elf_with(sections: dict[str, bytes], wide: bool = True, little: bool = True, address: int = 0) -> bytes:
    """An ELF file with these sections, of no use but to be looked into. The first one is loaded at `address`."""
    order = "<" if little else ">"
    names = b"\0"
    body = b""
    start = 64 + 56
    rows = [(0, 0, 0, 0)]
    for name, data in {**sections, ".shstrtab": b""}.items():
        at = len(names)
        names += name.encode() + b"\0"
        if name == ".shstrtab":
            data = names
        rows.append((at, 3 if name == ".shstrtab" else 1, start + len(body), len(data)))
        body += data
    table = b""
    for at, kind, offset, size in rows:
        form = f"{order}IIQQQQIIQQ" if wide else f"{order}IIIIIIIIII"
        table += pack(form, at, kind, 0, 0, offset, size, 0, 0, 0, 0)
    end = start + len(body)
    load = len(next(iter(sections.values()), b""))
    head = b"\x7fELF" + bytes([2 if wide else 1, 1 if little else 2, 1]) + bytes(9)
    if wide:
        head += pack(f"{order}HHIQQQIHHHHHH", 2, 62, 1, 0, 64, end, 0, 64, 56, 1, 64, len(rows), len(rows) - 1)
        segment = pack(f"{order}IIQQQQQQ", 1, 4, start, address, address, load, load, 8)
    else:
        head += pack(f"{order}HHIIIIIHHHHHH", 2, 40, 1, 0, 52, end, 0, 52, 32, 1, 40, len(rows), len(rows) - 1)
        segment = pack(f"{order}IIIIIIII", 1, start, address, address, load, load, 4, 8)
    return (head + segment).ljust(start, b"\0") + body + table


def go_info(version: str, modules: str) -> bytes:
    """What Go 1.18 and later write."""
    text = (b"0" * 16 + modules.encode() + b"1" * 16) if modules else b""
    parts = b""
    for each in (version.encode(), text):
        size, length = len(each), b""
        while size >= 0x80:
            length += bytes([size & 0x7F | 0x80])
            size >>= 7
        parts += length + bytes([size]) + each
    return b"\xff Go buildinf:\x08\x02" + bytes(16) + parts


MODULES = (
    "path\texample.com/tool/cmd\nmod\texample.com/tool\tv1.2.3\th1:abc=\ndep\tgolang.org/x/sys\tv0.1.0\th1:x=\n"
    "dep\tgopkg.in/yaml.v3\tv3.0.0\n=>\tgithub.com/fork/yaml\tv3.0.9\th1:y=\ndep\texample.com/own\tv0.0.0\n=>\t./own\t\n"
    "build\t-compiler=gc\n"
)


def jar(files: dict[str, bytes | str]) -> bytes:
    """A zip of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def pom(group: str, name: str, version: str) -> dict[str, bytes | str]:
    """What Maven puts into a jar."""
    text = f"#Created by Maven\nversion={version}\ngroupId={group}\nartifactId={name}\n"
    return {f"META-INF/maven/{group}/{name}/pom.properties": text}


def rpm_sqlite(*headers: bytes, script: str = "") -> bytes:
    """A database of rpm in SQLite, that says of itself to have a journal beside it."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"
    )
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(each,) for each in headers])
    connection.commit()
    connection.executescript(script)
    data = connection.serialize()
    connection.close()
    return data[:18] + b"\2\2" + data[20:]


def rpm_ndb(*headers: bytes) -> bytes:
    """A database of rpm's own."""
    slots, blobs = bytearray(4096), b""
    slots[:32] = pack("<4sIIIIIII", b"RpmP", 0, 1, 1, len(headers) + 1, 0, 0, 0)
    for at in range(32, 4096, 16):
        slots[at : at + 16] = pack("<4sIII", b"Slot", 0, 0, 0)
    for number, header in enumerate(headers):
        blob = pack("<4sIII", b"BlbS", number + 1, 1, len(header)) + header
        blob += bytes(-len(blob) % 16)
        at = 32 + 32 * number  # every other slot is free
        slots[at : at + 16] = pack("<4sIII", b"Slot", number + 1, (4096 + len(blobs)) // 16, len(blob) // 16)
        blobs += blob
    return bytes(slots) + blobs


def rpm_berkeley(*headers: bytes, little: bool = True, size: int = 512) -> bytes:
    """A hash of Berkeley DB with all entries on one page, and the headers on pages of their own."""
    order = "<" if little else ">"
    pages: list[bytes] = []

    def page(number: int, kind: int, after: int, entries: int, filled: int, body: bytes) -> bytes:
        head = pack(f"{order}8sIIIHHBB", b"", number, 0, after, entries, filled, 0, kind)
        return (head + body).ljust(size, b"\0")

    room = size - 26
    index, items, at = b"", b"", size
    first = 2
    for number, header in enumerate((b"", *headers)):
        value = pack(f"{order}BI", 1, len(headers))
        if number:
            pieces = [header[place : place + room] for place in range(0, len(header), room)]
            value = pack(f"{order}B3sII", 3, b"", first, len(header))
            for piece in pieces:
                after = first + 1 if piece is not pieces[-1] else 0
                pages.append(page(first, 7, after, 1, len(piece), piece))
                first += 1
        for each in (pack(f"{order}BI", 1, number), value):
            at -= len(each)
            index, items = index + pack(f"{order}H", at), each + items
    meta = pack(f"{order}8sIIII", b"", 0, 0x061561, 9, size) + bytes([0, 8])
    entries = page(1, 13, 0, 2 * len(headers) + 2, at, index.ljust(at - 26, b"\0") + items)
    return meta.ljust(size, b"\0") + entries + b"".join(pages)


def rpm_header(**tags: object) -> bytes:
    """A header with texts, lists of texts and numbers, by number of their tag (`t1000`)."""
    index, store = b"", b""
    for word, value in tags.items():
        tag = int(word[1:])
        if isinstance(value, str):
            index += pack(">IIII", tag, 6, len(store), 1)
            store += value.encode() + b"\0"
        elif isinstance(value, int):
            store += bytes(-len(store) % 4)
            index += pack(">IIII", tag, 4, len(store), 1)
            store += pack(">I", value)
        else:
            assert isinstance(value, list)
            if value and isinstance(value[0], int):
                store += bytes(-len(store) % 4)
                index += pack(">IIII", tag, 4, len(store), len(value))
                store += pack(f">{len(value)}I", *value)
            else:
                index += pack(">IIII", tag, 8, len(store), len(value))
                store += b"".join(each.encode() + b"\0" for each in value)
    return pack(">II", len(index) // 16, len(store)) + index + store
