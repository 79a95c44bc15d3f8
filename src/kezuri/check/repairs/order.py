"""Manifest and lock file first, then the installation, then the source."""

from kezuri.check.course import Act, Course, Step
from kezuri.check.rule import Fix
from kezuri.check.subject import Subject


def dependencies_first(subject: Subject, course: Course, over: Step, step: Step, act: Act) -> Fix | None:
    """The fix, where everything that it needs is known."""
    return None
