"""SPDX documents in JSON (2.2 and 2.3) as bills: ours, Syft's, Trivy's and others'."""

from collections.abc import Mapping
from typing import Any, Final

from kezuri.sbom.drafts import Draft, fields, listed, text
from kezuri.sbom.values import Bill
from kezuri.sbom.wording import OURS

_SILENT: Final = ("NOASSERTION", "NONE")
_KINDS: Final = {"CONTAINER": "image", "FILE": "directory"}
_NO_PACKAGES: Final = ("SPDXRef-Application-", "SPDXRef-Filesystem-", "SPDXRef-Repository-", "SPDXRef-DocumentRoot-")
"""How the names of what Trivy and Syft write between the subject and its packages begin."""
_BUILT: Final = "built package from: "
_ACQUIRED: Final = "acquired package info from "


def bill(document: Mapping[str, Any]) -> Bill:
    """The bill that a document is."""
    draft = Draft()
    draft.name = text(document.get("name"))
    packages = [fields(each) for each in listed(document.get("packages"))]
    described = _described(document)
    roots = [each for each in packages if text(each.get("SPDXID")) in described and not _purl_of_package(each)]
    roots = roots or [each for each in packages if text(each.get("primaryPackagePurpose")) == "CONTAINER"]
    root = roots[0] if len(roots) == 1 else {}
    if root:
        kind = _KINDS.get(text(root.get("primaryPackagePurpose")), "")
        if text(root.get("SPDXID")).startswith("SPDXRef-ContainerImage-"):
            kind = "image"
        name = text(root.get("name")) or draft.name
        said = _said(root)
        if f"{OURS}kind" in said:
            draft.created = text(fields(document.get("creationInfo")).get("created"), 40)
        draft.subject(name, _digest(root), kind, said)
    texts = _texts(document)
    for package in packages:
        if package is not root:
            _enter(draft, package, texts)
    return draft.bill()


def _described(document: Mapping[str, Any]) -> set[str]:
    found = {text(each) for each in listed(document.get("documentDescribes"))}
    for each in map(fields, listed(document.get("relationships"))):
        one, how, other = (text(each.get(key)) for key in ("spdxElementId", "relationshipType", "relatedSpdxElement"))
        if one == "SPDXRef-DOCUMENT" and how in ("DESCRIBES", "DESCRIBE"):
            found.add(other)
    return found


def _enter(draft: Draft, package: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    name, version, own = (text(package.get(key)) for key in ("name", "versionInfo", "SPDXID"))
    purpose, said = text(package.get("primaryPackagePurpose")), _said(package)
    purl = _purl_of_package(package)
    if not purl:
        if purpose == "OPERATING-SYSTEM" or own.startswith("SPDXRef-OperatingSystem-"):
            draft.system(name, version, text(package.get("summary")), said)
            return
        if own.startswith(_NO_PACKAGES) or purpose in ("CONTAINER", "FILE", "SOURCE", "ARCHIVE"):
            return
    licence = next(
        (word for key in ("licenseDeclared", "licenseConcluded") if (word := _licence(package.get(key), texts))), ""
    )
    info = text(package.get("sourceInfo"), 10_000)
    source = ("", "")
    records = said.get(f"{OURS}record", [])
    if info.startswith(_BUILT):
        built, _, built_version = info.removeprefix(_BUILT).partition(" ")
        source = (built, built_version)
    elif info.startswith(_ACQUIRED) and not records:
        records = info.partition(": ")[2].split(", ")
    draft.component(name, version, purl, licence, records, said, source, _vendor(text(package.get("supplier"))))


def _purl_of_package(package: Mapping[str, Any]) -> str:
    for each in map(fields, listed(package.get("externalRefs"))):
        if text(each.get("referenceType")) == "purl":
            purl = text(each.get("referenceLocator"), 5000)
            # An image's is no package's.
            return "" if purl.startswith(("pkg:oci/", "pkg:docker/")) else purl
    return ""


def _vendor(supplier: str) -> str:
    kind, _, name = supplier.partition(": ")
    if kind not in ("Organization", "Person"):
        return ""
    name, bracket, address = name.rpartition(" (") if "@" in name else (name, "", "")
    return f"{name} <{address.rstrip(')')}>" if bracket else name or address


def _digest(package: Mapping[str, Any]) -> str:
    version = text(package.get("versionInfo"))
    if version.startswith("sha256:"):
        return version
    for each in map(fields, listed(package.get("checksums"))):
        if text(each.get("algorithm")) == "SHA256":
            return f"sha256:{text(each.get('checksumValue'))}"
    return ""


def _said(package: Mapping[str, Any]) -> dict[str, list[str]]:
    """What annotations, and with Trivy of old attribution texts, say as `name: value`."""
    found: dict[str, list[str]] = {}
    words = [text(fields(each).get("comment"), 10_000) for each in listed(package.get("annotations"))]
    words += [text(each, 10_000) for each in listed(package.get("attributionTexts"))]
    for word in words:
        name, colon, value = word.partition(": ")
        if colon and value:
            found.setdefault(name, []).append(value)
    return found


def _licence(value: object, texts: Mapping[str, str]) -> str:
    word = text(value, 2000)
    return "" if word in _SILENT else texts.get(word, word)


def _texts(document: Mapping[str, Any]) -> dict[str, str]:
    """What licences of the document's own say, where they say no more than a name."""
    found = {}
    for each in map(fields, listed(document.get("hasExtractedLicensingInfos"))):
        words = text(each.get("extractedText"), 2001)
        if not words or len(words) > 500 or words == "NOASSERTION":
            words = text(each.get("name"))
        if words and (name := text(each.get("licenseId"))):
            found[name] = words
    return found
