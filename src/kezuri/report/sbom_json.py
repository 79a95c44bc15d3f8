"""A bill as values that become JSON; docs/sbom.schema.json describes them."""

from typing import Any

from kezuri.sbom.purls import of_package
from kezuri.sbom.values import Bill, Component

VERSION = 1
"""Counted up when a field changes its meaning or goes; new ones may come without."""


def document(bill: Bill, files: bool = False) -> dict[str, Any]:
    """The bill; layers are counted from 1, the lowest, and where there is none stands null. With `files` every package
    has those that its record names."""
    distribution = bill.distribution
    return {
        "version": VERSION,
        "kind": bill.kind,
        "name": bill.name,
        "digest": bill.digest or None,
        "platform": bill.platform or None,
        "created": bill.created or None,
        "base": bill.base or None,
        "distribution": {
            "id": distribution.id,
            "version": distribution.version,
            "title": distribution.title,
            "codename": distribution.codename or None,
        }
        if distribution.id
        else None,
        "layers": [
            {
                "number": number + 1,
                "diffId": layer.diff_id,
                "instruction": layer.text,
                "dockerfile": layer.dockerfile or None,
                "line": layer.line or None,
                "ofBase": layer.of_base,
            }
            for number, layer in enumerate(bill.layers)
        ],
        "components": [_component(bill, each, files) for each in bill.components],
        "told": list(bill.told),
    }


def _component(bill: Bill, component: Component, files: bool) -> dict[str, Any]:
    package = component.package
    row: dict[str, Any] = {
        "type": package.ecosystem,
        "name": package.full_name,
        "version": package.version,
        "purl": of_package(package, bill.distribution, foreign=component.foreign),
        "architecture": package.architecture or None,
        "source": package.source or None,
        "sourceVersion": package.source_version or None,
        "licence": package.licence or None,
        "vendor": package.vendor or None,
        "size": package.size or None,
        "layer": component.layer + 1 if component.layer >= 0 else None,
        "evidence": list(component.evidence),
        "foreign": component.foreign,
        "builtHere": package.built_here,
    }
    if files:
        row["files"] = list(package.files)
        row["directories"] = list(package.directories)
    return row
