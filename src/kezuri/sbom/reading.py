"""Documents of CycloneDX and SPDX, whoever wrote them, as bills."""

import json
from base64 import b64decode
from typing import Any, Final

from kezuri.diagnostics import KezuriError
from kezuri.sbom.values import Bill

MOST_BYTES: Final = 80 << 20
"""Bytes of a document that is read; BuildKit writes none of more."""

MOST_VALUES: Final = 3_000_000
"""Objects, lists and values in them that a document has at most: an empty list of two bytes takes sixty in memory. The
bill of an image of 840 MB with all its files (Syft's) has less than a tenth of it."""
_WRAPPED: Final = 4
"""How deep a document may be within others: a statement within an envelope is the second."""
_WHAT_FILES: Final = (
    "what can be named is an SBOM (CycloneDX, SPDX), an archive of an image, or a directory; "
    "`kezuri check FILE` checks Dockerfiles"
)
_AS_JSON: Final = "write it in JSON: both forms have it, and every tool that writes them does, too"


def read(data: bytes, where: str) -> Bill:
    """The bill that a document is: CycloneDX or SPDX 2.x in JSON, alone or as the predicate of an in-toto statement.
    `where` is what errors call it. KezuriError for what is no such document; what of it cannot be read is in `told`."""
    document = _document(data, where)
    for _ in range(_WRAPPED):
        if document.get("bomFormat") == "CycloneDX":
            from kezuri.sbom import cyclonedx_reading

            return cyclonedx_reading.bill(document)
        version = document.get("spdxVersion")
        if isinstance(version, str) and version.startswith("SPDX-2."):
            from kezuri.sbom import spdx_reading

            return spdx_reading.bill(document)
        inner = _inner(document, where)
        if inner is None:
            break
        document = inner
    raise _unknown(document, where)


def values_in(data: bytes) -> int:
    """How many values a document of JSON has at most; it is not read for it."""
    return sum(map(data.count, (b"{", b"[", b",")))


def _document(data: bytes, where: str) -> dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise KezuriError.of(f"{where}: larger than {MOST_BYTES >> 20} MiB, which no bill of an image is", exit_code=2)
    if values_in(data) > MOST_VALUES:
        raise KezuriError.of(f"{where}: more than {MOST_VALUES} values, which no bill of an image has", exit_code=2)
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        raise KezuriError.of(f"{where}: XML is not read here", hint=_AS_JSON, exit_code=2)
    if start.startswith(b"SPDXVersion:"):
        raise KezuriError.of(f"{where}: SPDX's tag-value form is not read here", hint=_AS_JSON, exit_code=2)
    try:
        document = json.loads(data.decode("utf-8-sig", "replace"), parse_constant=_refuse)
    except RecursionError:
        raise KezuriError.of(f"{where}: nested too deep for a bill", exit_code=2) from None
    except ValueError as error:
        why = str(error)[:100]
        raise KezuriError.of(f"{where}: not a JSON document: {why}", hint=_WHAT_FILES, exit_code=2) from None
    if not isinstance(document, dict):
        raise KezuriError.of(f"{where}: not an object of JSON: no CycloneDX and no SPDX document", exit_code=2)
    return document


def _inner(document: dict[str, Any], where: str) -> dict[str, Any] | None:
    """The document within this one; None where there is none."""
    payload = document.get("payload")
    if isinstance(payload, str) and "payloadType" in document:
        try:
            return _document(b64decode(payload, validate=True), f"{where}: the payload")
        except ValueError:
            raise KezuriError.of(f"{where}: its payload is no base64: a damaged envelope", exit_code=2) from None
    for key in ("predicate", "sbom"):
        inner = document.get(key)
        if isinstance(inner, dict):
            return inner
    # What cosign makes of a predicate that it does not look into.
    text = document.get("Data")
    if isinstance(text, dict):
        return text
    return _document(text.encode("utf-8", "replace"), where) if isinstance(text, str) else None


def _unknown(document: dict[str, Any], where: str) -> KezuriError:
    context = document.get("@context")
    if isinstance(context, str) and "spdx.org/rdf/3" in context:
        return KezuriError.of(f"{where}: SPDX 3 is not read yet", hint="write it as SPDX 2.3 or CycloneDX", exit_code=2)
    if "artifacts" in document and "descriptor" in document:
        return KezuriError.of(
            f"{where}: Syft's own form is not read", hint="write it with -o cyclonedx-json or -o spdx-json", exit_code=2
        )
    return KezuriError.of(
        f"{where}: neither a CycloneDX nor an SPDX document",
        hint="kezuri reads both in JSON, also as the predicate of an in-toto statement",
        exit_code=2,
    )


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no number")
