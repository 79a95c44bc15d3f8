"""What the documents of a bill have in common, whatever their form: text that JSON can hold, identities that depend on
the content alone, and what a bill says of a component beyond the words of the form."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kezuri.packages.package import SYSTEM
from kezuri.sbom.licences import referenced
from kezuri.sbom.values import Bill, BillLayer, Component

OURS: Final = "kezuri:"
"""What properties of ours begin with."""
BEGINNING: Final = "1970-01-01T00:00:00Z"
"""The time of a document whose subject has none: a form demands one, and the clock's would make every document new."""
UNNAMED: Final = "unnamed"
"""The name of what has none: the forms demand one."""

_HALVES = re.compile("[\ud800-\udfff]")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,12})?(Z|[+-]\d\d:\d\d)\Z")


def clean(text: str) -> str:
    """The text without halves of surrogate pairs, which stand for bytes of a record that are no UTF-8."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return _HALVES.sub("\ufffd", text)


def encoded(document: Mapping[str, Any], *, indent: int | None = 2) -> bytes:
    """A document as bytes: keys in the order given, UTF-8, a line's end behind it where it is indented."""
    separators = (",", ": ") if indent is not None else (",", ":")
    text = json.dumps(document, ensure_ascii=False, indent=indent, separators=separators)
    return (text + "\n" * (indent is not None)).encode("utf-8", "replace")


def identity(document: Mapping[str, Any]) -> str:
    """A UUID that is the same for the same document (RFC 9562, version 8: made of a digest)."""
    from hashlib import sha256
    from uuid import UUID

    raw = bytearray(sha256(encoded(document, indent=None)).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    return str(UUID(bytes=bytes(raw)))


def moment(text: str) -> str:
    """A time of RFC 3339 in whole seconds of UTC; empty for what is none."""
    from datetime import UTC, datetime

    found = _TIME.match(text)
    if found is None:
        return ""
    try:
        return datetime.fromisoformat(found[1] + found[2]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)
    except (ValueError, OverflowError):
        return ""


def of_bill(bill: Bill) -> Iterator[tuple[str, str]]:
    """What a bill says of its subject, as pairs of a property's name and its value."""
    yield f"{OURS}kind", bill.kind
    yield f"{OURS}platform", bill.platform
    yield f"{OURS}digest", bill.digest
    yield f"{OURS}base", clean(bill.base)
    for number, layer in enumerate(bill.layers):
        start = f"{OURS}layer:{number}:"
        yield f"{start}diffId", layer.diff_id
        yield f"{start}instruction", clean(layer.text)
        yield f"{start}dockerfile", _line(layer)
        yield f"{start}ofBase", "true" if layer.of_base else ""
    for text in bill.told:
        yield f"{OURS}told", clean(text)


def of_component(bill: Bill, component: Component) -> Iterator[tuple[str, str]]:
    """What a bill says of a component, as pairs of a property's name and its value; the empty ones are for nobody."""
    package = component.package
    if 0 <= component.layer < len(bill.layers):
        layer = bill.layers[component.layer]
        yield f"{OURS}layer", str(component.layer)
        yield f"{OURS}layer:diffId", layer.diff_id
        yield f"{OURS}layer:dockerfile", _line(layer)
        yield f"{OURS}layer:ofBase", "true" if layer.of_base else ""
    yield f"{OURS}source", clean(package.source)
    yield f"{OURS}sourceVersion", clean(package.source_version)
    licence = clean(package.licence)
    yield f"{OURS}licence", licence if referenced(licence)[0] not in ("", licence) else ""
    yield f"{OURS}size", str(package.size) if package.size else ""
    yield f"{OURS}builtHere", "true" if package.built_here else ""
    yield f"{OURS}foreign", "true" if component.foreign else ""
    yield f"{OURS}architecture", clean(package.architecture) if package.ecosystem not in SYSTEM else ""


def _line(layer: BillLayer) -> str:
    """The file and line of an instruction. Whoever reads the document is to learn nothing about directories of the
    machine that it was written on."""
    file = clean(layer.dockerfile)
    if file.startswith("/"):
        file = file.rstrip("/").rpartition("/")[2]
    return f"{file}:{layer.line}" if file else ""


def located(evidence: str) -> str:
    """A record as others name it: a path from the root on; a variable stays what it is."""
    return clean(evidence if evidence.startswith("env:") else f"/{evidence}")
