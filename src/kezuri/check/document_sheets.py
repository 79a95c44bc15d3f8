"""One document beside a Dockerfile checked: every rule for its kind asked, what is silenced left out."""

from kezuri.check.asking import Asking
from kezuri.check.catalogue import document_rules
from kezuri.check.document import DocumentRule, DocumentSubject
from kezuri.check.document_silence import DocumentSilence
from kezuri.check.selection import Selection
from kezuri.check.sheets import order
from kezuri.check.told import Sheet, Told


def check_document(document: DocumentSubject, selection: Selection, heed: bool = True) -> Sheet:
    """What there is to say about a document. Never raises for what stands in it."""
    silence = DocumentSilence(document) if heed else None
    asking = Asking(document.source.name)
    rules = [r for r in selection.rules(document_rules()) if isinstance(r, DocumentRule) and r.asks(document)]
    told: list[Told] = []
    silenced = 0
    for finding in asking(rules, lambda rule: rule.look_at(document)):  # type: ignore[attr-defined]
        aliases = finding.rule.aliases if finding.aliases is None else finding.aliases
        names = (finding.rule.name, *aliases)
        level = selection.level(finding.rule, names, finding.level)
        if level is None:
            continue
        one = Told.of(finding, document.source, level)
        if silence is not None and silence.silent(names, one.source, one.line):
            silenced += 1
        else:
            told.append(one)
    return Sheet(document.source, tuple(sorted(told, key=order)), tuple(asking.defects), silenced)
