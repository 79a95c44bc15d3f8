"""Rules, the findings that they give, and fixes: edits of the text."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from kezuri.diagnostics import Diagnostic, Place, SourceText, Span
from kezuri.dockerfile.instructions import Node

if TYPE_CHECKING:
    from kezuri.check.policy import Policy
    from kezuri.check.subject import Subject

Level = Literal["error", "warning", "info", "style", "ignore"]
"""How much a finding weighs. `ignore` is for rules that are asked only when they are named."""

FixClass = Literal["", "A", "V", "D"]
"""What a fix needs before it may be kept: A the same plan but for what it declares, V two builds compared, D data from
elsewhere. Empty: no fix."""


class Edit(NamedTuple):
    """Replace what stands at `span` by `text`, in the Dockerfile or in the `source` that is named."""

    span: Span
    text: str
    source: SourceText | None = None


class NewFile(NamedTuple):
    """A file that a fix makes; `path` is relative to the build context."""

    path: str
    text: str


class Fix(NamedTuple):
    """A way to mend a finding. `title` is an imperative sentence; the edits do not overlap.

    `kind` tells how it has to be proved. `changes` are words of `kezuri.proof.vocabulary` for what the fix changes: of
    class A in the plan (`command`, `env NAME`, `config.Cmd`, `operation.gone`), of class V in the image (`config.User`,
    `file.gone var/lib/apt/lists`, `probe.health`). Empty means that nothing changes but the history, which follows what
    is edited. A fix that changes more than it says is not kept.
    """

    title: str
    edits: tuple[Edit, ...]
    kind: FixClass = "A"
    changes: frozenset[str] = frozenset()
    files: tuple[NewFile, ...] = ()


class Finding(NamedTuple):
    """What a rule found. `message` is BuildKit's where the rule is BuildKit's.

    `node` is the instruction that tools know the finding by; `span` is the part of it to show, `about` takes the
    node's place where it is not the whole instruction. A `# check=skip=` comment is looked for above `judged`, or
    above the node where that is None. `place` is where it stands when that is not the Dockerfile. `aliases` are the
    names of other tools that hold for this finding, where they are not all those of the rule; `level` takes the place
    of the rule's.
    """

    rule: "RulePage"
    message: str
    node: Node | None
    span: Span | None = None
    fix: Fix | None = None
    hint: str = ""
    about: Span | None = None
    judged: Node | None = None
    place: Place | None = None
    aliases: tuple[str, ...] | None = None
    level: Level | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every name by which it can be meant: the rule's own first."""
        return (self.rule.name, *(self.rule.aliases if self.aliases is None else self.aliases))

    def diagnostic(self, source: SourceText) -> Diagnostic:
        """The finding as a warning."""
        if self.place is not None:
            hint = self.hint or (self.fix.title if self.fix is not None else "")
            return Diagnostic(
                "warning", self.message, self.place.source, self.place.span, hint, self.rule.name, "", self.rule.url
            )
        node = self.node
        whole = self.about or (node.span if node is not None else None)
        hint = self.hint or (self.fix.title if self.fix is not None else "")
        span = self.span or whole
        if self.span is None and self.about is None and node is not None and _long(node):
            # Of an instruction of many lines its first word is shown, unless it stands in another file.
            span = (
                node.keyword_span
                if node.keyword_span.start == node.span.start
                else Span(node.span.start, node.span.start + 1)
            )
        return Diagnostic("warning", self.message, source, span, hint, self.rule.name, "", self.rule.url, whole)


class Example:
    """A Dockerfile that shows a rule. `ignore` is the .dockerignore beside it, `base` the platform of its images,
    `files` what the build context holds, by path, `policy` what is asked of it. For a rule about another document
    `text` is that one, and `name` what it is called."""

    # No NamedTuple: making that class costs every build a tenth of a millisecond.
    __slots__ = ("base", "files", "ignore", "name", "policy", "text")

    def __init__(
        self,
        text: str,
        ignore: str = "",
        base: str = "",
        files: dict[str, str] | None = None,
        name: str = "Dockerfile",
        policy: "Policy | None" = None,
    ) -> None:
        self.text = text
        self.ignore = ignore
        self.base = base
        self.files = files
        self.name = name
        self.policy = policy


class RulePage:
    """What is said about a rule, whatever it looks at; everything stands with the rule.

    `summary` is what should be, in a sentence without a full stop; `why` the reason, in Markdown; `japanese` both in
    Japanese. `aliases` are the names that other tools have for it (`DL3009`, `DS-0017`, `CIS-DI-0007`): each of them
    works wherever a rule is named. `bad` is reported by this rule, `good` is not. A `file_wide` rule is switched off
    for the whole file only, not by a comment above an instruction. `url` is the page of the tool that had it first;
    `fix_class` is the class of the fixes that it can give.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    why: ClassVar[str]
    japanese: ClassVar[tuple[str, str]] = ("", "")
    aliases: ClassVar[tuple[str, ...]] = ()
    severity: ClassVar[Level] = "warning"
    fix_class: ClassVar[FixClass] = ""
    bad: ClassVar[Example]
    good: ClassVar[Example]
    url: ClassVar[str] = ""
    experimental: ClassVar[bool] = False
    file_wide: ClassVar[bool] = False

    @property
    def shown_aliases(self) -> tuple[str, ...]:
        """The aliases as people read them: of hundreds only the first and the last."""
        return self.aliases if len(self.aliases) < 20 else (f"{self.aliases[0]}…{self.aliases[-1]}",)


class Rule(RulePage):
    """One check of a Dockerfile, with what surrounds it."""

    def look(self, subject: "Subject") -> Iterator[Finding]:
        """Every place where the rule is broken; of a rule of BuildKit's exactly what BuildKit finds."""
        raise NotImplementedError

    def beyond(self, subject: "Subject") -> Iterator[Finding]:
        """Places that another tool reports under one of the rule's aliases, where BuildKit says nothing: `kezuri check`
        asks for them, a build does not."""
        return iter(())

    def all(self, subject: "Subject") -> Iterator[Finding]:
        """What `kezuri check` reports: what `look` and `beyond` find, each with the aliases that hold for it."""
        yield from self.look(subject)
        yield from self.beyond(subject)


def docker_page(page: str) -> str:
    """Where Docker explains one of its checks."""
    return f"https://docs.docker.com/go/dockerfile/rule/{page}/"


def apply(text: str, fixes: Iterable[Fix]) -> str:
    """The text after the fixes. A fix that overlaps an earlier one is left out as a whole; checking the new text
    finds it again."""
    made: list[Edit] = []
    for fix in fixes:
        if not any(a.span.start < b.span.end and b.span.start < a.span.end for a in fix.edits for b in made):
            made += fix.edits
    parts: list[str] = []
    at = 0
    for edit in sorted(made, key=lambda e: e.span):
        parts += (text[at : edit.span.start], edit.text)
        at = edit.span.end
    return "".join((*parts, text[at:]))


def _long(node: Node) -> bool:
    return "\n" in node.source.text[node.span.start : node.span.end]
