"""The smallest ELF files that say a given thing: examples of rules and tests are made of them."""

from struct import pack

_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
_BASE = 0x400000


def minimal_elf(
    interpreter: str = "",
    needed: tuple[str, ...] = (),
    machine: int = 62,
    runpath: str = "",
    soname: str = "",
    library: bool = False,
) -> bytes:
    """A 64-bit little-endian file with these headers and no code. It is statically linked where nothing is said."""
    strings, tags = bytearray(b"\0"), []
    for tag, texts in ((1, needed), (29, (runpath,) if runpath else ()), (14, (soname,) if soname else ())):
        for text in texts:
            tags.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    loader = interpreter.encode() + b"\0" if interpreter else b""
    dynamic = bool(tags or library)
    count = 1 + bool(loader) + dynamic
    at = 64 + 56 * count
    body = loader + bytes(strings)
    start = (at + len(body) + 7) // 8 * 8
    entries = [*tags, (5, _BASE + at + len(loader)), (10, len(strings)), (0, 0)] if dynamic else []
    section = b"".join(pack("<qQ", *entry) for entry in entries)
    whole = start + len(section)
    headers = [_header(_LOAD, 0, whole)]
    if loader:
        headers.append(_header(_INTERP, at, len(loader)))
    if dynamic:
        headers.append(_header(_DYNAMIC, start, len(section)))
    head = (
        b"\x7fELF\2\1\1"
        + bytes(9)
        + pack("<HHIQQQIHHHHHH", 3 if library else 2, machine, 1, 0, 64, 0, 0, 64, 56, count, 64, 0, 0)
    )
    return (head + b"".join(headers) + body).ljust(start, b"\0") + section


def _header(kind: int, offset: int, size: int) -> bytes:
    return pack("<IIQQQQQQ", kind, 5, offset, _BASE + offset, _BASE + offset, size, size, 8)
