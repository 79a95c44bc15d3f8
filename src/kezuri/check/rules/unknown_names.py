"""Comments that name rules which are not there: they silence nothing."""

from collections.abc import Iterator

from kezuri.check.names import known, meant
from kezuri.check.pragmas import pragmas
from kezuri.check.rule import Edit, Example, Finding, Fix, Rule
from kezuri.check.subject import Subject
from kezuri.diagnostics import Place, Span


class UnknownRuleName(Rule):
    """A comment that silences a rule which nobody has."""

    name = "UnknownRuleName"
    severity = "info"
    fix_class = "A"
    summary = "A comment that silences a rule names one that there is"
    why = (
        "A misspelt name silences nothing, and nobody notices: the finding that was meant is reported as before, or "
        "the comment outlives the rule. In a comment of hadolint's the whole list then counts for nothing, with us as "
        "with hadolint. Names that other tools may have (`DL1234`, `SC1234`, `DS-0123`) are left alone."
    )
    japanese = (
        "指摘を抑えるコメントは、実在する規則の名前を書くこと",
        "名前を書き間違えたコメントは何も抑えず、しかも気づかれません。抑えたかった指摘はそのまま報告されます。"
        "hadolint のコメントでは、hadolint と同じく、その一覧全体が無効になります。"
        "ほかのツールの名前でありうるもの(`DL1234`、`SC1234`、`DS-0123` など)は報告しません。",
    )
    bad = Example("FROM scratch\n# kezuri ignore=WorkdirRelativPath\nWORKDIR a\n")
    good = Example("FROM scratch\n# kezuri ignore=WorkdirRelativePath\nWORKDIR a\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        """One finding for each name."""
        source = subject.dockerfile.source
        for pragma in pragmas(subject.dockerfile):
            for name in pragma.written:
                if known(name):
                    continue
                at = source.text.find(name, pragma.span.start, pragma.span.end)
                span = pragma.span if at < 0 else Span(at, at + len(name))
                near = meant(name)
                fix = Fix(f"write `{near}`", (Edit(span, near),)) if near and at >= 0 else None
                hint = "" if fix is not None else "`kezuri check --list` shows the rules"
                yield Finding(self, f"There is no rule {name}", None, fix=fix, hint=hint, place=Place(source, span))


RULES = (UnknownRuleName(),)
