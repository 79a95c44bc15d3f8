"""Reads what the kernel and a dynamic loader look at in an ELF file; nothing of it is believed."""

from struct import Struct
from typing import Final, NamedTuple, Protocol

MAGIC: Final = b"\x7fELF"
MOST_HEADERS = 4096
"""Program headers that are looked at. Real files have a dozen."""
MOST_DYNAMIC = 1 << 20
"""Bytes of the dynamic section that are looked at."""
MOST_NEEDED = 2048
"""Libraries that a file may ask for. The most that real ones ask for are some hundred."""
MOST_TEXT = 4096
"""Bytes that a name or a search path may have: as many as a path of Linux."""

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH, _DT_FLAGS_1 = 0, 1, 5, 14, 15, 29, 0x6FFFFFFB
_DF_1_PIE = 0x08000000


class Bytes(Protocol):
    """A file's bytes, wherever they are."""

    def at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer where the file ends."""
        ...


class Elf(NamedTuple):
    """What an ELF file asks for.

    `bits` is 32 or 64, `machine` the number that it has in ELF. `kind` is what the file says it is. `interpreter` is
    the loader that it wants, empty for none. `needed`, `rpath`, `runpath` and `soname` are those of the dynamic
    section, which a statically linked file does not have (`dynamic`). `broken` says what could not be read; then the
    rest is what came before that.
    """

    bits: int
    little: bool
    machine: int
    kind: str
    interpreter: str = ""
    dynamic: bool = False
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    soname: str = ""
    broken: str = ""

    @property
    def program(self) -> bool:
        """Whether it can be started, and is not only loaded by others."""
        return self.kind == "program"


class _Broken(Exception):
    """The file does not hold what it says to hold."""


def read_elf(data: Bytes) -> Elf | None:
    """What the file is; None for one that is no ELF file. Few of its bytes are read, however it was made."""
    head = data.at(0, 64)
    if head[:4] != MAGIC or len(head) < 52:
        return None
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    if head[4] not in (1, 2) or head[5] not in (1, 2) or (wide and len(head) < 64):
        return None
    kind, machine = Struct(f"{order}HH").unpack_from(head, 16)
    elf = Elf(64 if wide else 32, order == "<", machine, _KINDS.get(kind, "other"))
    if kind not in (2, 3):
        return elf
    reader = _Reader(data, wide, order)
    try:
        reader.headers(head)
        interpreter = reader.interpreter()
        elf = elf._replace(interpreter=interpreter)
        return reader.dynamic(elf)
    except _Broken as broken:
        return elf._replace(broken=str(broken))


_KINDS = {1: "object", 2: "program", 3: "library", 4: "core"}


class _Reader:
    def __init__(self, data: Bytes, wide: bool, order: str) -> None:
        self._data = data
        self._wide = wide
        self._order = order
        self._loads: list[tuple[int, int, int]] = []
        self._dynamic: tuple[int, int] | None = None
        self._interpreter: tuple[int, int] | None = None

    def headers(self, head: bytes) -> None:
        """Find the segments that count."""
        if self._wide:
            start, (size, count) = Struct(f"{self._order}Q").unpack_from(head, 32)[0], self._pair(head, 54)
            header = Struct(f"{self._order}IIQQQQQQ")
        else:
            start, (size, count) = Struct(f"{self._order}I").unpack_from(head, 28)[0], self._pair(head, 42)
            header = Struct(f"{self._order}IIIIIIII")
        if not count:
            return
        if count > MOST_HEADERS or size < header.size or size > 4096:
            raise _Broken("the table of its segments is of no possible size")
        table = self._exactly(start, size * count, "the table of its segments")
        for number in range(count):
            if self._wide:
                kind, _, offset, address, _, length, _, _ = header.unpack_from(table, number * size)
            else:
                kind, offset, address, _, length, _, _, _ = header.unpack_from(table, number * size)
            if kind == _PT_LOAD:
                self._loads.append((address, offset, length))
            elif kind == _PT_DYNAMIC and self._dynamic is None:
                self._dynamic = (offset, length)
            elif kind == _PT_INTERP and self._interpreter is None:
                self._interpreter = (offset, length)

    def interpreter(self) -> str:
        """The loader's path; empty for none."""
        if self._interpreter is None:
            return ""
        offset, length = self._interpreter
        if not 1 < length <= MOST_TEXT:
            raise _Broken("the name of its loader is of no possible length")
        return _text(self._exactly(offset, length, "the name of its loader").partition(b"\0")[0])

    def dynamic(self, elf: Elf) -> Elf:
        """The file with what its dynamic section says."""
        if self._dynamic is None:
            return _judged(elf, 0)
        elf = elf._replace(dynamic=True)
        offset, length = self._dynamic
        pair = Struct(f"{self._order}qQ" if self._wide else f"{self._order}iI")
        length = min(length, MOST_DYNAMIC)
        raw = self._data.at(offset, length)
        needed: list[int] = []
        paths: dict[int, int] = {}
        strings, flags = -1, 0
        for tag, value in pair.iter_unpack(raw[: len(raw) - len(raw) % pair.size]):
            if tag == _DT_NULL:
                break
            if tag == _DT_NEEDED:
                needed.append(value)
            elif tag == _DT_STRTAB:
                strings = self._offset(value)
            elif tag in (_DT_SONAME, _DT_RPATH, _DT_RUNPATH):
                paths[tag] = value
            elif tag == _DT_FLAGS_1:
                flags = value
        else:
            if len(raw) < length:
                raise _Broken("its dynamic section lies outside of it")
        if not needed and not paths:
            return _judged(elf, flags)
        if strings < 0:
            raise _Broken("the names in its dynamic section lie outside of it")
        if len(needed) > MOST_NEEDED:
            raise _Broken(f"it asks for {len(needed)} libraries")

        def said(tag: int) -> str:
            return self._name(strings, paths[tag]) if tag in paths else ""

        elf = elf._replace(
            needed=tuple(dict.fromkeys(self._name(strings, at) for at in needed)),
            soname=said(_DT_SONAME),
            rpath=_split(said(_DT_RPATH)),
            runpath=_split(said(_DT_RUNPATH)),
        )
        return _judged(elf, flags)

    def _name(self, strings: int, at: int) -> str:
        if at >= 1 << 40:
            raise _Broken("a name in its dynamic section lies outside of it")
        found, end, _ = self._data.at(strings + at, MOST_TEXT).partition(b"\0")
        if not end:
            raise _Broken("a name in its dynamic section has no end")
        return _text(found)

    def _offset(self, address: int) -> int:
        """Where in the file the address lies; -1 for nowhere."""
        for start, offset, length in self._loads:
            if start <= address < start + length:
                return offset + address - start
        return -1

    def _exactly(self, offset: int, size: int, what: str) -> bytes:
        found = self._data.at(offset, size)
        if len(found) < size:
            raise _Broken(f"{what} lies outside of it")
        return found

    def _pair(self, head: bytes, at: int) -> tuple[int, int]:
        first, second = Struct(f"{self._order}HH").unpack_from(head, at)
        return first, second


def _judged(elf: Elf, flags: int) -> Elf:
    """A position-independent program looks like a library but for its flag, or for having a loader and no name: there
    are libraries that can be started, too (libc itself)."""
    if elf.kind == "library" and (flags & _DF_1_PIE or (elf.interpreter and not elf.soname)):
        return elf._replace(kind="program")
    return elf


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _split(paths: str) -> tuple[str, ...]:
    return tuple(path for path in paths.split(":") if path)
