"""`context --write-ignore`: an ignore file that hides what nothing reads, and the proof that no key changes by it."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from kezuri.app.check_places import is_dockerfile
from kezuri.app.context import Looked, ignore_paths, looked
from kezuri.app.definition import Definition
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.rewriting import Original, Replacement, read_original, replace_all
from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.ignore import Ignore
from kezuri.dockerfile.instructions import Copy, Run
from kezuri.documents.edits import newline
from kezuri.forecast.context_use import Needless, Taking, chosen
from kezuri.forecast.ignore_text import MOST_LINES, Line, Words, added, guessed, lines, open_words, pattern
from kezuri.layer.entry import Entry
from kezuri.plan.inputs import ContextInput
from kezuri.plan.operation import BindMount, RunOperation
from kezuri.progress.events import Listener
from kezuri.source.context import OWNER, open_context
from kezuri.tree.checksum import fingerprint
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.selection import Selection
from kezuri.tree.stat_index import StatIndex
from kezuri.tree.tree import Found, Tree


class Rerun(NamedTuple):
    """An instruction whose key changes: its line, and how many files and bytes less it reads."""

    line: int
    title: str
    files: int
    size: int


class Written(NamedTuple):
    """An ignore file that was written, or would be: `path`, its whole `text`, the lines that are new, how many
    instructions were `proved` to read what they did, and the instructions that run again
    (with litter only). `shared` are other Dockerfiles that the usual ignore file would have held for, too, `guessed`
    the source words of which only the present value is known, `idle` what nothing reads and is not hidden."""

    path: str
    text: str
    lines: tuple[Line, ...]
    proved: int
    reruns: tuple[Rerun, ...]
    shared: tuple[str, ...]
    guessed: tuple[str, ...]
    idle: int
    written: bool


def write_ignore(
    request: BuildRequest, settings: Settings, listener: Listener, *, litter: bool = False, dry: bool = False
) -> Written:
    """Hide what no instruction of any stage reads, and with `litter` what hardly any image needs; `dry` writes nothing.
    KezuriError where it cannot be proved that every instruction reads what it did, but for the litter; then all is as
    it was."""
    with ExitStack() as held:
        found = looked(request, settings, listener, held)
        _sound(found)
        index = held.enter_context(StatIndex(found.session.store.path("contexts"), found.use.root))
        writing = _Writing(found, index, found.use.needless if litter else ())
        result = writing.result()
        if dry or not result.lines:
            return result
        original = read_original(result.path, result.path) if os.path.lexists(result.path) else None
        _put(result, original)
        try:
            context = open_context(request.context, request.file)
            if not writing.holds(context.tree):
                raise KezuriError.of(f"{result.path} is as it was: written, it changed what instructions read")
        except BaseException:
            _take_back(result, original)
            raise
        return result._replace(written=True)


def _sound(found: Looked) -> None:
    """KezuriError where not all is known that could read something."""
    if not found.use.root:
        raise KezuriError.of("the context is no directory: there is no ignore file to write", exit_code=2)
    for survey in found.surveys:
        for source, error in survey.absent.items():
            raise KezuriError.of(
                f"nothing can be proved without the image {source.text}: its ONBUILD instructions may read files",
                hint=str(error),
                exit_code=125,
            )
        for facts in survey.stages:
            if facts.plan is None:
                raise KezuriError.of(f"nothing can be proved: stage {facts.number} cannot be planned")


class _Writing:
    """One ignore file to be: where it lies and what it says."""

    def __init__(self, found: Looked, index: StatIndex, litter: Sequence[Needless]) -> None:
        self._found = found
        self._index = index
        self._litter = litter
        self._taken = [taking for taking in found.taken if not taking.context]
        self._before = [self._digest(taking.selection, taking) for taking in self._taken]
        self._root = found.use.root
        self._path, self._shared = self._place()
        self._after: list[str] = []
        self._instructions = {(t.stage.number, t.operation.node.span.start) for t in self._taken}
        self._changed: set[tuple[int, int]] = set()
        self._reruns: list[Rerun] = []

    def result(self) -> Written:
        """What is to be written, proved against the files as they are."""
        new = self._lines()
        if not new:
            return self._written((), self._text(()))
        text = self._text(new)
        own = self._own()
        if own and any(own in self._paths(taking, self._tree(text)) for taking in self._taken):
            # The ignore file is in the context itself: what copies all of it would copy other files than before.
            written = pattern(own)
            new = (*new, *([Line(written, 0, 0)] if written is not None else ()))
            text = self._text(new)
        self._prove(self._tree(text))
        self._prove_named(text)
        return self._written(new, text)

    def _written(self, new: Sequence[Line], text: str) -> Written:
        proved = len(self._instructions - self._changed) if self._after else 0
        words = tuple(dict.fromkeys(word for word, _ in _words(self._found) if guessed(word)))
        idle = len(self._found.use.idle)
        return Written(self._path, text, tuple(new), proved, tuple(self._reruns), self._shared, words, idle, False)

    def holds(self, tree: Tree) -> bool:
        """Whether instructions read of the tree what they were proved to read."""
        return [self._digest(chosen(tree, taking.choice), taking) for taking in self._taken] == self._after

    # where

    def _place(self) -> tuple[str, tuple[str, ...]]:
        """The path of the ignore file, and the other Dockerfiles for whose sake it is not the usual one."""
        definition = self._found.definition
        current, beside = ignore_paths(definition)
        usual = current or os.path.join(self._root, ".dockerignore")
        shared = () if usual == beside else tuple(_others(definition, self._root))
        copied = self._relative(usual) in {path for taking in self._taken for path in taking.files}
        named = next((name for name in self._found.trees if name and self._rules_of(name) == _real(usual)), "")
        if not shared and not copied and not named:
            return usual, ()
        if not beside or usual == beside:
            other = f'the build context "{named}"' if named else next(iter(shared), "")
            why = f"an instruction reads {self._relative(usual)}" if copied else f"{other} needs it as it is"
            raise KezuriError.of(
                f"{usual} cannot be changed without changing a key: {why}", hint="name the Dockerfile with --file"
            )
        return beside, shared

    def _relative(self, path: str) -> str:
        """The path in the context; empty for one outside."""
        prefix = self._root.rstrip("/") + "/"
        return path.removeprefix(prefix) if path.startswith(prefix) else ""

    def _rules_of(self, name: str) -> str:
        """Where the ignore file of a named context lies, or would; empty where the context is no directory here."""
        tree = self._found.trees[name]
        return _real(os.path.join(tree.root, ".dockerignore")) if isinstance(tree, DirectoryTree) else ""

    def _own(self) -> str:
        return self._relative(self._path)

    # what

    def _lines(self) -> tuple[Line, ...]:
        found = self._found

        def spare(path: str) -> bool:
            return path.endswith((".dockerignore", ".containerignore"))

        new = lines(found.tree, Words(open_words(_words(found))), spare)
        if len(new) > MOST_LINES:
            raise KezuriError.of(
                f"{len(new)} lines would be needed to hide what nothing reads, and that is no ignore file any more",
                hint="copy directories that hold only what is read, or write lines with wildcards yourself",
            )
        names: dict[str, list[Needless]] = {}
        for each in self._litter:
            names.setdefault(each.path.rpartition("/")[2], []).append(each)
        for name, several in sorted(names.items()):
            written = pattern(name if len(several) > 1 else several[0].path)
            if written is not None:
                text = f"**/{written}" if len(several) > 1 else written
                new.append(Line(text, sum(e.size for e in several), sum(e.files for e in several), True))
        return tuple(new)

    def _text(self, new: Collection[Line]) -> str:
        ignore = self._found.definition.context.ignore
        text = ignore.source.text if ignore is not None else ""
        ends = newline(ignore.source) if ignore is not None else "\n"
        return added(text, new, ends)

    # proofs

    def _tree(self, text: str) -> Tree:
        """The context with this ignore file in its place."""
        tree = DirectoryTree(self._root, Ignore.parse(text, self._path), OWNER, name=self._found.trees[""].name)
        own = self._own()
        return _With(tree, own, text.encode("utf-8", "surrogateescape")) if own else tree

    def _prove(self, tree: Tree) -> None:
        """KezuriError, unless every instruction reads of the tree what it reads now, but for the litter."""
        for taking, before in zip(self._taken, self._before, strict=True):
            line, title = taking.operation.node.place.line, taking.operation.title
            try:
                selection = chosen(tree, taking.choice)
            except KezuriError as error:
                raise _refused(line, str(error)) from error
            after = self._digest(selection, taking)
            self._after.append(after)
            if after == before:
                continue
            now = _files(selection)
            lost = taking.files.keys() - now
            if not self._litter or now - taking.files.keys() or not all(map(self._is_litter, lost)):
                wrong = next(iter(sorted((now - taking.files.keys()) or lost)), "a directory")
                raise _refused(line, f"{wrong} would not be read as it is")
            self._changed.add((taking.stage.number, taking.operation.node.span.start))
            self._reruns.append(Rerun(line, title, len(lost), sum(taking.files[path] for path in lost)))

    def _prove_named(self, text: str) -> None:
        """KezuriError where an instruction takes the ignore file itself from a named context that it lies in."""
        path = _real(self._path)
        for taking in self._found.taken:
            tree = self._found.trees[taking.context]
            if not taking.context or not isinstance(tree, DirectoryTree):
                continue
            above = os.path.realpath(tree.root).rstrip("/") + "/"
            own = path.removeprefix(above)
            if own != path and own in self._paths(taking, _With(tree, own, text.encode("utf-8", "surrogateescape"))):
                line = taking.operation.node.place.line
                raise _refused(line, f'{own} is read from the build context "{taking.context}"')

    def _is_litter(self, path: str) -> bool:
        return any(path == each.path or path.startswith(f"{each.path}/") for each in self._litter)

    def _paths(self, taking: Taking, tree: Tree) -> Iterable[str]:
        try:
            return _files(chosen(tree, taking.choice))
        except KezuriError:
            return ()

    def _digest(self, selection: Selection, taking: Taking) -> str:
        return fingerprint(selection, self._index, whole=taking.choice.whole)[0]


def _real(path: str) -> str:
    """The path without links above what it names."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _files(selection: Selection) -> set[str]:
    return {i.entry.path for root in selection for i in (root.top, *root.items) if i.entry.kind != "dir"}


def _refused(line: int, why: str) -> KezuriError:
    return KezuriError.of(f"nothing is written: the key of the instruction at line {line} would change: {why}")


class _With:
    """A tree with a file that it does not have yet, or has with other bytes, unless its rules hide it."""

    def __init__(self, below: DirectoryTree, path: str, data: bytes) -> None:
        self._below = below
        self._path = path
        self._parent = path.rpartition("/")[0]
        hidden = below.ignore is not None and below.ignore.matches(path)
        entry = Entry(path, "file", 0o644, *OWNER, len(data), 0)
        self._found = None if hidden else Found(entry, data)

    @property
    def name(self) -> str:
        return self._below.name

    def stat(self, path: str) -> Found | None:
        return self._found if path == self._path else self._below.stat(path)

    def scan(self, path: str) -> Sequence[Found]:
        found = self._below.scan(path)
        if path != self._parent:
            return found
        others = [each for each in found if each.entry.path != self._path]
        both = [*others, *([self._found] if self._found is not None else [])]
        return sorted(both, key=lambda each: os.fsencode(each.entry.path))

    def hidden(self, path: str) -> str:
        return self._below.hidden(path)


def _words(found: Looked) -> Iterator[tuple[str, str]]:
    """The source words of all instructions that read the build context, as written and as they are now."""
    for survey in found.surveys:
        for facts in survey.stages:
            operations = facts.plan.operations if facts.plan is not None else ()
            runs = {o.node.span.start: o for o in operations if isinstance(o, RunOperation)}
            for met in facts.met:
                instruction = met.instruction
                if isinstance(instruction, Copy) and instruction.source_image is None:
                    yield from zip(instruction.sources, met.words)
                elif isinstance(instruction, Run) and (run := runs.get(instruction.node.span.start)) is not None:
                    for option, mount in zip(instruction.mounts, run.mounts):
                        given = dict(option.options)
                        word = given.get("source") or given.get("src") or ""
                        if isinstance(mount, BindMount) and isinstance(mount.input, ContextInput):
                            yield word, mount.source


def _others(definition: Definition, root: str) -> Iterator[str]:
    """The other Dockerfiles at the root of the context that have no ignore file of their own."""
    context = definition.context
    this = os.path.join(context.directory, os.path.basename(context.dockerfile.name)) if context.directory else ""
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return
    for name in names:
        path = os.path.join(root, name)
        if path != this and is_dockerfile(name) and os.path.isfile(path) and f"{name}.dockerignore" not in names:
            yield name


def _put(result: Written, original: Original | None) -> None:
    data = result.text.encode("utf-8", "surrogateescape")
    path = original.path if original is not None else result.path
    replace_all([Replacement(path, result.path, data, original)])


def _take_back(result: Written, original: Original | None) -> None:
    """The file as it was."""
    if original is None:
        os.unlink(result.path)
        return
    now = read_original(result.path, result.path)
    replace_all([Replacement(original.path, result.path, original.data, now)])
