"""Lines of an ignore file that hide what nothing reads, and that go on to be right when files come and go."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from kezuri.dockerfile.wildcard import has_wildcard, match
from kezuri.forecast.context_tree import ContextTree, File, Node
from kezuri.tree.tree import clean

MARKER = "# What no instruction reads (kezuri context --write-ignore)"
LITTER = "# What is copied with a directory, and hardly any image needs (kezuri context --write-ignore --litter)"
_MOST_SIBLINGS = 12
"""Of so many things in a directory that nobody reads, each has its own line; of more, the few that are read have."""
MOST_LINES = 400


class Line(NamedTuple):
    """A line to be, how many bytes and files it hides, and whether that is litter that an instruction takes."""

    text: str
    size: int
    files: int
    litter: bool = False


class Words:
    """Source words whose wildcards, or whose variables, may lead to other files tomorrow than today."""

    def __init__(self, words: Iterable[str]) -> None:
        # What comes after `**` may be anywhere.
        self._patterns = [clean(word.partition("**")[0] + "*" * ("**" in word)).split("/") for word in words]

    def lead_into(self, path: str) -> bool:
        """Whether one of them could select something that would lie at the path, or below it."""
        parts = path.split("/")
        return any(all(map(match, pattern, parts)) for pattern in self._patterns)


def lines(tree: ContextTree, words: Words, spare: Callable[[str], bool]) -> list[Line]:
    """The lines that hide what is not marked in the tree, in the order of paths. `spare` says which paths are left as
    they are."""
    found: list[Line] = []
    todo: list[tuple[str, Node]] = [("", tree)]
    while todo:
        path, node = todo.pop()
        inner = f"{path}/" if path else ""
        idle, kept = [], []
        for name in sorted(node.children):
            child = node.children[name]
            if child.read or spare(inner + name):
                kept.append((name, child))
            elif isinstance(child, File) or child.files:
                idle.append((name, child))
        # What a word could lead into is looked at one by one: a file that comes there tomorrow may be wanted.
        # So is a directory that a line hides already: another line about it would not be asked any more.
        open_ = [(n, child) for n, child in idle if words.lead_into(inner + n) or inner + n in tree.veiled]
        idle = [pair for pair in idle if pair not in open_]
        if _the_few(path, node, idle, kept, words) and not open_ and (whole := pattern(path)) is not None:
            names = [pattern(inner + name) for name, _ in kept]
            if None not in names:
                bytes_, files = map(sum, zip(*(_amount(child) for _, child in idle), strict=True))
                found.append(Line(f"{whole}/*" if whole else "*", bytes_, files))
                found += [Line(f"!{name}", 0, 0) for name in names]
                idle = []
        for name, child in idle:
            written = pattern(inner + name)
            if written is not None:
                found.append(Line(written, *_amount(child)))
        below = [(inner + name, child) for name, child in (*kept, *open_) if isinstance(child, Node)]
        todo += reversed(below)
    return found


def _the_few(
    path: str,
    node: Node,
    idle: Sequence[tuple[str, Node | File]],
    kept: Sequence[tuple[str, Node | File]],
    words: Words,
) -> bool:
    """Whether it is better to hide all of a directory and bring back what is read."""
    if len(idle) <= _MOST_SIBLINGS or 1 + len(kept) >= len(idle):
        return False
    # To bring back a directory is to bring back what earlier lines hide in it.
    hides = any(isinstance(child, Node) and child.hides for _, child in kept)
    return not hides and not (path and words.lead_into(path))


def _amount(child: Node | File) -> tuple[int, int]:
    return (child.size, 1) if isinstance(child, File) else (child.size, child.files)


def pattern(path: str) -> str | None:
    """The pattern that means this path and no other one; None where none does."""
    if "\n" in path or "\r" in path or path != path.strip():
        return None
    escaped = "".join(f"\\{sign}" if sign in "\\*?[]" else sign for sign in path)
    return f"\\{escaped}" if escaped[:1] in ("#", "!") else escaped


def open_words(words: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Of source words, as written and as they are expanded now, those that may lead elsewhere tomorrow, as patterns. Of
    one that begins with a variable nothing can be said but what it is now: see `guessed`."""
    for written, now in words:
        if "$" in written and not guessed(written):
            parts, expanded = clean(written).split("/"), clean(now).split("/")
            first = next(number for number, part in enumerate(parts) if "$" in part)
            if len(parts) == len(expanded):
                yield "/".join("*" if "$" in part else part for part in parts)
            else:
                # A value with slashes: of other values nothing is known but where they begin.
                yield "/".join((*parts[:first], "*"))
        elif has_wildcard(now):
            yield now


def guessed(written: str) -> bool:
    """Whether a source word begins with a variable, which may stand for any path."""
    return "$" in clean(written).partition("/")[0]


def added(text: str, new: Collection[Line], ends: str = "\n") -> str:
    """The text of an ignore file with these lines at its end, each kind under its own comment."""
    known = set(text.splitlines())
    for litter, marker in ((False, MARKER), (True, LITTER)):
        lines = [line.text for line in new if line.litter is litter]
        if lines:
            if text and not text.endswith("\n"):
                text += ends
            marked = [] if marker in known else [*([""] if text else []), marker]
            text += "".join(f"{line}{ends}" for line in (*marked, *lines))
    return text
