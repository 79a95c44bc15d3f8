"""A bill as a CycloneDX document (specification 1.6 and 1.7, JSON)."""

from collections.abc import Iterator
from typing import Any, Final, Literal

from kezuri import __version__
from kezuri.oci.reference import Reference
from kezuri.packages.package import SYSTEM, Package
from kezuri.sbom import licences
from kezuri.sbom.purls import PackageURL, of_package
from kezuri.sbom.values import Bill, Component
from kezuri.sbom.wording import UNNAMED, clean, identity, located, moment, of_bill, of_component

Version = Literal["1.6", "1.7"]
VERSIONS: tuple[Version, ...] = ("1.6", "1.7")
MEDIA_TYPE: Final = "application/vnd.cyclonedx+json"
SUBJECT: Final = "subject"
"""The `bom-ref` of what the bill is of."""


def document(bill: Bill, version: Version = "1.6", *, with_files: bool = False) -> dict[str, Any]:
    """The document as a JSON object: the same bill gives the same bytes. Its component number n has the `bom-ref`
    `reference(n)`. `with_files` names each file of each component, as another occurrence of it."""
    components = [_component(bill, number, each, with_files) for number, each in enumerate(bill.components)]
    system = _system(bill)
    metadata: dict[str, Any] = {}
    if created := moment(bill.created):
        metadata["timestamp"] = created
    tool = {"type": "application", "name": "kezuri", "version": __version__}
    metadata["lifecycles"] = [{"phase": "post-build"}]
    metadata["tools"] = {"components": [tool]}
    metadata["component"] = _subject(bill)
    made: dict[str, Any] = {
        "$schema": f"http://cyclonedx.org/schema/bom-{version}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": version,
        "version": 1,
        "metadata": metadata,
        "components": [*system, *components],
        "dependencies": [{"ref": SUBJECT, "dependsOn": [each["bom-ref"] for each in (*system, *components)]}],
        # Which component needs which is not told, and a program may hold what no record names.
        "compositions": [{"aggregate": "unknown", "assemblies": [SUBJECT]}],
    }
    head = {"$schema": made.pop("$schema"), "bomFormat": made.pop("bomFormat"), "specVersion": version}
    return {**head, "serialNumber": f"urn:uuid:{identity(made)}", **made}


def reference(number: int) -> str:
    """The `bom-ref` of the bill's component of this number."""
    return f"component-{number}"


def _subject(bill: Bill) -> dict[str, Any]:
    made: dict[str, Any] = {
        "bom-ref": SUBJECT,
        "type": {"image": "container", "directory": "file"}.get(bill.kind, "application"),
        "name": clean(bill.name) or UNNAMED,
    }
    if bill.digest:
        made["version"] = bill.digest
    if purl := image_purl(bill):
        made["purl"] = purl
    made["properties"] = _properties(of_bill(bill))
    return made


def image_purl(bill: Bill) -> str:
    """An image's package URL (type `oci`), by the registry that its name is of; empty for what is no image, or
    has no digest."""
    reference = Reference.maybe(bill.name.removeprefix("docker://"))
    if bill.kind != "image" or not bill.digest or reference is None:
        return ""
    qualifiers = {"repository_url": reference.repository, "tag": reference.tag}
    if bill.platform:
        qualifiers["arch"] = bill.platform.split("/")[1] if "/" in bill.platform else bill.platform
    name = reference.path.rpartition("/")[2]
    return str(PackageURL("oci", "", name, bill.digest, tuple(qualifiers.items())))


def _system(bill: Bill) -> list[dict[str, Any]]:
    found = bill.distribution
    if not found.id:
        return []
    made: dict[str, Any] = {"bom-ref": "system", "type": "operating-system", "name": clean(found.id)}
    if found.version:
        made["version"] = clean(found.version)
    if found.title:
        made["description"] = clean(found.title)
    pairs = (("kezuri:codename", clean(found.codename)), ("kezuri:like", clean(" ".join(found.like))))
    if properties := _properties(pairs):
        made["properties"] = properties
    return [made]


def _component(bill: Bill, number: int, component: Component, with_files: bool) -> dict[str, Any]:
    package = component.package
    made: dict[str, Any] = {
        "bom-ref": reference(number),
        "type": "application" if package.built_here or package.ecosystem == "generic" else "library",
    }
    if vendor := " ".join(clean(package.vendor).split()):
        made["supplier"] = {"name": vendor}
    if package.namespace:
        made["group"] = clean(package.namespace)
    made["name"] = clean(package.name) or UNNAMED
    if package.version:
        made["version"] = clean(package.version)
    if package.licence:
        made["licenses"] = [_licence(clean(package.licence))]
    if package.name:
        made["purl"] = of_package(package, bill.distribution, foreign=component.foreign)
    occurrences = [{"location": located(each), "additionalContext": "record"} for each in component.evidence]
    if with_files:
        occurrences += [{"location": located(each), "additionalContext": "file"} for each in package.files]
    if occurrences:
        made["evidence"] = {"occurrences": occurrences}
    if properties := _properties((*of_component(bill, component), *_for_trivy(package))):
        made["properties"] = properties
    return made


def _for_trivy(package: Package) -> Iterator[tuple[str, str]]:
    """The source package in Trivy's words: it takes the name of a package for that of its source where these are
    missing, and finds nothing then."""
    source, version = clean(package.source), clean(package.source_version or package.version)
    if package.ecosystem not in SYSTEM or not (source or package.source_version):
        return
    if package.ecosystem == "rpm":
        parts = source.removesuffix(".src.rpm").rsplit("-", 2)
        if len(parts) != 3:
            return
        source, version, release = parts
        yield "aquasecurity:trivy:SrcRelease", release
    yield "aquasecurity:trivy:SrcName", source or clean(package.name)
    yield "aquasecurity:trivy:SrcVersion", version


def _licence(words: str) -> dict[str, Any]:
    expression = licences.referenced(words)[0]
    if expression.startswith("LicenseRef-") and " " not in expression:
        expression = ""
    if expression and licences.is_one(expression):
        return {"license": {"id": expression, "acknowledgement": "declared"}}
    if expression:
        return {"expression": expression, "acknowledgement": "declared"}
    return {"license": {"name": words, "acknowledgement": "declared"}}


def _properties(pairs: Any) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs if value]
