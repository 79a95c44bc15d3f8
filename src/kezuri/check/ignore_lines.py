"""The lines of an ignore file with their places, and what the Dockerfiles beside it do with the context."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import KezuriError, SourceText, Span

if TYPE_CHECKING:
    from kezuri.check.document import DocumentSubject
    from kezuri.check.surroundings import Surroundings
    from kezuri.dockerfile.ignore import Ignore

_MOST = 2_000
_DEEPEST = 5
_MOST_SELECTED = 20_000


class IgnoreLine(NamedTuple):
    """A line with a pattern: as written without the blanks around it, and cleaned, without `!` and slashes at its
    ends. `span` is what is written."""

    number: int
    written: str
    pattern: str
    negated: bool
    span: Span


def ignore_lines(source: SourceText) -> tuple[IgnoreLine, ...]:
    """The patterns of the file in their order, comments and empty lines left out."""
    found = []
    at = 0
    for number, raw in enumerate(source.text.split("\n"), 1):
        line = raw.removeprefix("\ufeff") if number == 1 else raw
        written = line.strip(" \t\r\v\f")
        if written and not line.startswith("#"):
            negated = written.startswith("!")
            start = at + raw.index(written)
            pattern = written.removeprefix("!").strip().strip("/").removeprefix("./")
            found.append(IgnoreLine(number, written, pattern, negated, Span(start, start + len(written))))
        at += len(raw) + 1
    return tuple(found)


def selected(ignore: "Ignore", around: "Surroundings") -> frozenset[str] | None:
    """The paths of a context that its ignore file lets through; None where there are too many to look at."""
    found: set[str] = set()
    todo, seen = [("", ignore.walk())], 0
    while todo:
        directory, folder = todo.pop()
        names = list(around.names(directory))
        seen += len(names)
        if seen > _MOST_SELECTED:
            return None
        for name in names:
            plain = name.rstrip("/")
            path = f"{directory}/{plain}" if directory else plain
            if not folder.excluded(plain):
                found.add(path)
            inner = folder.enter(plain) if name.endswith("/") else None
            if inner is not None:
                todo.append((path, inner))
    return frozenset(found)


class ContextUse(NamedTuple):
    """What a Dockerfile does with its context: whether it copies all of it, and the scripts that it runs."""

    path: str
    whole: bool
    text: str


class Around:
    """The Dockerfiles beside an ignore file."""

    def __init__(self, document: "DocumentSubject") -> None:
        self.surroundings = document.surroundings
        self.uses = tuple(_uses(document, document.surroundings)) if document.surroundings is not None else ()

    @property
    def whole(self) -> ContextUse | None:
        """The first Dockerfile that copies the whole context."""
        return next((use for use in self.uses if use.whole), None)

    def nested(self, pattern: str) -> str | None:
        """A path below the first level that a pattern without slashes would fit, if it were looked for everywhere."""
        if self.surroundings is None:
            return None
        form = re.compile(re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]"))
        todo, seen = [("", 0)], 0
        while todo:
            directory, depth = todo.pop(0)
            for name in sorted(self.surroundings.names(directory)):
                seen += 1
                if seen > _MOST:
                    return None
                path = f"{directory}/{name}" if directory else name
                plain = name.rstrip("/")
                if depth and form.fullmatch(plain):
                    return path.rstrip("/")
                if name.endswith("/") and depth < _DEEPEST and plain not in (".git", "node_modules", ".venv", "vendor"):
                    todo.append((path.rstrip("/"), depth + 1))
        return None


def _uses(document: "DocumentSubject", around: "Surroundings") -> Iterator[ContextUse]:
    from kezuri.dockerfile.instructions import Cmd, Copy, Run
    from kezuri.dockerfile.parser import parse

    own = document.name.removesuffix(".dockerignore")
    names = [own] if own and own != document.name else sorted(n for n in around.names() if _dockerfile(n))
    for name in names[:20]:
        text = around.read(name)
        if text is None:
            continue
        try:
            instructions = parse(text, name).instructions
        except KezuriError:
            continue
        copies = [one for one in instructions if isinstance(one, Copy) and one.source_image is None]
        whole = any({".", "./", "/"} & set(copy.sources) and not copy.excludes for copy in copies)
        yield ContextUse(name, whole, "\n".join(o.node.original for o in instructions if isinstance(o, (Run, Cmd))))


def _dockerfile(name: str) -> bool:
    low = name.lower()
    return low in ("dockerfile", "containerfile") or low.startswith("dockerfile.") or low.endswith(".dockerfile")
