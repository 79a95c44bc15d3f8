"""A bill as an SPDX document (specification 2.3, JSON)."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from kezuri import __version__
from kezuri.sbom import licences
from kezuri.sbom.purls import of_package
from kezuri.sbom.values import Bill, Component
from kezuri.sbom.wording import BEGINNING, UNNAMED, clean, identity, located, moment, of_bill, of_component

MEDIA_TYPE: Final = "application/spdx+json"
_NOTHING: Final = "NOASSERTION"
_DOCUMENT: Final = "SPDXRef-DOCUMENT"
_SUBJECT: Final = "SPDXRef-subject"


def document(bill: Bill) -> dict[str, Any]:
    """The document as a JSON object: the same bill gives the same bytes. Files are not listed one by one: the form
    demands a SHA-1 of each."""
    created = moment(bill.created) or BEGINNING
    extracted: dict[str, str] = {}
    subject = _subject(bill, created)
    packages = [subject, *_system(bill, created)]
    packages += [_package(bill, n, each, created, extracted) for n, each in enumerate(bill.components)]
    relationships = [_related(_DOCUMENT, "DESCRIBES", _SUBJECT)]
    relationships += [_related(_SUBJECT, "CONTAINS", each["SPDXID"]) for each in packages[1:]]
    made: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": clean(bill.name) or UNNAMED,
        "creationInfo": {"created": created, "creators": [f"Tool: kezuri-{__version__}"]},
        "packages": packages,
        "relationships": relationships,
    }
    if extracted:
        made["hasExtractedLicensingInfos"] = [
            {"licenseId": name, "name": words, "extractedText": words} for name, words in sorted(extracted.items())
        ]
    name = quote(clean(bill.name)[:200] or UNNAMED, safe="")
    space = f"https://kezuri.dev/spdx/{name}-{identity(made)}"
    return {
        **{key: made.pop(key) for key in ("spdxVersion", "dataLicense", "SPDXID", "name")},
        "documentNamespace": space,
        **made,
    }


def _subject(bill: Bill, created: str) -> dict[str, Any]:
    made: dict[str, Any] = {"SPDXID": _SUBJECT, "name": clean(bill.name) or UNNAMED}
    if bill.digest:
        made["versionInfo"] = bill.digest
    made |= _unsaid()
    made["primaryPackagePurpose"] = {"image": "CONTAINER", "directory": "FILE"}.get(bill.kind, "OTHER")
    if bill.digest.startswith("sha256:"):
        made["checksums"] = [{"algorithm": "SHA256", "checksumValue": bill.digest.removeprefix("sha256:")}]
    made["annotations"] = _annotations(of_bill(bill), created)
    return made


def _system(bill: Bill, created: str) -> list[dict[str, Any]]:
    found = bill.distribution
    if not found.id:
        return []
    made: dict[str, Any] = {"SPDXID": "SPDXRef-OperatingSystem-system", "name": clean(found.id)}
    if found.version:
        made["versionInfo"] = clean(found.version)
    made |= _unsaid()
    made["primaryPackagePurpose"] = "OPERATING-SYSTEM"
    if found.title:
        made["summary"] = clean(found.title)
    pairs = (("kezuri:codename", clean(found.codename)), ("kezuri:like", clean(" ".join(found.like))))
    if annotations := _annotations(pairs, created):
        made["annotations"] = annotations
    return [made]


def _package(bill: Bill, number: int, component: Component, created: str, extracted: dict[str, str]) -> dict[str, Any]:
    package = component.package
    made: dict[str, Any] = {"SPDXID": f"SPDXRef-component-{number}", "name": clean(package.full_name) or UNNAMED}
    if package.version:
        made["versionInfo"] = clean(package.version)
    made |= _unsaid()
    if package.vendor:
        made["supplier"] = _supplier(clean(package.vendor))
    if package.licence:
        made["licenseDeclared"] = _licence(clean(package.licence), extracted)
    if package.source:
        # Trivy's words, which it reads as well.
        version = package.source_version or package.version
        made["sourceInfo"] = f"built package from: {clean(package.source)} {clean(version)}".rstrip()
    elif component.evidence:
        made["sourceInfo"] = f"found in: {', '.join(map(located, component.evidence))}"
    made["primaryPackagePurpose"] = "APPLICATION" if package.built_here or package.ecosystem == "generic" else "LIBRARY"
    if 0 <= component.layer < len(bill.layers):
        # BuildKit's words for the layer of a file.
        made["comment"] = f"layerID: {bill.layers[component.layer].diff_id}"
    if package.name:
        purl = of_package(package, bill.distribution, foreign=component.foreign)
        made["externalRefs"] = [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}
        ]
    pairs = [*of_component(bill, component), *(("kezuri:record", clean(each)) for each in component.evidence)]
    if annotations := _annotations(pairs, created):
        made["annotations"] = annotations
    return made


def _supplier(vendor: str) -> str:
    """Who takes care of a package, in SPDX's words (section 7.5): an address in brackets behind the name."""
    name, less, address = " ".join(vendor.split()).replace("(", "").replace(")", "").partition(" <")
    return f"Organization: {name} ({address.rstrip('>')})" if less else f"Organization: {name}"


def _unsaid() -> dict[str, Any]:
    return {
        "downloadLocation": _NOTHING,
        "filesAnalyzed": False,
        "licenseConcluded": _NOTHING,
        "licenseDeclared": _NOTHING,
        "copyrightText": _NOTHING,
        "supplier": _NOTHING,
    }


def _licence(words: str, extracted: dict[str, str]) -> str:
    expression, own = licences.referenced(words)
    if expression and "DocumentRef-" not in expression:  # Of a document that is not here.
        extracted.update({name: name for name in licences.identifiers(expression) if name.startswith("LicenseRef-")})
        extracted.update(own)
        return expression
    name = f"LicenseRef-{sha256(words.encode('utf-8', 'replace')).hexdigest()[:16]}"
    extracted[name] = words
    return name


def _annotations(pairs: Iterable[tuple[str, str]], created: str) -> list[dict[str, str]]:
    return [
        {
            "annotator": f"Tool: kezuri-{__version__}",
            "annotationDate": created,
            "annotationType": "OTHER",
            "comment": f"{name}: {value}",
        }
        for name, value in pairs
        if value
    ]


def _related(one: str, how: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other}
