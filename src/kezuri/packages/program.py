"""What compilers write into programs about the packages that they were made of: those of Go, and of Rust by
cargo-auditable."""

import json
import re
from typing import Any, Final

from kezuri.elf.sections import Section, Sections
from kezuri.packages.package import Package, Peek, Record, text_of

_GO_MAGIC: Final = b"\xff Go buildinf:"
_MOST_INFO = 4 << 20
_MOST_RUST = 16 << 20
_MOST_VERSION = 200
_MOST_FLAGS = 20_000
_PSEUDO: Final = re.compile(r"^v0\.0\.0-|[-.]\d{14}-[0-9a-f]{12}\b|\+dirty$")
"""What the compiler makes of a commit where there is no release."""
_VARIABLE: Final = re.compile(
    r"""-X[ =]+["']?(?P<package>[^\s"'=]{1,300})\.(?P<name>(?i:version|\w{1,40}version|releasetag|gittag|tag))="""
    r"""["']?(?P<version>v?\d{1,9}\.\d[\w.+~-]{0,80})"""
)
"""A variable of a program that the linker sets to a version."""


def record(data: Peek) -> Record | None:
    """What a program tells of itself; None where it tells nothing."""
    sections = Sections.of(data)
    if sections is None:
        return None
    found = sections.find(b".go.buildinfo")
    if found is not None:
        return _go(data, sections, found)
    found = sections.find(b".dep-v0")
    return _rust(data, found) if found is not None else None


def _go(data: Peek, sections: Sections, section: Section) -> Record | None:
    head = data.at(section.offset, 32)
    if len(head) < 32 or not head.startswith(_GO_MAGIC):
        return None
    if head[15] & 2:
        raw = data.at(section.offset + 32, min(section.size, _MOST_INFO))
        version, at = _counted(raw, 0)
        modules, _ = _counted(raw, at)
    else:
        # Before Go 1.18: pointers to strings, which lie elsewhere.
        width, order = head[14], "big" if head[15] & 1 else "little"
        if width not in (4, 8):
            return None
        version = _pointed(data, sections, head[16 : 16 + width], order)
        modules = _pointed(data, sections, head[16 + width : 16 + 2 * width], order)
    compiler = text_of(version, _MOST_VERSION).partition(" ")[0]
    if not compiler.startswith(("go", "devel")):
        return None
    packages = _modules(modules[16:-16]) if len(modules) > 33 and modules[-17:-16] == b"\n" else []
    if not packages:
        packages = [Package("golang", "", built_here=True)]
    return Record("program", (*packages, module("stdlib", compiler.removeprefix("go"))))


def _counted(raw: bytes, at: int) -> tuple[bytes, int]:
    """A string behind its length, and where it ends."""
    size = shift = 0
    while at < len(raw) and shift < 63:
        byte = raw[at]
        at += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return raw[at : at + size], at + size
    return b"", len(raw)


def _pointed(data: Peek, sections: Sections, pointer: bytes, order: Any) -> bytes:
    at = sections.offset(int.from_bytes(pointer, order))
    head = data.at(at, 2 * len(pointer)) if at >= 0 else b""
    start = sections.offset(int.from_bytes(head[: len(pointer)], order))
    size = int.from_bytes(head[len(pointer) :], order)
    return data.at(start, size) if start >= 0 and size <= _MOST_INFO else b""


def module(path: str, version: str = "", built_here: bool = False) -> Package:
    """A module of Go."""
    above, _, name = path.rpartition("/")
    return Package("golang", name, version if version != "(devel)" else "", namespace=above, built_here=built_here)


def _modules(text: bytes) -> list[Package]:
    """The module that a program is of, then those that are in it. What was built from a directory, instead of being
    fetched, has no checksum."""
    main: Package | None = None
    found: list[Package] = []
    flags = ""
    for line in text.decode("utf-8", "replace").split("\n"):
        word, *fields = line.split("\t")
        path, version, checksum = (*fields[:3], "", "", "")[:3]
        if len(path) > (_MOST_FLAGS if word == "build" else 500) or len(version) > _MOST_VERSION:
            continue
        if word == "path" and main is None:
            main = module(path, built_here=True)
        elif word == "mod":
            main = module(path, version, not checksum)
        elif word == "dep":
            found.append(module(path, version))
        elif word == "build" and path.startswith("-ldflags="):
            flags = path.removeprefix("-ldflags=")
        elif word == "=>" and found and not path.startswith((".", "/")):
            found[-1] = module(path, version)
    main = main or module("", built_here=True)
    if main.name and flags and (not main.version or _PSEUDO.search(main.version)):
        main = main._replace(version=_given(flags, main.full_name) or main.version)
    return [main, *found]


def _given(flags: str, path: str) -> str:
    """The version that a program's maker had the linker write into it (`-X main.version=1.2.3`), with the `v` that
    versions of modules have; empty for none."""
    if flags[:1] in ('"', "`"):
        flags = flags[1:-1].replace('\\"', '"')
    best, closest = "", 0
    for match in _VARIABLE.finditer(flags):
        package, version = match["package"], match["version"]
        own = package == "main" or f"{package}/".startswith(f"{path}/")
        rank = 3 if own and match["name"].lower() == "version" else 2 if own else 1
        if rank > closest:
            best, closest = version, rank
    return f"v{best.removeprefix('v')}" if best else ""


def _rust(data: Peek, section: Section) -> Record | None:
    import zlib

    if section.size > _MOST_RUST:
        return None
    try:
        unpacker = zlib.decompressobj()
        document: Any = json.loads(unpacker.decompress(data.at(section.offset, section.size), _MOST_RUST))
    except (ValueError, RecursionError, zlib.error):
        return None
    crates = document.get("packages") if isinstance(document, dict) else None
    main: Package | None = None
    found: list[Package] = []
    for crate in crates if isinstance(crates, list) else ():
        if not isinstance(crate, dict) or crate.get("kind", "runtime") != "runtime":
            continue
        name, version = crate.get("name"), crate.get("version")
        if not isinstance(name, str) or not isinstance(version, str):
            continue
        package = Package("cargo", name[:500], version[:_MOST_VERSION])
        if crate.get("root") is True:
            main = package._replace(built_here=crate.get("source") in (None, "local"))
        else:
            found.append(package)
    if main is None and not found:
        return None
    return Record("program", (main or Package("cargo", "", built_here=True), *found))
