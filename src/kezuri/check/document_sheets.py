"""One document beside a Dockerfile checked: every rule for its kind asked, what is silenced left out."""

from kezuri.check.asking import Asking
from kezuri.check.catalogue import document_rules
from kezuri.check.document import DocumentRule, DocumentSubject
from kezuri.check.document_silence import DocumentSilence
from kezuri.check.selection import Selection
from kezuri.check.sheets import order
from kezuri.check.told import Sheet


def check_document(document: DocumentSubject, selection: Selection, heed: bool = True) -> Sheet:
    """What there is to say about a document. Never raises for what stands in it."""
    silence = DocumentSilence(document) if heed else None
    asking = Asking(document.source.name)
    rules = [r for r in selection.rules(document_rules()) if isinstance(r, DocumentRule) and r.asks(document)]
    told, silenced = selection.tell(
        asking(rules, lambda rule: rule.look_at(document)),  # type: ignore[attr-defined]
        lambda finding: document.source,
        lambda finding, one: silence is not None and silence.silent(finding.names, one.source, one.line),
    )
    return Sheet(document.source, tuple(sorted(told, key=order)), tuple(asking.defects), silenced)
