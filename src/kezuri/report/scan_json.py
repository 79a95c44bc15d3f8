"""A scan as values that become JSON; docs/scan.schema.json describes them."""

from typing import Any

from kezuri.advisories.values import DataSet
from kezuri.sbom.values import Bill, BillLayer
from kezuri.scan.licences import report as licences
from kezuri.scan.urgency import counts, exploited
from kezuri.scan.values import Finding, Report

VERSION = 1
"""Counted up when a field changes its meaning or goes; new ones may come without."""


def document(report: Report, bill: Bill, at: str) -> dict[str, Any]:
    """Everything that was found, at a time (RFC 3339). Layers are counted from 1, the lowest, components as `kezuri
    sbom --format json` lists them, from 1; where there is none stands null."""
    ignored = sum(1 for finding in report.findings if finding.ignored)
    return {
        "version": VERSION,
        "subject": report.name,
        "kind": report.kind,
        "digest": report.digest or None,
        "platform": report.platform or None,
        "distribution": report.distribution or None,
        "base": report.base or None,
        "components": report.components,
        "at": at,
        "data": [_data(each) for each in report.data],
        "summary": {
            "severities": dict(counts(report.findings)),
            "exploited": exploited(report.findings),
            "ignored": ignored,
            "hidden": dict(report.hidden),
        },
        "remedies": [
            {"kind": each.kind, "order": each.order or None, "findings": [number + 1 for number in each.findings]}
            for each in report.remedies
        ],
        "findings": [_finding(each) for each in report.findings],
        "layers": [_layer(each) for each in report.layers],
        "licences": [
            {"licence": row.licence or None, "asks": row.demand, "components": [each + 1 for each in row.components]}
            for row in licences(bill)
        ],
        "told": list(report.told),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    signal = finding.signal
    return {
        "kind": finding.kind,
        "id": finding.id,
        "aliases": list(finding.aliases),
        "title": finding.title,
        "severity": finding.severity,
        "component": finding.component + 1 or None,
        "name": finding.name or None,
        "purl": finding.purl or None,
        "installed": finding.installed or None,
        "fixed": list(finding.fixed),
        "status": finding.status,
        "layer": finding.layer + 1 or None,
        "path": finding.path or None,
        "line": finding.line or None,
        "score": finding.score or None,
        "vectors": list(finding.vectors),
        "exploited": (signal.exploited if signal is not None else "") or None,
        "ransomware": signal is not None and signal.ransomware,
        "chance": signal.chance if signal is not None and signal.chance >= 0 else None,
        "data": finding.data or None,
        "references": list(finding.references),
        "ignored": finding.ignored or None,
        "note": finding.note or None,
    }


def _layer(layer: BillLayer) -> dict[str, Any]:
    return {
        "diffId": layer.diff_id or None,
        "instruction": layer.text or None,
        "dockerfile": layer.dockerfile or None,
        "line": layer.line or None,
        "ofBase": layer.of_base,
    }


def _data(data: DataSet) -> dict[str, Any]:
    return {
        "name": data.name,
        "address": data.address,
        "date": data.date or None,
        "fetched": data.fetched or None,
        "entries": data.entries,
        "licence": data.licence or None,
    }
