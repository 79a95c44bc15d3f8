"""Findings of a scan, as values."""

from typing import Literal, NamedTuple

from kezuri.advisories.values import DataSet, Severity, Signal, Status
from kezuri.sbom.values import BillLayer

Kind = Literal["vulnerability", "end-of-life", "secret", "misconfiguration", "licence"]

Doing = Literal["base", "packages", "language", "runtime", "secret", "settings", "none"]
"""What sort of thing there is to do."""


class Finding(NamedTuple):
    """Something that is wrong. `id` is an advisory's, a rule's or a cycle's (`CVE-2024-1`, `aws-access-key`,
    `debian:10`); `component` is the number of the component in the bill, -1 for what is no component's; `path` is the
    file it is in, empty for none; `layer` the number of the layer that brought it, -1 where that is not known.
    `installed` and `fixed` are versions; `ignored` says why it does not count, empty where it does."""

    kind: Kind
    id: str
    title: str
    severity: Severity
    component: int = -1
    name: str = ""
    installed: str = ""
    fixed: tuple[str, ...] = ()
    status: Status = "affected"
    aliases: tuple[str, ...] = ()
    layer: int = -1
    path: str = ""
    line: int = 0
    purl: str = ""
    data: str = ""
    score: float = 0.0
    vectors: tuple[str, ...] = ()
    signal: Signal | None = None
    references: tuple[str, ...] = ()
    ignored: str = ""
    note: str = ""


class Remedy(NamedTuple):
    """Something to do: `order` in words of a person (`npm install jinja2@…`, `rebuild FROM node:20.x`), how many
    findings go by it, and their numbers in the report. The last remedy of a report, with an empty order, has those that
    nothing mends."""

    kind: Doing
    order: str
    findings: tuple[int, ...]


class Report(NamedTuple):
    """What a scan has found, the most urgent first, those that are ignored last. `layers` are those of the bill; `data`
    is what was asked, which of it was found too old is among `told`, as all that could not be asked; `hidden` says how
    many findings of each severity were left out because nobody wanted to see them."""

    name: str
    kind: str
    digest: str
    platform: str
    distribution: str
    layers: tuple[BillLayer, ...]
    components: int
    findings: tuple[Finding, ...]
    remedies: tuple[Remedy, ...]
    data: tuple[DataSet, ...]
    base: str = ""
    told: tuple[str, ...] = ()
    hidden: tuple[tuple[Severity, int], ...] = ()
