"""What was found inside as a snapshot for GitHub's dependency graph (REST: submit a snapshot of dependencies)."""

from collections.abc import Mapping
from typing import Any, Final

from kezuri import __version__
from kezuri.packages.package import SYSTEM
from kezuri.report.places import shown
from kezuri.report.scan_words import HOME
from kezuri.sbom.purls import of_package
from kezuri.sbom.values import Bill, Component

_NAMES: Final = {
    "npm": "node-pkg",
    "pypi": "python-pkg",
    "golang": "gobinary",
    "cargo": "rustbinary",
    "maven": "jar",
    "gem": "gemspec",
    "composer": "composer-vendor",
    "nuget": "dotnet-core",
}


def document(bill: Bill, at: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """The snapshot of what the bill has, for the commit and the job that the variables of a workflow name."""
    metadata = {"kezuri:image": bill.name} if bill.kind == "image" else {"kezuri:subject": bill.name}
    if bill.digest:
        metadata["kezuri:digest"] = bill.digest
    return {
        "version": 0,
        "sha": environ.get("GITHUB_SHA", ""),
        "ref": environ.get("GITHUB_REF", ""),
        "job": {
            "id": environ.get("GITHUB_RUN_ID", ""),
            "correlator": f"{environ.get('GITHUB_WORKFLOW', '')}_{environ.get('GITHUB_JOB', '')}",
        },
        "detector": {"name": "kezuri", "version": __version__, "url": HOME},
        "scanned": at,
        "metadata": metadata,
        "manifests": _manifests(bill),
    }


def kind_of(component: Component, bill: Bill) -> str:
    """What kind of record tells of a component, in the words of other scanners."""
    ecosystem = component.package.ecosystem
    return (bill.distribution.id or ecosystem) if ecosystem in SYSTEM else _NAMES.get(ecosystem, ecosystem)


def _manifests(bill: Bill) -> dict[str, Any]:
    made: dict[str, Any] = {}
    dockerfile = next((layer.dockerfile for layer in reversed(bill.layers) if layer.dockerfile), "")
    for component in bill.components:
        package = component.package
        if not package.name:
            continue
        kind = kind_of(component, bill)
        system = package.ecosystem in SYSTEM
        key = f"{bill.name} ({kind})" if system or bill.kind == "image" else f"{bill.name}: {kind}"
        manifest = made.get(key)
        if manifest is None:
            manifest = made[key] = {"name": kind, "resolved": {}}
            source = shown(dockerfile) if dockerfile else "" if system else bill.name
            if source:
                manifest["file"] = {"source_location": source}
        resolved: dict[str, Any] = manifest["resolved"]
        name = package.full_name
        if name in resolved:
            name = f"{package.full_name}@{package.version}"
        entry: dict[str, Any] = {
            "package_url": of_package(package, bill.distribution, foreign=component.foreign),
            "relationship": "direct",
            "scope": "runtime",
        }
        if component.evidence:
            entry["metadata"] = {"source_location": component.evidence[0]}
        resolved[name] = entry
    return made
