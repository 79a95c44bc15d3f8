"""Rules, the findings that they give, and fixes: edits of the text."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from kezuri.diagnostics import Diagnostic, SourceText, Span
from kezuri.dockerfile.instructions import Node

if TYPE_CHECKING:
    from kezuri.check.subject import Subject


class Edit(NamedTuple):
    """Replace what stands at `span` by `text`."""

    span: Span
    text: str


class Fix(NamedTuple):
    """A way to mend a finding. `title` is an imperative sentence; the edits do not overlap and keep the meaning of the
    file: the same image comes of it."""

    title: str
    edits: tuple[Edit, ...]


class Finding(NamedTuple):
    """What a rule found. `message` is BuildKit's where the rule is BuildKit's.

    `node` is the instruction that tools know the finding by; `span` is the part of it to show, `about` takes the
    node's place where it is not the whole instruction. A `# check=skip=` comment is looked for above `judged`, or
    above the node where that is None.
    """

    rule: "Rule"
    message: str
    node: Node | None
    span: Span | None = None
    fix: Fix | None = None
    hint: str = ""
    about: Span | None = None
    judged: Node | None = None

    def diagnostic(self, source: SourceText) -> Diagnostic:
        """The finding as a warning."""
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
    """A Dockerfile that shows a rule. `ignore` is the .dockerignore beside it, `base` the platform of its images."""

    # No NamedTuple: making that class costs every build a tenth of a millisecond.
    __slots__ = ("base", "ignore", "text")

    def __init__(self, text: str, ignore: str = "", base: str = "") -> None:
        self.text = text
        self.ignore = ignore
        self.base = base


class Rule:
    """One check. A rule is a class with a `look` method; everything that is said about it stands with it.

    `summary` is what should be, in a sentence without a full stop; `why` the reason, in Markdown; `bad` is reported by
    this rule alone and `good` by none. A `file_wide` rule is switched off for the whole file only, not by a comment
    above an instruction. `url` is the page that explains it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    why: ClassVar[str]
    bad: ClassVar[Example]
    good: ClassVar[Example]
    url: ClassVar[str] = ""
    experimental: ClassVar[bool] = False
    file_wide: ClassVar[bool] = False

    def look(self, subject: "Subject") -> Iterator[Finding]:
        """Every place where the rule is broken."""
        raise NotImplementedError


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
