"""CycloneDX documents in JSON (1.2 to 1.7) as bills: ours, Syft's, Trivy's and others'."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from kezuri.sbom.drafts import Draft, fields, listed, text
from kezuri.sbom.values import Bill
from kezuri.sbom.wording import OURS

_KINDS: Final = {"container": "image", "file": "directory"}
_NO_PACKAGES: Final = ("file", "container", "data", "cryptographic-asset", "device", "device-driver")
"""Types of components that are no packages, unless they have a package URL."""


def bill(document: Mapping[str, Any]) -> Bill:
    """The bill that a document is."""
    draft = Draft()
    metadata = fields(document.get("metadata"))
    subject = fields(metadata.get("component"))
    name, version, kind = (text(subject.get(key)) for key in ("name", "version", "type"))
    said = _said(subject)
    if f"{OURS}kind" in said:
        draft.created = text(metadata.get("timestamp"), 40)  # With others it is the time of the document.
    draft.subject(name, version, _KINDS.get(kind, ""), said)
    for component in _walked(document.get("components"), subject.get("components")):
        _enter(draft, component)
    return draft.bill()


def _walked(*lists: object) -> Iterator[Mapping[str, Any]]:
    """Every component, also those within others, in order."""
    waiting = [each for found in lists for each in listed(found)][::-1]
    while waiting:
        component = fields(waiting.pop())
        yield component
        waiting += listed(component.get("components"))[::-1]


def _enter(draft: Draft, component: Mapping[str, Any]) -> None:
    kind, said = text(component.get("type")), _said(component)
    name, version, purl = (text(component.get(key)) for key in ("name", "version", "purl"))
    if kind == "operating-system":
        draft.system(name, version, text(component.get("description")), said)
        return
    if not purl and (kind in _NO_PACKAGES or "aquasecurity:trivy:Type" in said):
        return  # A file, or Trivy's word for a lock file and what it is for.
    if group := text(component.get("group")):
        name = f"{group}/{name}"
    records = [
        text(each.get("location")) for each in _occurrences(component) if each.get("additionalContext") != "file"
    ]
    records += said.get("aquasecurity:trivy:FilePath", [])
    records += [values[0] for key, values in said.items() if key.startswith("syft:location:") and key.endswith(":path")]
    vendor = text(fields(component.get("supplier")).get("name"))
    draft.component(name, version, purl, _licence(component), records, said, vendor=vendor)


def _occurrences(component: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [fields(each) for each in listed(fields(component.get("evidence")).get("occurrences"))]


def _said(component: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in listed(component.get("properties")):
        pair = fields(each)
        name, value = text(pair.get("name")), text(pair.get("value"), 10_000)
        if name and value:
            found.setdefault(name, []).append(value)
    return found


def _licence(component: Mapping[str, Any]) -> str:
    """The licences in one row: an expression, or the names of several, which hold together."""
    words = []
    for each in map(fields, listed(component.get("licenses"))):
        licence = fields(each.get("license"))
        word = text(each.get("expression"), 2000) or text(licence.get("id")) or text(licence.get("name"), 2000)
        if word:
            words.append(word)
    return words[0] if len(words) == 1 else " AND ".join(f"({word})" if " " in word else word for word in words)
