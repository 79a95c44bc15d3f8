"""Comments of YAML and ignore files that silence findings: ours, for what stands on their line or below them."""

from collections.abc import Iterable, Iterator

from kezuri.check.document import DocumentSubject
from kezuri.check.names import canonicals
from kezuri.check.pragmas import OURS, Pragma, split
from kezuri.diagnostics import SourceText, Span


class DocumentSilence:
    """What the comments of a document leave out. A comment at the end of a line is for that line; one on a line of its
    own is for what is below it: a key or an item with all that is indented further. `global` ones are for the file."""

    def __init__(self, document: DocumentSubject) -> None:
        self._source = document.source
        self.pragmas = tuple(_pragmas(document))

    def silent(self, names: Iterable[str], source: SourceText, line: int) -> bool:
        """Whether a finding is left out that has these names and stands on this line of a text."""
        if not self.pragmas or source is not self._source:
            return False
        said = canonicals(names)
        return any(p.first <= line <= p.last and p.silences(said) for p in self.pragmas)


def _pragmas(document: DocumentSubject) -> Iterator[Pragma]:
    source = document.source
    if "kezuri" not in source.text:
        return
    lines = source.text.split("\n")
    for text, span, alone in _comments(document):
        found = OURS.fullmatch(text)
        if found is None:
            continue
        at = source.position(span.start)[0]
        first, last = (1, len(lines)) if found[1] else _below(lines, at) if alone else (at, at)
        names = split(found[2])
        yield Pragma("line", first, last, canonicals(names), names, span)


def _comments(document: DocumentSubject) -> Iterator[tuple[str, Span, bool]]:
    if document.yaml is not None:
        from kezuri.documents.comments import comments

        yield from comments(document.yaml)
        return
    at = 0
    for line in document.source.text.split("\n"):
        if line.startswith("#"):
            yield line.lstrip("#").strip(), Span(at, at + len(line)), True
        at += len(line) + 1


def _below(lines: list[str], at: int) -> tuple[int, int]:
    """The lines of what begins below a comment line (from 1): as far as it is indented further."""
    first = at + 1
    while first <= len(lines) and not _said(lines[first - 1]):
        first += 1
    if first > len(lines):
        return at, at
    depth = _depth(lines[first - 1])
    last = first
    for number in range(first + 1, len(lines) + 1):
        if _said(lines[number - 1]):
            if _depth(lines[number - 1]) <= depth:
                break
            last = number
    return first, last


def _said(line: str) -> bool:
    body = line.strip()
    return bool(body) and not body.startswith("#")


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
