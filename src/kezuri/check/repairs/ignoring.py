"""A .dockerignore made from what lies in the context and from what instructions read."""

from kezuri.check.rule import Fix
from kezuri.check.subject import Subject


def ignore_file(subject: Subject, taken: list[str]) -> Fix | None:
    """The fix, where there is something to leave out that no instruction needs."""
    return None
