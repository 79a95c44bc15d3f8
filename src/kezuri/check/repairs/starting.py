"""`npm start` as what its script says."""

import posixpath
from json import dumps

from kezuri.check.course import Course, Courses
from kezuri.check.rule import Edit, Fix
from kezuri.check.stack import package_json, section
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Cmd, Entrypoint


def resolved_script(
    subject: Subject, walked: Courses, course: Course, instruction: Cmd | Entrypoint, script: str
) -> Fix | None:
    """The fix, where the script is one plain command of Node, and nothing runs before or after it."""
    scripts = section(package_json(subject.surroundings), "scripts")
    said = scripts.get(script)
    if not isinstance(said, str) or f"pre{script}" in scripts or f"post{script}" in scripts or len(said) > 500:
        return None
    command = instruction.command
    words = command.argv if not command.shell else tuple(command.argv[0].split())
    if len(words) > (3 if "run" in words[1] else 2):
        return None
    from kezuri.shell.reader import read

    found = read(said)
    if found.broken or len(found.commands) != 1:
        return None
    one = found.commands[0]
    if one.assignments or one.redirects or not one.words or any(w.value is None for w in one.words):
        return None
    argv = [w.value for w in one.words if w.value is not None]
    if argv[0] != "node" or len(argv) < 2:
        return None
    file = next((w for w in argv[1:] if not w.startswith("-")), None)
    if file is None or file.startswith("/"):
        return None
    # npm starts in the package's directory, and so does the image.
    root = posixpath.normpath(course.cwd)
    if root == "/" or "$" in root:
        return None
    new = f"{instruction.node.written} {dumps(argv)}"
    changes = frozenset((f"config.{'Cmd' if isinstance(instruction, Cmd) else 'Entrypoint'}",))
    return Fix(f"start the program itself: `{new}`", (Edit(instruction.node.span, new),), "V", changes)
