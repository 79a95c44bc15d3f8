"""Documents examined by their rules, with files around them that exist only here."""

from collections.abc import Mapping

from tests.check.check_dockerfiles import Table

from kezuri.check.catalogue import every_rule
from kezuri.check.document import DocumentRule, DocumentSubject, document_of
from kezuri.check.rule import Finding, apply
from kezuri.diagnostics import SourceText
from kezuri.documents.difference import differences
from kezuri.documents.reader import read

RULES = tuple(rule for rule in every_rule() if isinstance(rule, DocumentRule))
"""Every rule about documents."""


def subject(text: str, path: str, files: Mapping[str, str] | None = None) -> DocumentSubject:
    """The document that the text is under that path; `files` lie around it, by their paths from its home."""
    found = document_of(SourceText(path, text), path, None if files is None else Table(files))
    assert found is not None, f"{path} is no document that there are rules for"
    return found


def findings(document: DocumentSubject, *names: str) -> list[Finding]:
    """What the rules, or those of these names, find in a document."""
    asked = [rule for rule in RULES if rule.asks(document) and (not names or rule.name in names)]
    return [finding for rule in asked for finding in rule.look_at(document)]


def said(text: str, path: str, files: Mapping[str, str] | None = None, *names: str) -> list[tuple[str, int]]:
    """The names of what is found, with their lines, in the order of the text."""
    document = subject(text, path, files)
    found = []
    for finding in findings(document, *names):
        assert finding.place is not None
        found.append((finding.rule.name, finding.place.source.position(finding.place.span.start)[0]))
    return sorted(found, key=lambda pair: (pair[1], pair[0]))


def fixed(document: DocumentSubject, finding: Finding) -> str:
    """The text after the finding's fix, when that changed nothing for a reader but what it says that it changes."""
    assert finding.fix is not None
    text = apply(document.source.text, [finding.fix])
    if document.yaml is not None:
        before, after = document.yaml.verify(), read(SourceText(document.path, text)).verify()
        assert len(before.documents) == len(after.documents)
        for one, two in zip(before.documents, after.documents, strict=True):
            for path in differences(one, two):
                where = ".".join(map(str, path))
                assert any(where == c or where.startswith(f"{c}.") or not c for c in finding.fix.changes), where
    return text
