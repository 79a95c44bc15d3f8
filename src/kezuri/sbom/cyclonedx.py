"""A bill as a CycloneDX document (specification 1.6 and 1.7, JSON)."""

from typing import Any, Literal

from kezuri.sbom.values import Bill

Version = Literal["1.6", "1.7"]
VERSIONS: tuple[Version, ...] = ("1.6", "1.7")


def document(bill: Bill, version: Version = "1.6") -> dict[str, Any]:
    """The document as a JSON object: the same bill gives the same bytes. Its component number n has the `bom-ref`
    `reference(bill, n)`."""
    raise NotImplementedError((bill, version))


def reference(number: int) -> str:
    """The `bom-ref` of the bill's component of this number."""
    return f"component-{number}"
