"""What the source words of a COPY or ADD stand for, entry by entry."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.dockerfile.ignore import Patterns
from kezuri.dockerfile.wildcard import has_wildcard, match
from kezuri.layer.entry import Entry
from kezuri.tree.content import Bytes
from kezuri.tree.tree import Found, Stamp, Tree, clean, resolve

_MOST_LOOKED_INTO = 200
"""Directories in which a file is looked for that is not where it was said to be."""


class Selected(NamedTuple):
    """One thing to copy.

    `path` is relative to the root that it was selected under, empty for the root itself. `implied` marks a directory
    that was not asked for but holds something that was: an existing directory in its place keeps its owner. It also
    marks a root of which patterns leave nothing: an existing directory in its place keeps its time.
    """

    path: str
    entry: Entry
    content: Bytes = None
    stamp: Stamp | None = None
    identity: object | None = None
    implied: bool = False


class Root(NamedTuple):
    """What one source word, or one match of its wildcards, resolves to.

    For a directory `items` is its contents, parents before children, siblings sorted by the bytes of their names, and
    `top` the directory itself. For anything else `items` is empty and `top` is the thing; `name` is what it is called
    when it is put into a directory. `packed` says that it is not taken apart, should it be an archive.
    """

    name: str
    top: Selected
    items: tuple[Selected, ...] = ()
    packed: bool = False

    @property
    def directory(self) -> bool:
        """Whether the contents of a directory are copied."""
        return self.top.entry.kind == "dir"


Selection = tuple[Root, ...]


class SourceError(KezuriError):
    """A source word that cannot be copied; `word` is its index among the words."""

    word: int = 0


def select(
    tree: Tree,
    sources: Sequence[str],
    *,
    parents: bool = False,
    excludes: Sequence[str] = (),
    literal: bool = False,
) -> Selection:
    """What the source words (expanded already) name in the tree, in order; see "COPY" in the Dockerfile reference.

    Words are rooted and cleaned; wildcards are those of Go's `filepath.Match`, component by component, below a prefix
    whose links are followed; what a word names is followed too when it is a link. A wildcard that matches nothing
    selects nothing; a word without wildcards that names nothing is a SourceError. `excludes` are patterns in the
    syntax of .dockerignore, relative to each directory that is copied; what a wildcard matched is held against them by
    its name, too, and what was named is not. A directory that is left out so is left out whole, unless there are `!`
    patterns: they speak of its contents, which are looked at then. With `parents`, what stands after `/./` (or the
    whole word) is a pattern in the same syntax whose directories are kept. `literal`: the words are paths as they
    stand, as those of mounts are. Nothing is walked that the words do not name.
    """
    patterns = Patterns.of(excludes) if excludes else None
    roots: list[Root] = []
    for index, word in enumerate(sources):
        try:
            if parents:
                roots.extend(_with_parents(tree, word, patterns))
            else:
                for name, item, wild in _expand(tree, word, clean(word), literal):
                    directory = item.entry.kind == "dir"
                    whole = not directory or (patterns is not None and not patterns.has_negations)
                    if wild and whole and patterns is not None and patterns.matches(name):
                        continue
                    if directory:
                        roots.append(_contents(tree, name, item, patterns, None))
                    else:
                        roots.append(Root(name, _selected("", item)))
        except SourceError as error:
            error.word = index
            raise
        except KezuriError as error:
            wrapped = SourceError(*error.diagnostics, exit_code=error.exit_code)
            wrapped.word = index
            raise wrapped from None
    return tuple(roots)


def heredoc(name: str, data: bytes, now: int) -> Root:
    """A here-document as a source: a file of mode 0644 that belongs to root; `now` is nanoseconds since the epoch."""
    base = name.rstrip("/").rpartition("/")[2]
    return Root(base, Selected("", Entry("<<" + name, "file", 0o644, 0, 0, len(data), now), data))


def download(name: str, path: str, size: int, mtime: int, mode: int = 0o600) -> Root:
    """A file that was fetched, as a source: `path` is where its `size` bytes are, `mtime` is nanoseconds."""
    return Root(name or "__unnamed__", Selected("", Entry(name, "file", mode, 0, 0, size, mtime), path))


def _selected(path: str, item: Found, implied: bool = False) -> Selected:
    return Selected(path, item.entry, item.content, item.stamp, item.identity, implied)


def _lookup(tree: Tree) -> Callable[[str], Entry | None]:
    def lookup(path: str) -> Entry | None:
        item = tree.stat(path)
        return item.entry if item is not None else None

    return lookup


def _expand(tree: Tree, word: str, path: str, literal: bool = False) -> Iterator[tuple[str, Found, bool]]:
    """What a cleaned word names: its base name, the thing itself, and whether a wildcard found it."""
    parts = path.split("/") if path else []
    wild = () if literal else parts
    plain = next((index for index, part in enumerate(wild) if has_wildcard(part)), len(parts))
    lookup = _lookup(tree)
    prefix = resolve("/".join(parts[:plain]), lookup)
    if plain == len(parts):
        item = tree.stat(prefix)
        if item is None:
            raise _missing(tree, word, path)
        yield (parts[-1] if parts else ""), item, False
        return
    if tree.stat(prefix) is None:
        raise _missing(tree, word, "/".join(parts[:plain]))
    for match_path in _matches(tree, prefix, parts[plain:]):
        item = tree.stat(resolve(match_path, lookup))
        if item is None:
            raise _missing(tree, word, match_path)
        yield match_path.rpartition("/")[2], item, True


def _matches(tree: Tree, directory: str, parts: list[str]) -> Iterator[str]:
    """The paths below a directory that match component by component; links on the way are not followed."""
    here = tree.stat(directory)
    if here is None or here.entry.kind != "dir":
        return
    prefix = directory + "/" if directory else ""
    pattern, rest = parts[0], parts[1:]
    if not rest or has_wildcard(pattern):
        for item in tree.scan(directory):
            path = item.entry.path
            if match(pattern, path[len(prefix) :]):
                if not rest:
                    yield path
                elif item.entry.kind == "dir":
                    yield from _matches(tree, path, rest)
    else:
        yield from _matches(tree, prefix + pattern, rest)


def _contents(tree: Tree, name: str, top: Found, excludes: Patterns | None, include: "_Include | None") -> Root:
    items = tuple(_below(tree, top.entry.path, excludes, include))
    return Root(name, _selected("", top, not items and (excludes is not None or include is not None)), items)


def _below(tree: Tree, top: str, excludes: Patterns | None, include: "_Include | None") -> Iterable[Selected]:
    """Everything below a directory that the patterns leave, parents first.

    A directory that the patterns do not leave, but something below it, is implied.
    """
    cut = len(top) + 1 if top else 0
    out: list[Selected] = []
    stack = [iter(tree.scan(top))]
    if excludes is None and include is None:
        while stack:
            for entry, content, stamp, identity in stack[-1]:
                out.append(Selected(entry.path[cut:], entry, content, stamp, identity))
                if entry.kind == "dir":
                    stack.append(iter(tree.scan(entry.path)))
                    break
            else:
                stack.pop()
        return out
    waiting: list[Selected | None] = []
    while stack:
        for item in stack[-1]:
            path = item.entry.path[cut:]
            wanted = include is None or include.matches(path)
            excluded = excludes is not None and excludes.matches(path)
            directory = item.entry.kind == "dir"
            if wanted and not excluded:
                for index, parent in enumerate(waiting):
                    if parent is not None:
                        out.append(parent)
                        waiting[index] = None
                out.append(_selected(path, item))
            elif not directory:
                continue
            if directory:
                taken = wanted and not excluded
                if excluded and excludes is not None and not excludes.has_negations:
                    continue
                if not taken and include is not None and not include.may_match_below(path):
                    continue
                waiting.append(None if taken else _selected(path, item, implied=True))
                stack.append(iter(tree.scan(item.entry.path)))
                break
        else:
            stack.pop()
            if waiting:
                waiting.pop()
    return out


class _Include:
    """The pattern of a `--parents` source: it holds for a path that matches, and for everything below one."""

    def __init__(self, pattern: str) -> None:
        self._parts = pattern.split("/")
        self._deep = "**" in pattern
        self._patterns = Patterns.of([pattern]) if self._deep else None
        self._literal = self._parts[: next((i for i, p in enumerate(self._parts) if "*" in p), len(self._parts))]

    def matches(self, path: str) -> bool:
        if self._patterns is not None:
            return self._patterns.matches(path)
        parts = path.split("/")
        return len(parts) >= len(self._parts) and all(map(match, self._parts, parts))

    def may_match_below(self, path: str) -> bool:
        parts = path.split("/")
        pattern = self._literal if self._deep else self._parts
        return all(match(want, part) for want, part in zip(pattern, parts, strict=False))


def _with_parents(tree: Tree, word: str, excludes: Patterns | None) -> Iterator[Root]:
    base, pivot, pattern = word.partition("/./")
    if not pivot:
        base, pattern = "", word
    pattern = clean(pattern)
    literal = not any(has_wildcard(part) for part in (base, *pattern.split("/")))
    some = False
    for name, item, wild in _expand(tree, word, clean(base)):
        if item.entry.kind != "dir":
            if wild:
                continue
            raise SourceError.of(f'"{base}" in the source "{word}" is not a directory', hint=f"It lies in {tree.name}.")
        root = _contents(tree, name, item, excludes, _Include(pattern) if pattern else None)
        some = some or bool(root.items)
        yield root
    if literal and not some and pattern and _absent(tree, base, pattern):
        raise _missing(tree, word, clean(f"{base}/{pattern}"))


def _absent(tree: Tree, base: str, pattern: str) -> bool:
    """Whether a `--parents` source names nothing, as opposed to something of which the excludes leave nothing. Links on
    the way are not followed."""
    top = resolve(clean(base), _lookup(tree))
    path = f"{top}/{pattern}" if top else pattern
    above = path.rpartition("/")[0]
    return tree.stat(path) is None or resolve(above, _lookup(tree)) != above


def _missing(tree: Tree, word: str, path: str) -> SourceError:
    """The error for a word that names nothing: what it says, where it was looked for, and why it is not there."""
    try:
        at = resolve(path, _lookup(tree))
    except KezuriError as error:
        return _source_error(f'"{word}" was not found in {tree.name}: {error}', error.diagnostics[0].hint)
    followed = f' (a link to "{at}")' if at != path else ""
    reason = tree.hidden(at)
    if reason:
        return _source_error(
            f'"{word}"{followed} cannot be copied from {tree.name}: {reason}',
            f'Change that rule, or add the line "!{at}" below it.',
        )
    if tree.stat(at) is not None:
        return _source_error(f'"{word}" leads through a link, and --parents follows none', f'Write "{at}" instead.')
    hint = ""
    if ".." in word.split("/"):
        hint = (
            f'".." cannot leave {tree.name}; the path that was looked for is "{path}".\n'
            "Another directory is a context of its own: --build-context NAME=DIRECTORY, then COPY --from=NAME."
        )
    directory, done = "", False
    for part in at.split("/"):
        inner = f"{directory}/{part}" if directory else part
        item = tree.stat(inner)
        if item is not None and item.entry.kind == "dir":
            directory = inner
            continue
        if item is not None:
            hint = hint or f'"{inner}" is not a directory.'
        elif not hint:
            here = tree.stat(directory)
            rest = at[len(inner) :]
            names = [i.entry.path.rpartition("/")[2] for i in tree.scan(directory)] if here is not None else []
            near = nearest(part, [name for name in names if _is_there(tree, directory, name + rest)])
            if near is not None:
                hint = f'Did you mean "{directory + "/" if directory else ""}{near}{rest}"?'
            elif below := _one_deeper(tree, directory, names, part + rest):
                hint = f'Did you mean "{below}"?'
            else:
                hint = f'There is no "{part}" in {"directory " + directory if directory else tree.name}.'
        done = True
        break
    if not done:
        hint = hint or "It is there, but leads nowhere."
    return _source_error(f'"{word}"{followed} was not found in {tree.name}', hint)


def _one_deeper(tree: Tree, directory: str, names: Sequence[str], path: str) -> str:
    """Where the path is in one of the directories beside it; empty when it is in none of the first of them."""
    prefix = f"{directory}/" if directory else ""
    return next((f"{prefix}{n}/{path}" for n in names[:_MOST_LOOKED_INTO] if _is_there(tree, prefix + n, path)), "")


def _is_there(tree: Tree, directory: str, path: str) -> bool:
    try:
        return tree.stat(resolve(f"{directory}/{path}", _lookup(tree))) is not None
    except KezuriError:
        return False


def _source_error(message: str, hint: str) -> SourceError:
    error = SourceError.of(message, hint=hint)
    assert isinstance(error, SourceError)
    return error
