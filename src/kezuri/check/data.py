"""The door to what a fix of class D needs and no file says."""

from typing import Protocol


class Data(Protocol):
    """Facts from registries or from the store."""

    def digest(self, image: str) -> str | None:
        """The digest (`sha256:…`) that the image has now by this name; None where it is not known."""
        ...
