"""What lies around a Dockerfile, as rules may ask for it: a door that a directory, or a test's table, opens."""

from collections.abc import Iterable
from typing import Protocol

LARGEST = 4 << 20
"""Files of more bytes than this are not read for a check."""


class Surroundings(Protocol):
    """The build context before its ignore file is applied. Paths are relative, with `/`, without a leading one."""

    def names(self, directory: str = "") -> Iterable[str]:
        """The names in a directory of the context, directories with a `/` at their end; none where it is no directory
        or cannot be read."""
        ...

    def read(self, path: str) -> str | None:
        """A file's text; None where there is none, where it is larger than `LARGEST`, or is no text."""
        ...

    def __hash__(self) -> int:
        """What was found out about a directory is remembered by the object that stands for it."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a file or a directory has this path."""
        ...
