"""Ignore files: which paths of a build context are left out."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import KezuriError, SourceText, Span
from kezuri.dockerfile.lines import LONGEST_LINE, SPACE
from kezuri.dockerfile.wildcard import BadPattern, verify

if TYPE_CHECKING:
    from kezuri.dockerfile.pathpattern import PathPattern


class Rule(NamedTuple):
    """A pattern with where it comes from: the text as written, its 1-based line, and whether a `!` stands before it."""

    pattern: "PathPattern"
    written: str
    line: int
    negated: bool


class Patterns:
    """A list of patterns of which the last one that matches decides, as for `COPY --exclude`.

    A pattern matches a path if it matches the path or any directory above it. Paths are relative, with `/`. A walk
    goes by slightly other rules: see `Folder`.
    """

    __slots__ = ("_compiled", "_rules", "_runs", "has_negations")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self.has_negations = any(rule.negated for rule in self._rules)
        # neighbours of the same sign can be asked in any order, and so all at once
        self._runs = [(negated, [r.pattern for r in run]) for negated, run in groupby(self._rules, lambda r: r.negated)]
        self._compiled: dict[tuple[str, ...], Callable[[str], object]] = {}

    @classmethod
    def of(cls, patterns: Sequence[str]) -> "Patterns":
        """From the values of `--exclude`. Raises KezuriError for a malformed pattern."""
        rules: list[Rule] = []
        for number, written in enumerate(patterns, 1):
            try:
                rule = _rule(written, written, number, rules)
            except BadPattern as error:
                raise KezuriError.of(str(error), hint=_HINT) from None
            if rule is not None:
                rules.append(rule)
        return cls(rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def matches(self, path: str) -> bool:
        """Whether the path is excluded."""
        return self._deciding(path) is not None

    def rule(self, path: str) -> tuple[str, int] | None:
        """The pattern that excludes the path, as written, and its line; None when the path is not excluded."""
        found = self._deciding(path)
        return None if found is None else (self._rules[found].written, self._rules[found].line)

    def written_as(self, texts: Sequence[str]) -> tuple[str, int] | None:
        """The first rule whose pattern, cleaned, is one of these texts, and its line."""
        return next(((r.written, r.line) for r in self._rules if not r.negated and r.pattern.text in texts), None)

    def walk(self) -> "Folder":
        """The state of a walk at the root."""
        return Folder(self, "", 0)

    def _deciding(self, path: str) -> int | None:
        path = path.rstrip("/") or path
        if path in (".", ""):
            return None
        for number in range(len(self._rules) - 1, -1, -1):
            rule = self._rules[number]
            if rule.pattern.covers(path):
                return None if rule.negated else number
        return None


class Folder:
    """A directory of a walk: it knows which runs of patterns matched it or its parents, and looks at names only.

    A walk goes by what BuildKit's does, which is not quite what `Patterns.matches` says: a pattern that could change
    nothing for a directory (a `!` where nothing is excluded, another pattern where all is) is not looked at there, and
    so does not count for what is in it, unless it matches that by itself. The cost for a name is a look-up in a set and
    one or two regular expressions for each run, however many patterns there are.
    """

    __slots__ = ("_held", "_matchers", "_patterns", "path")

    def __init__(self, patterns: Patterns, path: str, held: int) -> None:
        self._patterns = patterns
        self.path = path
        self._held = held
        self._matchers: list[tuple[bool, Callable[[str], object] | None]] | None = None

    def excluded(self, name: str) -> bool:
        """Whether the entry of that name is excluded."""
        return self._state(name)[0]

    def kept(self, names: Iterable[str]) -> list[str]:
        """The names that are not excluded, in their order."""
        tests = self._tests()
        if not self._held and len(tests) == 1 and not self._patterns.has_negations:
            hit = tests[0][1]
            return list(names) if hit is None else [name for name in names if not hit(name)]
        return [name for name in names if not self._state(name)[0]]

    def enter(self, name: str) -> "Folder | None":
        """The state in a subdirectory, excluded or not; None when nothing below it can be included."""
        path = f"{self.path}/{name}" if self.path else name
        excluded, held = self._state(name)
        if excluded:
            later = self._patterns._runs[held.bit_length() :]
            if not any(negated and any(p.may_hit_below(path) for p in run) for negated, run in later):
                return None
        return Folder(self._patterns, path, held)

    def _state(self, name: str) -> tuple[bool, int]:
        """Whether the entry is excluded, and the runs that matched it or a directory above it, as bits."""
        excluded, held, bit = False, 0, 1
        for negated, hit in self._tests():
            if self._held & bit or (negated is excluded and hit is not None and hit(name)):
                held |= bit
                excluded = not negated
            bit <<= 1
        return excluded, held

    def _tests(self) -> list[tuple[bool, Callable[[str], object] | None]]:
        """For each run its sign and a test of the names in this directory, None where it can match none."""
        if self._matchers is None:
            patterns = self._patterns
            self._matchers = [
                (negated, None if self._held >> number & 1 else _test(run, self.path, patterns._compiled))
                for number, (negated, run) in enumerate(patterns._runs)
            ]
        return self._matchers


class Ignore(Patterns):
    """A parsed ignore file."""

    __slots__ = ("source",)

    def __init__(self, rules: Iterable[Rule], source: SourceText) -> None:
        super().__init__(rules)
        self.source = source

    @classmethod
    def parse(cls, text: str, name: str) -> "Ignore":
        """Parse the text of an ignore file that a user calls `name`. Raises KezuriError with all malformed lines.

        A `#` starts a comment in the first column only; blanks around a pattern and a leading `/` are dropped.
        """
        source = SourceText(name, text)
        rules: list[Rule] = []
        wrong: list[KezuriError] = []
        costly = 0
        start = 0
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.removeprefix("\ufeff") if number == 1 else raw
            written = line.strip(SPACE)
            if len(raw) * 4 > LONGEST_LINE and len(raw.encode("utf-8", "replace")) > LONGEST_LINE:
                span = Span(start, start + len(raw))
                message = f"line greater than max allowed size of {LONGEST_LINE}"
                wrong.append(KezuriError.of(message, hint="no pattern is that long", source=source, span=span))
            elif written and not line.startswith("#"):
                try:
                    rule = _rule(_normal(written), written, number, rules)
                except BadPattern as error:
                    span = Span(start + raw.index(written), start + raw.index(written) + len(written))
                    wrong.append(KezuriError.of(str(error), hint=_HINT, source=source, span=span))
                else:
                    if rule is not None:
                        rules.append(rule)
                        costly += rule.pattern.kind == "regex"
                if costly > _MOST_EXPRESSIONS:
                    # Each costs time when it is read, and again for every name that is held against it.
                    wrong.append(
                        KezuriError.of(
                            f"more than {_MOST_EXPRESSIONS} patterns with wildcards",
                            hint="leave whole directories out; names without wildcards may be as many as you like",
                            source=source,
                            span=Span(start, start + len(raw)),
                        )
                    )
                    break
            start += len(raw) + 1
        if wrong:
            raise KezuriError(*(d for error in wrong for d in error.diagnostics))
        return cls(rules, source)


def find_ignore(dockerfile_path: str | None, context_root: str) -> str | None:
    """The ignore file of a build: `<Dockerfile>.dockerignore` if there is one, else the context's `.dockerignore`.

    `dockerfile_path` is None for a Dockerfile that is no file.
    """
    candidates = [] if dockerfile_path is None else [dockerfile_path + ".dockerignore"]
    candidates.append(os.path.join(context_root, ".dockerignore"))
    return next((path for path in candidates if os.path.isfile(path)), None)


_MOST_EXPRESSIONS = 5_000

_HINT = "patterns know * ? ** [a-z] [^a-z] and a leading !; write \\ before a character that shall stand for itself"


def _normal(written: str) -> str:
    """A line of the file as the pattern that it means: cleaned, without its leading slash."""
    negated = written.startswith("!")
    pattern = written[1:].strip(SPACE) if negated else written
    if pattern:
        from kezuri.dockerfile.pathpattern import clean

        pattern = clean(pattern)
        if len(pattern) > 1 and pattern.startswith("/"):
            pattern = pattern[1:]
    return "!" + pattern if negated else pattern


def _rule(pattern: str, written: str, line: int, before: list[Rule]) -> Rule | None:
    pattern = pattern.strip(SPACE)
    if not pattern:
        return None
    from kezuri.dockerfile.pathpattern import PathPattern, clean

    pattern = clean(pattern)
    negated = pattern.startswith("!")
    if negated:
        pattern = pattern[1:]
        if not pattern:
            raise BadPattern('illegal exclusion pattern: "!"')
    try:
        verify(pattern, ".")
    except BadPattern:
        raise BadPattern(f"syntax error in pattern: {written}") from None
    try:
        return Rule(PathPattern(pattern), written, line, negated)
    except BadPattern:
        if negated and all(rule.negated for rule in before):
            return None  # nobody would ever try it
        raise BadPattern(f"syntax error in pattern: {written}") from None


def _test(
    patterns: "list[PathPattern]", directory: str, compiled: dict[tuple[str, ...], Callable[[str], object]]
) -> Callable[[str], object] | None:
    """A test for the names within one directory, of all the patterns that can match there; None when none can."""
    base = directory + "/" if directory else ""
    above = directory.split("/") if directory else []
    names: set[str] = set()
    expressions: list[str] = []
    hard: list[PathPattern] = []
    whole: list[str] = []
    for pattern in patterns:
        literal = pattern.literal
        if pattern.kind == "exact":
            if literal.startswith(base) and "/" not in literal[len(base) :]:
                names.add(literal[len(base) :])
        elif pattern.kind == "prefix":
            if base.startswith(literal):
                return _always
            rest = literal[len(base) :]
            if literal.startswith(base) and "/" not in rest:
                expressions.append(re.escape(rest) + "(?s:.*)")
        elif pattern.kind == "suffix":
            if not literal:
                return _always
            head, slash, last = literal.rpartition("/")
            if not slash:
                expressions.append("(?s:.*)" + re.escape(literal))
            elif ("/" + directory if directory else "").endswith(head):
                names.add(last)
        elif pattern.floating and "\n" in directory:
            hard.append(pattern)  # `**` does not cross the end of a line
        elif pattern.components is not None:
            *ahead, last = pattern.components
            where = above[len(above) - len(ahead) :] if pattern.floating else above
            if len(where) == len(ahead) and all(re.fullmatch(e, n) for e, n in zip(ahead, where)):
                expressions.append(last)
        elif pattern.is_simple:
            whole.append(pattern.source)
        else:
            hard.append(pattern)
    return _union(names, _joined(expressions, compiled), _joined(whole, compiled), hard, base)


def _always(name: str) -> bool:
    return True


def _joined(
    expressions: list[str], compiled: dict[tuple[str, ...], Callable[[str], object]]
) -> Callable[[str], object] | None:
    if not expressions:
        return None
    key = tuple(expressions)
    if key not in compiled:
        joined = "|".join(f"(?:{expression})" for expression in expressions)
        compiled[key] = re.compile(rf"(?:{joined})\Z").match
    return compiled[key]


def _union(
    names: set[str],
    by_name: Callable[[str], object] | None,
    by_path: Callable[[str], object] | None,
    hard: "list[PathPattern]",
    base: str,
) -> Callable[[str], object] | None:
    tests: list[Callable[[str], object]] = []
    if names:
        tests.append(names.__contains__)
    if by_name is not None:
        tests.append(by_name)
    if by_path is not None:
        whole = by_path
        tests.append(lambda name: whole(base + name))
    if hard:
        tests.append(lambda name: any(pattern.hits(base + name) for pattern in hard))
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda name: first(name) or second(name)
    return lambda name: any(test(name) for test in tests)
