"""Documents of CycloneDX and SPDX, whoever wrote them, as bills."""

from kezuri.sbom.values import Bill

MOST_BYTES = 256 << 20
"""Bytes of a document that is read."""


def read(data: bytes, where: str) -> Bill:
    """The bill that a document is: CycloneDX or SPDX 2.x in JSON, alone or as the predicate of an in-toto statement.
    `where` is what errors call it. KezuriError for what is no such document; what of it cannot be read is in `told`."""
    raise NotImplementedError((data, where))


def is_bill(data: bytes) -> bool:
    """Whether bytes look like such a document, by their first part."""
    raise NotImplementedError(data)
