"""What the instructions of a Dockerfile take from its build context, what the ignore file hides, and what nobody reads.

Nothing is built: what a COPY, an ADD or a bind mount selects is known from the plan and the files alone.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from kezuri.anatomy.heaps import GrowingHeap
from kezuri.anatomy.values import Heap
from kezuri.forecast.context_tree import ContextTree
from kezuri.plan.inputs import Choice, ContextInput
from kezuri.plan.operation import Operation, StagePlan
from kezuri.source.context_walk import Lying
from kezuri.tree.selection import Selection, select
from kezuri.tree.tree import Found, Tree


class Taking(NamedTuple):
    """One choice that an instruction makes in a context, and what it selects there, as paths with sizes; `links` are
    the links on the way to it. `roots` are the paths that its words stand for."""

    stage: StagePlan
    operation: Operation
    choice: Choice
    selection: Selection
    files: Mapping[str, int]
    directories: frozenset[str]
    links: frozenset[str]
    roots: tuple[str, ...]

    @property
    def context(self) -> str:
        """The context's name; empty for the build context."""
        assert isinstance(self.choice.input, ContextInput)
        return self.choice.input.name


class Reading(NamedTuple):
    """What an instruction reads: where it stands, its words, and the files. `alone` are the bytes that no other one
    reads. `context` names the context where it is not the build context; `wanted` says whether the target needs it."""

    line: int
    stage: str
    kind: str
    title: str
    context: str
    heap: Heap
    alone: int
    wanted: bool


class Hidden(NamedTuple):
    """A line of the ignore file, as it is written, and what it hides; line -1 where it cannot be told which one."""

    line: int
    written: str
    heap: Heap


class Needless(NamedTuple):
    """Something that an instruction takes because it takes all of the directory that it lies in, and that hardly any
    image needs: its path, how much it is, and the lines that take it."""

    path: str
    files: int
    size: int
    lines: tuple[int, ...]


class Idle(NamedTuple):
    """A directory (its path ends with a slash) or a file that is not hidden and that nothing reads."""

    path: str
    files: int
    size: int


class ContextUse(NamedTuple):
    """A build context and what is done with it. `root` is its directory (empty for an archive), `ignore` the name of
    the ignore file that holds, empty for none. `whole` is all that lies there, `shown` what is not hidden, `read` what
    at least one instruction reads. The Dockerfile and its ignore file are never idle. `idle`, `needless` and `hidden`
    come largest first, `readings` in the order of the file. `told` is what could not be looked at."""

    root: str
    dockerfile: str
    ignore: str
    whole: Heap
    shown: Heap
    read: Heap
    readings: tuple[Reading, ...]
    hidden: tuple[Hidden, ...]
    idle: tuple[Idle, ...]
    needless: tuple[Needless, ...]
    told: tuple[str, ...]


def takings(stages: Iterable[StagePlan], trees: Mapping[str, Tree]) -> Iterator[Taking]:
    """What the operations of the stages select from contexts, in their order. KezuriError, at the instruction, where
    something that is named is not there."""
    from kezuri.diagnostics import KezuriError
    from kezuri.keys.stepkeys import at_word, place_of

    for stage in stages:
        for operation in stage.operations:
            for first, piece in operation.pieces:
                if not isinstance(piece, Choice) or not isinstance(piece.input, ContextInput) or not piece.sources:
                    continue  # from elsewhere, or here-documents alone
                tree = _Recording(trees[piece.input.name])
                try:
                    selection = chosen(tree, piece)
                except KezuriError as error:
                    place = place_of(at_word(error, first) if operation.remotes else error, operation)
                    raise error.at(place) from error
                yield _taking(stage, operation, piece, selection, frozenset(tree.links))


def chosen(tree: Tree, choice: Choice) -> Selection:
    """What a choice selects in a tree."""
    return select(tree, choice.sources, parents=choice.parents, excludes=choice.excludes, literal=choice.literal)


def _taking(
    stage: StagePlan, operation: Operation, choice: Choice, selection: Selection, links: frozenset[str]
) -> Taking:
    files: dict[str, int] = {}
    directories: set[str] = set()
    for root in selection:
        for item in (root.top, *root.items):
            entry = item.entry
            if entry.kind == "dir":
                # What is named has to be there, also where nothing of it is left.
                if not item.implied or item is root.top:
                    directories.add(entry.path)
            else:
                files[entry.path] = entry.size
    roots = tuple(root.top.entry.path for root in selection)
    return Taking(stage, operation, choice, selection, files, frozenset(directories), links, roots)


class _Recording:
    """A tree that remembers the links that somebody asked for: they are followed on the way to what is selected."""

    def __init__(self, below: Tree) -> None:
        self._below = below
        self.links: set[str] = set()

    @property
    def name(self) -> str:
        return self._below.name

    def stat(self, path: str) -> Found | None:
        found = self._below.stat(path)
        if found is not None and found.entry.kind == "symlink":
            self.links.add(path)
        return found

    def scan(self, path: str) -> Sequence[Found]:
        return self._below.scan(path)

    def hidden(self, path: str) -> str:
        return self._below.hidden(path)


def use_of(
    root: str,
    dockerfile: str,
    ignore: tuple[str, Callable[[int], str]],
    lying: Iterable[Lying],
    taken: Sequence[Taking],
    wanted: Collection[int],
    needless: Callable[[str], bool],
    own: Iterable[str] = (),
) -> tuple[ContextUse, ContextTree]:
    """What is done with a context, and its tree without what is hidden. `ignore` is the name of the ignore file and
    what its lines say, `wanted` are the stages that the target needs, `needless` says of a path whether hardly any
    image needs what is there, `own` are files that the builder itself reads."""
    instructions = _by_instruction(taken)
    readers: dict[str, list[int]] = {}
    for number, several in enumerate(instructions):
        if not several[0].context:
            for path in {path for taking in several for path in taking.files}:
                readers.setdefault(path, []).append(number)
    tree = ContextTree()
    whole, shown, read = GrowingHeap(), GrowingHeap(), GrowingHeap()
    alone = [0] * len(instructions)
    hidden: dict[int, GrowingHeap] = {}
    told = []
    for each in lying:
        if each.unread:
            told.append(f"{each.path or '.'}: {each.unread}")
        elif each.line:
            tree.hide(each.path, each.directory)
            if not each.directory:
                whole.add(each.size, each.path)
                hidden.setdefault(each.line, GrowingHeap()).add(each.size, each.path)
        elif each.directory:
            tree.put_directory(each.path)
        else:
            whole.add(each.size, each.path)
            shown.add(each.size, each.path)
            by = readers.get(each.path, ())
            tree.put_file(each.path, each.size)
            if by:
                read.add(each.size, each.path)
            if len(by) == 1:
                alone[by[0]] += each.size
    for path in own:
        tree.mark(path)
    for taking in taken:
        if not taking.context:
            for path in (*taking.files, *taking.directories, *taking.links):
                tree.mark(path)
    readings = [_reading(several, alone[number], wanted) for number, several in enumerate(instructions)]
    lines = [Hidden(line, ignore[1](line), grown.heap()) for line, grown in hidden.items()]
    use = ContextUse(
        root,
        dockerfile,
        ignore[0],
        whole.heap(),
        shown.heap(),
        read.heap(),
        tuple(readings),
        tuple(sorted(lines, key=lambda each: (-each.heap.size, each.line))),
        tuple(sorted((Idle(*each) for each in tree.idle()), key=lambda each: (-each.size, -each.files, each.path))),
        tuple(_needless(taken, needless)),
        tuple(told),
    )
    return use, tree


def _by_instruction(taken: Sequence[Taking]) -> list[list[Taking]]:
    """What one instruction takes from one context, together: a RUN may have several mounts."""
    found: dict[tuple[int, int, str], list[Taking]] = {}
    for taking in taken:
        found.setdefault((taking.stage.number, id(taking.operation), taking.context), []).append(taking)
    return list(found.values())


def _reading(several: Sequence[Taking], alone: int, wanted: Collection[int]) -> Reading:
    heap = GrowingHeap()
    for path, size in {path: size for taking in several for path, size in taking.files.items()}.items():
        heap.add(size, path)
    operation, stage, context = several[0].operation, several[0].stage, several[0].context
    line = operation.node.place.line
    return Reading(
        *(line, stage.label, operation.kind, operation.title, context, heap.heap(), alone),
        stage.number in wanted,
    )


def _needless(taken: Sequence[Taking], needless: Callable[[str], bool]) -> Iterator[Needless]:
    """What is taken with a directory above it and hardly needed, topmost first, the largest of them first."""
    found: dict[str, dict[str, int]] = {}
    lines: dict[str, dict[int, None]] = {}
    for taking in taken:
        if taking.context:
            continue
        named = set(taking.roots)
        for path, size in taking.files.items():
            top = next((part for part in _above(path) if needless(part)), "")
            # What an instruction names, or lies in what it names, is wanted.
            if top and not any(part in named for part in _upwards(top)):
                found.setdefault(top, {})[path] = size
                lines.setdefault(top, {})[taking.operation.node.place.line] = None
    every = [Needless(top, len(f), sum(f.values()), tuple(lines[top])) for top, f in found.items()]
    yield from sorted(every, key=lambda each: (-each.size, -each.files, each.path))


def _above(path: str) -> Iterator[str]:
    """The directories above a path from the first one on, and the path itself."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
    yield path


def _upwards(path: str) -> Iterator[str]:
    """The path and what lies above it, but for the root."""
    while path:
        yield path
        path = path.rpartition("/")[0]
