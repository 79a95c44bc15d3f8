"""Comments that silence findings: those of BuildKit, hadolint and Trivy where these look for them, and our own."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kezuri.check.linter import CheckOptions
from kezuri.check.names import EVERY, canonicals, known, silencing
from kezuri.check.rule import Finding
from kezuri.diagnostics import KezuriError, SourceText, Span
from kezuri.dockerfile.instructions import From
from kezuri.dockerfile.parser import Dockerfile

_COMMENT = re.compile(r"^[ \t]*#[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
_NAMES = r"([\w.-]+(?:[ \t]*,[ \t]*[\w.-]+)*)"
_HADOLINT = re.compile(rf"hadolint[ \t]+(?:(global|stage)[ \t]+)?ignore[ \t]*=[ \t]*{_NAMES}[ \t]*(?:#.*)?")
_CODE = re.compile(r"[DLSC0-9]+")
"""What hadolint takes for the name of a rule."""
OURS = re.compile(rf"kezuri[ \t]*:?[ \t]*(?:(global|stage)[ \t]+)?ignore[ \t]*[=:][ \t]*{_NAMES}(?:[ \t].*|#.*)?")
"""Our own comment: where it holds, and the names."""
_TRIVY = re.compile(r"trivy:ignore:([\w-]+)((?::\w+:[^:\s]+)*)")
_EXPIRY = re.compile(r":exp:(\d{4}-\d{2}-\d{2})")


class Pragma(NamedTuple):
    """A comment that silences rules. `scope` is `file`, `stage` or `line`; `first` and `last` are the lines that it
    holds for. `names` are in their canonical form, `written` as they stand in the text at `span`. Where a tool reads
    nothing of its comment because of one name, there are no `names`."""

    scope: str
    first: int
    last: int
    names: frozenset[str]
    written: tuple[str, ...]
    span: Span

    def silences(self, names: frozenset[str]) -> bool:
        """Whether it is meant for a finding that has one of the names."""
        return EVERY in self.names or not self.names.isdisjoint(names)


class Silence:
    """What the comments of a Dockerfile leave out. With `heed` false, none of them counts; but the problems that they
    have are known."""

    def __init__(self, dockerfile: Dockerfile, today: str, heed: bool = True) -> None:
        self._source = dockerfile.source
        self.options = CheckOptions()
        self.wrong: KezuriError | None = None
        try:
            self.options = _options(dockerfile)
        except KezuriError as error:
            self.wrong = error
        self.pragmas = tuple(pragmas(dockerfile, today))
        if not heed:
            self.options = self.options._replace(skip=frozenset(), skip_all=False)
            self._wide: tuple[Pragma, ...] = ()
            self._lines: dict[int, list[Pragma]] = {}
            return
        self._wide = tuple(pragma for pragma in self.pragmas if pragma.scope != "line")
        self._lines = {}
        for pragma in self.pragmas:
            if pragma.scope == "line":
                self._lines.setdefault(pragma.first, []).append(pragma)

    def silent(self, finding: Finding, names: Iterable[str], line: int) -> bool:
        """Whether a finding is left out that has these names and is known by this line."""
        options = self.options
        if not (self.pragmas or options.skip or options.skip_all):
            return False
        said = silencing(finding.rule, names)
        if options.skip_all or (options.skip and not canonicals(options.skip).isdisjoint(said)):
            return True
        lines = {line}
        about = finding.judged or finding.node
        if about is not None and about.source is self._source:
            lines.add(self._source.position(about.span.start)[0])
        if any(p.silences(said) for at in lines for p in self._lines.get(at, ())):
            return True
        return any(p.silences(said) and any(p.first <= at <= p.last for at in lines) for p in self._wide)


def _options(dockerfile: Dockerfile) -> CheckOptions:
    from kezuri.check.linter import read_options

    return read_options(dockerfile, None)


def pragmas(dockerfile: Dockerfile, today: str = "") -> Iterator[Pragma]:
    """The comments that silence something; those that ran out before today are none."""
    text = dockerfile.source.text
    if "ignore" not in text and "skip" not in text:
        return
    lines = _Lines(dockerfile)
    for match in _COMMENT.finditer(text):
        said = match[1]
        if "ignore" not in said and "skip" not in said:
            continue
        at = dockerfile.source.position(match.start())[0]
        inside = lines.within(match.start())
        span = Span(match.start(1), match.end(1))
        if (found := OURS.fullmatch(said)) is not None:
            target = inside or lines.following(at)
            yield lines.pragma(found[1] or "line", target, split(found[2]), span)
        elif inside:
            continue
        elif (found := _HADOLINT.fullmatch(said)) is not None:
            # hadolint looks at the very next line only.
            if found[1] != "stage" or at + 1 in lines.starts:
                pragma = lines.pragma(found[1] or "line", at + 1, split(found[2]), span)
                # A list in which it finds something else counts for nothing.
                read = all(_CODE.fullmatch(name) or known(name) for name in pragma.written)
                yield pragma if read else pragma._replace(names=frozenset())
        elif said.lower().startswith("check") and (names := _skipped(said)):
            yield lines.pragma("line", lines.following(at), names, span)
        elif "trivy:ignore:" in said:
            for its in _TRIVY.finditer(said):
                expiry = _EXPIRY.search(its[2])
                if expiry is not None and expiry[1] < today:
                    continue
                target = lines.following(at)
                scope = "global" if target <= lines.starts[0] else "stage" if target in lines.starts else "line"
                yield lines.pragma(scope, target, (its[1],), span)


def _skipped(said: str) -> tuple[str, ...]:
    name, _, value = said.partition("=")
    if name.strip().lower() != "check" or not value.strip():
        return ()
    try:
        options = CheckOptions.parse(value.strip().partition(" ")[0])
    except KezuriError:
        return ()
    return (EVERY,) if options.skip_all else tuple(sorted(options.skip))


def split(names: str) -> tuple[str, ...]:
    """The names of a list with commas."""
    return tuple(name.strip() for name in names.split(","))


class _Lines:
    """The lines of a file: where instructions are, where stages begin, and which line comes after comments."""

    def __init__(self, dockerfile: Dockerfile) -> None:
        self._source: SourceText = dockerfile.source
        spans = [i.node.span for i in dockerfile.instructions]
        self._starts = [span.start for span in spans]
        self._ends = [span.end for span in spans]
        position = self._source.position
        self.starts = [position(i.node.span.start)[0] for i in dockerfile.instructions if isinstance(i, From)] or [1]
        self._last = position(len(self._source.text))[0]
        self._next: list[int] | None = None

    def within(self, offset: int) -> int:
        """The first line of the instruction in which an offset is, 0 where it is in none."""
        number = bisect_right(self._starts, offset) - 1
        if number < 0 or offset >= self._ends[number]:
            return 0
        return self._source.position(self._starts[number])[0]

    def following(self, line: int) -> int:
        """The next line that is neither blank nor a comment."""
        if self._next is None:
            lines = self._source.text.split("\n")
            found = len(lines) + 1
            self._next = [0] * (len(lines) + 2)
            for number in range(len(lines), 0, -1):
                self._next[number] = found
                body = lines[number - 1].lstrip()
                if body and not body.startswith("#"):
                    found = number
        return self._next[line]

    def pragma(self, scope: str, line: int, names: tuple[str, ...], span: Span) -> Pragma:
        """The pragma with the lines that it holds for. One for a stage stands above its FROM or within it."""
        if scope == "global":
            return Pragma("file", 1, self._last, canonicals(names), names, span)
        if scope == "line":
            return Pragma("line", line, line, canonicals(names), names, span)
        number = bisect_right(self.starts, line) - 1
        first = self.starts[number] if number >= 0 else 1
        last = self.starts[number + 1] - 1 if number + 1 < len(self.starts) else self._last
        return Pragma("stage", first, last, canonicals(names), names, span)
