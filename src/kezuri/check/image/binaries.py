"""The ELF files of an image, gathered."""

from typing import NamedTuple

from kezuri.anatomy.reading import Peek
from kezuri.anatomy.walk import Item
from kezuri.check.image.program import Program, inspect
from kezuri.check.image.subject import Gathering, Image
from kezuri.elf.reader import Elf

_MOST_NAMES = 8 << 20
"""Characters that the names of libraries may have in all; of further files it is not known what they need."""


class Binary(NamedTuple):
    """An ELF file that the image shows."""

    path: str
    layer: int
    elf: Elf
    executable: bool


class Binaries(Gathering):
    """Every ELF file that the image shows and that may be started or loaded, and all scripts that may be started."""

    def __init__(self) -> None:
        self.found: list[Binary] = []
        self._programs: dict[str, Program] = {}
        self._scripts: dict[Program, Program] = {}
        self._weight = 0
        self.basenames: dict[str, list[str]] = {}
        """Where files and links lie that are called like libraries or modules."""

    def take(self, item: Item) -> bool:
        """As Gathering says."""
        entry = item.entry
        if not item.visible or entry.kind not in ("file", "symlink", "hardlink"):
            return False
        name = entry.path.rpartition("/")[2]
        library = ".so" in name or name.endswith(".node")
        if library:
            self.basenames.setdefault(name, []).append(entry.path)
        return entry.kind == "file" and entry.size > 3 and (library or bool(entry.mode & 0o111))

    def read(self, item: Item, data: Peek) -> None:
        """As Gathering says."""
        program = inspect(data)
        if program.elf is not None:
            self._weight += sum(map(len, program.elf.needed)) + len(program.elf.needed)
            if self._weight > _MOST_NAMES:
                program = Program(program.elf._replace(needed=()))
        else:
            program = self._scripts.setdefault(program, program)  # there may be very many of one kind
        self._programs[item.path] = program
        if program.elf is not None:
            self.found.append(Binary(item.path, item.layer, program.elf, bool(item.entry.mode & 0o111)))

    def finish(self, image: Image) -> None:
        """As Gathering says."""
        for path, program in self._programs.items():
            image.know(path, program)
        self.found.sort()
