"""Secrets in an image as findings: in files of every layer, removed ones too, in its config and in its history."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kezuri.scan.values import Finding

if TYPE_CHECKING:
    from kezuri.check.image.subject import Image


def secret_findings(image: "Image") -> Iterator[Finding]:
    """What an image gives away. KezuriError where its layers cannot be read."""
    raise NotImplementedError(image)
