"""Cache mounts for the steps that install."""

from kezuri.check.course import Act, Course, Step
from kezuri.check.rule import Fix
from kezuri.check.subject import Subject


def cache_mounts(subject: Subject, course: Course, step: Step, acts: list[Act]) -> Fix | None:
    """The fix, where the directories are known."""
    return None
