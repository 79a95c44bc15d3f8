"""The errors of a Dockerfile are findings, too, where findings are listed."""

from collections.abc import Iterator
from itertools import islice

from kezuri.check.rule import Example, Finding, Rule
from kezuri.check.rules.variables import InvalidDefaultArgInFrom
from kezuri.check.subject import Subject
from kezuri.diagnostics import Place, Span
from kezuri.dockerfile.parser import parse

_MOST = 20
_NOTHING_TO_READ = ("file with no instructions", "dockerfile contains no stages")


class Unbuildable(Rule):
    """An error that stops a build."""

    name = "Unbuildable"
    aliases = ("DL1000",)
    severity = "error"
    summary = "A Dockerfile can be built"
    why = (
        "The Dockerfile has an error of its language, or of what its instructions say together (a stage that is not "
        "there): no build gets past it. What could be understood beside it is checked all the same. A base image whose "
        "name hangs on an ARG without a default is no error here: such a file is built with `--build-arg`, and "
        "InvalidDefaultArgInFrom has it."
    )
    japanese = (
        "Dockerfile がビルドできること",
        "Dockerfile の書き方、または命令どうしの関係(存在しないステージなど)に誤りがあり、ビルドはそこで止まります。"
        "誤りのほかに読み取れた部分は、そのまま検査されます。既定値のない ARG で名前が決まるベースイメージは、"
        "`--build-arg` を付けてビルドするファイルなので、ここでは誤りとせず、InvalidDefaultArgInFrom が扱います。",
    )
    bad = Example("FROM scratch\nCOPPY a /\n")
    good = Example("FROM scratch\nCOPY a /\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        """One finding for each error, but for those that a rule of their own reports; of very many (a file that is
        something else) the first."""
        expected = [f.node.span for f in InvalidDefaultArgInFrom().look(subject) if f.node is not None]
        errors = dict.fromkeys(d for e in subject.survey.errors for d in e.diagnostics)
        source = subject.dockerfile.source
        # hadolint stops at what it cannot read, and says nothing of what cannot be built.
        unread = {(d.message, d.span) for d in parse(source.text, source.name).errors} if errors else set()
        homes = {node.node.keyword_span for node in subject.dockerfile.strays}
        for error in islice((e for e in errors if not _within(e.span, expected)), _MOST):
            if error.span in homes or "ONBUILD" in error.message:
                continue  # InstructionBeforeFrom and ForbiddenTrigger
            placed = error.source is not None and error.span is not None
            place = Place(error.source, error.span) if placed else None  # type: ignore[arg-type]
            known = (error.message, error.span) in unread and not error.message.startswith(_NOTHING_TO_READ)
            yield Finding(self, error.message, None, hint=error.hint, place=place, aliases=None if known else ())


def _within(span: Span | None, wholes: list[Span]) -> bool:
    return span is not None and any(whole.start <= span.start and span.end <= whole.end for whole in wholes)


RULES = (Unbuildable(),)
