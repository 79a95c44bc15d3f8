"""The COPYs of a file as written, and what they take from."""

from collections.abc import Iterator

from kezuri.check.course import courses
from kezuri.check.subject import Subject
from kezuri.check.written import Part
from kezuri.dockerfile.instructions import Copy


def copies(subject: Subject, keyword: str) -> Iterator[tuple[Part, Copy]]:
    """The instructions with that keyword, which is COPY or ADD, and the parts that they stand in."""
    for part, instruction in subject.placed(Copy):
        if instruction.node.keyword == keyword:
            yield part, instruction


def stands_on_nothing(subject: Subject, number: int) -> bool:
    """Whether a stage stands on scratch, and nothing was run in it."""
    stages = courses(subject).all
    course = stages[number] if 0 <= number < len(stages) else None
    return course is not None and course.ground.family == "scratch" and not any(course.runs())
