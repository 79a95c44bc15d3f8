"""A USER for an image that has none."""

from kezuri.check.course import Course, Courses
from kezuri.check.rule import Fix
from kezuri.check.subject import Subject


def user_fix(subject: Subject, walked: Courses, course: Course) -> Fix | None:
    """The fix, where an account of the base is known."""
    return None
