"""Which C library an image has, and where its loader finds libraries."""

from fnmatch import fnmatchcase

from kezuri.check.image.binaries import Binaries, Binary
from kezuri.check.image.subject import Image
from kezuri.check.image.texts import Texts
from kezuri.elf.machines import architecture
from kezuri.elf.reader import Elf
from kezuri.elf.search import common_path, configured, own_path
from kezuri.tree.tree import clean

_LOADERS = ("lib", "lib64", "usr/lib", "usr/lib64", "lib32", "usr/lib32", "libx32")


_MOST_LOOKED_UP = 500_000
"""Paths that are looked up for loaders, in all."""


class Linking:
    """The loaders of an image and the directories that they look into."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._directories: dict[str, tuple[str, ...]] = {}
        self._present: dict[str, bool] = {}
        self.musl, self.glibc = self._loaders()
        self.sure = True
        """Whether everything was read that says where the loader looks."""

    def _loaders(self) -> tuple[bool, bool]:
        """Whether there is a loader of musl's, and one of glibc's (that of gcompat or libc6-compat counts, too)."""
        musl = glibc = False
        for directory in _LOADERS:
            resolved = self._image.resolve(directory)
            for found in self._image.tree.scan(resolved):
                name = found.entry.path.rpartition("/")[2]
                musl = musl or name.startswith("ld-musl-")
                glibc = glibc or name.startswith(("ld-linux", "ld64.so"))
            if not glibc:
                for found in self._image.tree.scan(resolved):
                    entry = found.entry
                    if entry.kind == "dir" and entry.path.endswith(("-linux-gnu", "-linux-gnueabihf")):
                        glibc = self._image.tree.lookup(f"{entry.path}/libc.so.6") is not None
        return musl, glibc

    def exists(self, path: str) -> bool:
        """Whether the image has something at the path, links followed."""
        known = self._present.get(path)
        if known is None:
            if len(self._present) >= _MOST_LOOKED_UP:
                return True  # Nobody is blamed for what was not looked up.
            known = self._present[path] = self._image.find(path) is not None
        return known

    def lacking(self, path: str, elf: Elf) -> tuple[str, ...]:
        """The libraries that the loader does not find for this file, nor for those that it brings along."""
        missing: list[str] = []
        seen: set[str] = set()
        loaded: set[str] = {elf.soname} if elf.soname else set()
        todo: list[tuple[str, Elf, tuple[str, ...]]] = [(path, elf, ())]
        while todo and len(seen) < 4096:
            at, one, inherited = todo.pop()
            directory = at.rpartition("/")[0]
            own = tuple(clean(each) for each in own_path(one, directory))
            passed = inherited if one.runpath else (*own, *inherited)
            for name in one.needed:
                if name in seen or name in loaded:
                    continue
                seen.add(name)
                found = self._where(name, directory, one, own, inherited)
                if found is None:
                    missing.append(name)
                    continue
                program = self._image.program(found)
                if program is not None and program.elf is not None:
                    loaded.add(program.elf.soname)
                    todo.append((found, program.elf, passed if one.rpath and not one.runpath else inherited))
        return tuple(missing)

    def _where(
        self, name: str, directory: str, elf: Elf, own: tuple[str, ...], inherited: tuple[str, ...]
    ) -> str | None:
        if "/" in name:
            for origin in ("$ORIGIN", "${ORIGIN}"):
                name = name.replace(origin, f"/{directory}")
            path = clean(name if name.startswith("/") else f"{self._image.directory}/{name}")
            return self._image.resolve(path) if self.exists(path) else None
        if name.startswith(("ld-linux", "ld-musl-", "linux-vdso", "libc.musl-")) and self.exists(
            clean(elf.interpreter)
        ):
            return self._image.resolve(elf.interpreter)
        if name == "libc.so" and self.musl:
            return ""
        given = self._image.environment.get("LD_LIBRARY_PATH", "")
        told = tuple(clean(each) for each in given.replace(";", ":").split(":") if each)
        for each in (*inherited, *own, *told, *self.directories(elf)):
            path = f"{each}/{name}" if each else name
            if self.exists(path):
                return self._image.resolve(path)
        return None

    def directories(self, elf: Elf) -> tuple[str, ...]:
        """Where the loader looks without the file's asking."""
        kind = architecture(elf)
        known = self._directories.get(kind)
        if known is None:
            known = self._directories[kind] = (*self._configured(), *common_path(kind))
        return known

    def _configured(self) -> tuple[str, ...]:
        found: list[str] = []
        texts = self._image.gathered(Texts) if self._image.has_gathered(Texts) else None
        names = ["etc/ld.so.conf"]
        names += [
            f"etc/{e.entry.path.rpartition('/')[2]}"
            for e in self._image.tree.scan(self._image.resolve("etc"))
            if fnmatchcase(e.entry.path, "*/ld-musl-*.path")
        ]
        seen: set[str] = set()
        while names and len(seen) < 256:
            name = names.pop()
            if name in seen:
                continue
            seen.add(name)
            raw = texts(self._image, name) if texts is not None else self._image.read(name) or b""
            if not raw and texts is None and (entry := self._image.find(name)) is not None and entry.size:
                self.sure = False
            directories, includes = configured(raw.decode("utf-8", "surrogateescape"))
            found += [clean(directory) for directory in directories]
            for pattern in includes:
                pattern = clean(pattern if pattern.startswith("/") else f"etc/{pattern}")
                parent = pattern.rpartition("/")[0]
                names += [
                    e.entry.path
                    for e in self._image.tree.scan(self._image.resolve(parent))
                    if fnmatchcase(e.entry.path, pattern)
                ]
        return tuple(dict.fromkeys(found))


def package_of(path: str) -> str:
    """The directory of the package that a module belongs to: below the last `node_modules` or `site-packages`; empty
    for none."""
    parts = path.split("/")
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "node_modules":
            end = index + (3 if parts[index + 1].startswith("@") else 2)
            return "/".join(parts[:end])
        if parts[index] in ("site-packages", "dist-packages"):
            return "/".join(parts[: index + 2])
    return ""


def modules(binaries: Binaries) -> list[Binary]:
    """The native modules of packages, which a program loads."""
    return [each for each in binaries.found if package_of(each.path) and not each.elf.program]
