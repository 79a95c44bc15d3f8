"""`npm start` as what its script says."""

from kezuri.check.course import Course, Courses
from kezuri.check.rule import Fix
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Cmd, Entrypoint


def resolved_script(
    subject: Subject, walked: Courses, course: Course, instruction: Cmd | Entrypoint, script: str
) -> Fix | None:
    """The fix, where the script is one plain command of Node."""
    return None
