"""A bill as an SPDX document (specification 2.3, JSON)."""

from typing import Any

from kezuri.sbom.values import Bill


def document(bill: Bill) -> dict[str, Any]:
    """The document as a JSON object: the same bill gives the same bytes."""
    raise NotImplementedError(bill)
