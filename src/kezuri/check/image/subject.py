"""A finished image as rules see it: its config, its history, the files of each layer, and what they make together."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kezuri.anatomy.history import History, Line
from kezuri.anatomy.reading import InMemory, Peek, read_all
from kezuri.anatomy.walk import Item, walk
from kezuri.check.image.blotting import blotted
from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.oci.config import ImageConfig
from kezuri.tree.content import InTar
from kezuri.tree.layers import IMPLIED, LayerForm
from kezuri.tree.stack import StackView
from kezuri.tree.tree import Found, clean

if TYPE_CHECKING:
    from kezuri.check.image.program import Program
    from kezuri.check.rule import Finding
    from kezuri.diagnostics import SourceText
    from kezuri.plan.facts import StageFacts

MOST_ENTRIES = 1_000_000
"""Entries that an image may have for its files to be checked."""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The PATH of a container whose image sets none."""


_ALONE = frozenset(
    ("sh", "bash", "ash", "zsh", "node", "python", "python3", "irb", "php", "-a", "jshell", "perl", "go")
)
_DEVELOPMENT = re.compile(
    r"\brun (?:dev|test|lint|build|watch)\b|\brun start:dev\b|\bnpm test\b|\b(?:nodemon|jest|vitest|pytest)\b"
    r"|--reload\b|\bsleep infinity\b"
)


class Gathering:
    """What rules of one kind collect while the entries of an image go by, once for all rules."""

    def take(self, item: Item) -> bool:
        """Take note of an entry; True where its bytes are wanted."""
        raise NotImplementedError

    def read(self, item: Item, data: Peek) -> None:
        """Look into a file that was wanted."""

    def finish(self, image: "Image") -> None:
        """Everything has gone by."""


_G = TypeVar("_G", bound=Gathering)
_T = TypeVar("_T")


class Built(NamedTuple):
    """The Dockerfile that an image was built from, as it was evaluated: the stages that its config and history come
    from, the last one first."""

    source: "SourceText"
    stages: tuple["StageFacts", ...]


class Image:
    """An image to be checked. `layers` are its own, lowest first; `name` is what a user calls it.

    `base_layers` is how many of them came with the base image, where that is known. `scratch` is a directory for large
    files that are looked into. `names` are the names that it has in the store. What could not be looked at is told to
    `unchecked`. `readable` says of a layer that only a tar has whether single files of it may be read: it costs reading
    the tar up to there.
    """

    def __init__(
        self,
        name: str,
        config: ImageConfig,
        layers: Sequence[LayerForm],
        history: History,
        *,
        base_layers: int | None = None,
        scratch: str = "",
        names: tuple[str, ...] = (),
        built: Built | None = None,
        unchecked: Callable[[str], None] = lambda text: None,
        readable: Callable[[int], bool] = lambda layer: True,
    ) -> None:
        self.name = name
        self.config = config
        self.layers = tuple(layers)
        self.history = history
        self.base_layers = base_layers
        self.names = names
        self.built = built
        self.unchecked = unchecked
        self.tree = StackView(self.layers, name)
        self.environment = config.env_map()
        self._scratch = scratch
        self._readable = readable
        self._gathered: dict[type[Gathering], Gathering] = {}
        self._failed: dict[type[Gathering], Exception] = {}
        self._programs: dict[str, Program | None] = {}
        self._remembered: dict[str, Any] = {}

    def text_of(self, finding: "Finding") -> "SourceText":
        """Where a finding stands: in the Dockerfile where it names an instruction, else in the history."""
        return self.built.source if finding.node is not None and self.built is not None else self.history.source

    # what is gathered

    def gather(self, kinds: Iterable[type[Gathering]]) -> None:
        """Let the entries go by once for all of these. KezuriError where a layer cannot be read, or there are too
        many."""
        made = [kind() for kind in dict.fromkeys(kinds) if kind not in self._gathered and kind not in self._failed]
        if not made:
            return
        readers: dict[int, tuple[Gathering, ...]] = {}
        groups: dict[tuple[Gathering, ...], tuple[Gathering, ...]] = {}
        wanted: list[Item] = []
        for number, item in enumerate(walk(self.layers)):
            if number >= MOST_ENTRIES:
                raise KezuriError.of(
                    f"{self.name} has more than {MOST_ENTRIES:,} files: they are not checked",
                    hint="checks of its config are made all the same",
                )
            takers = tuple([gathering for gathering in made if self._take(gathering, item)])
            if self._failed:
                made = [gathering for gathering in made if type(gathering) not in self._failed]
            if takers:
                readers[id(item)] = groups.setdefault(takers, takers)
                wanted.append(item)

        def read(item: Item, data: Peek) -> None:
            for gathering in readers[id(item)]:
                if type(gathering) not in self._failed:
                    self._guarded(gathering, lambda gathering=gathering: gathering.read(item, data))  # type: ignore[misc]

        read_all(wanted, read, self._scratch, self._unread)
        for gathering in made:
            self._gathered[type(gathering)] = gathering
        for gathering in made:
            if type(gathering) not in self._failed:
                self._guarded(gathering, lambda gathering=gathering: gathering.finish(self))  # type: ignore[misc]

    def _take(self, gathering: Gathering, item: Item) -> bool:
        try:
            return gathering.take(item)
        except (MemoryError, KeyboardInterrupt, KezuriError):
            raise
        except Exception as error:
            self._failed[type(gathering)] = error
            return False

    def _guarded(self, gathering: Gathering, work: Callable[[], object]) -> None:
        try:
            work()
        except (MemoryError, KeyboardInterrupt, KezuriError):
            raise
        except Exception as error:
            self._failed[type(gathering)] = error

    def gathered(self, kind: type[_G]) -> _G:
        """What this kind of gathering found. Where it raised, its error: those rules are defective that ask for it."""
        if kind in self._failed:
            raise self._failed[kind]
        found = self._gathered.get(kind)
        if found is None:
            self.gather([kind])
            found = self._gathered[kind]
        assert isinstance(found, kind)
        return found

    def has_gathered(self, kind: type[Gathering]) -> bool:
        """Whether the entries went by this kind of gathering already."""
        return kind in self._gathered

    def remembered(self, what: str, make: Callable[[], _T]) -> _T:
        """Something that several rules want to know, made once."""
        if what not in self._remembered:
            self._remembered[what] = make()
        found: _T = self._remembered[what]
        return found

    def _unread(self, item: Item | None, why: str) -> None:
        self.unchecked(why if item is None else f"/{item.path} could not be read: {why}")

    # single files

    def resolve(self, path: str) -> str:
        """The path with its links followed; as it is where they lead round."""
        try:
            return self.tree.resolve(path)
        except KezuriError:
            return clean(path)

    def find(self, path: str) -> Entry | None:
        """What the image shows at a path, whose links are followed."""
        try:
            return self.tree.lookup(self.tree.resolve(path))
        except KezuriError:
            return None

    def layer_of(self, path: str) -> int:
        """The layer that what the image shows at a path comes from; -1 for nothing. No link is followed."""
        for number in range(len(self.layers) - 1, -1, -1):
            own = self.layers[number].find(path)
            if own is not None and own is not IMPLIED:
                return number
        return -1

    def read(self, path: str, limit: int = 1 << 20) -> bytes | None:
        """A file's bytes, its links followed; None where there is none, it is larger, or it costs too much."""
        try:
            at = self.tree.resolve(path)
            found = self.tree.stat(at)
            if found is None or not self._cheap(found, at):
                return None
            return self.tree.read(at, limit)
        except KezuriError:
            return None

    def _cheap(self, found: Found, path: str) -> bool:
        return not isinstance(found.content, InTar) or self._readable(self.layer_of(path))

    def program(self, path: str) -> "Program | None":
        """What the file at a path, whose links are followed already, is to the kernel; None where it is no regular
        file, or finding that out costs too much."""
        if path not in self._programs:
            from kezuri.check.image.program import inspect

            found = self.tree.stat(path)
            if found is None or found.entry.kind != "file" or not self._cheap(found, path):
                self._programs[path] = None
            else:
                seen: list[Program] = []
                item = Item(found.entry, self.layer_of(path), -1, found.content)
                read_all([item], lambda _, data: seen.append(inspect(data)), self._scratch, self._unread)
                self._programs[path] = seen[0] if seen else inspect(InMemory(b""))
        return self._programs[path]

    def know(self, path: str, program: "Program") -> None:
        """Take note of what a file is that was looked into."""
        self._programs[path] = program

    def search(self, name: str, directory: str = "") -> tuple[str, ...]:
        """Where a program of that name would be looked for, in this order: in the directories of PATH, or, where the
        name has a `/`, in one place below the working directory."""
        if "/" in name:
            return (clean(name if name.startswith("/") else f"{directory or self.directory}/{name}"),)
        path = self.environment.get("PATH", DEFAULT_PATH)
        return tuple(clean(f"{at or self.directory}/{name}") for at in path.split(":"))

    @property
    def directory(self) -> str:
        """The directory that a container begins in."""
        return self.config.working_dir or "/"

    # where things come from

    def line(self, layer: int) -> Line | None:
        """The entry of the history that made a layer."""
        return self.history.of_layer(layer)

    def of_base(self, layer: int) -> bool:
        """Whether a layer is known to have come with the base image."""
        return self.base_layers is not None and layer < self.base_layers

    def for_running(self, layer: int) -> bool:
        """Whether the image is plainly one that runs a program, with this layer in it: it says after the layer what it
        starts, and that is neither a shell or an interpreter alone, as of an image to build on, nor for development."""
        config = self.config
        words = (*(config.entrypoint or ()), *(config.cmd or ()))
        said = " ".join(words)
        if not words or (words[-1].rpartition("/")[2] in _ALONE) or _DEVELOPMENT.search(said):
            return False
        if self.environment.get("NODE_ENV") in ("development", "test"):
            return False
        line, start = self.line(layer), self.history.last("CMD", "ENTRYPOINT")
        return line is None or start is None or line.span.start < start.span.start

    def maker(self, layer: int) -> str:
        """The instruction that made a layer, as a sentence names it."""
        line = self.line(layer)
        return f"layer {layer + 1}" if line is None else abridged(blotted(line.text.removeprefix("# ")))


def abridged(text: str, most: int = 60) -> str:
    """The beginning of an instruction."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def megabytes(size: int) -> str:
    """A size as people read it."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            shown = size / factor
            return f"{shown:.0f} {unit}" if shown >= 100 else f"{shown:.1f} {unit}"
    return f"{size} bytes"
