"""A secret ARG as a secret mount of the steps that read it."""

from kezuri.check.course import courses
from kezuri.check.repairs.writing import flag, plain, removed
from kezuri.check.rule import Edit, Fix
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Arg, Copy, Env, Node, Run


def secret_mount(subject: Subject, node: Node, name: str) -> Fix | None:
    """The fix, where the ARG holds nothing but this name, has no default, stands in a stage, and only RUNs read it.
    The build is given the secret by `--secret id=…,env=NAME` from then on."""
    if not plain(node) or any(i.node.number == node.number for i in subject.head):
        return None
    walked = courses(subject)
    course = next((c for c in walked.all if any(i.node.number == node.number for i in c.stage.instructions)), None)
    if course is None or any(c.under == course.number for c in walked.all):
        return None
    edits: list[Edit] = []
    readers = 0
    for instruction in course.stage.instructions:
        text = instruction.node.source.text[instruction.node.span.start : instruction.node.span.end]
        if instruction.node.number == node.number:
            if not isinstance(instruction, Arg) or len(instruction.pairs) != 1 or instruction.pairs[0][1] is not None:
                return None
            edits.append(removed(node))
        elif isinstance(instruction, Run):
            if name not in text:
                continue
            if instruction.heredocs or any(o == ("env", name) for m in instruction.mounts for o in m.options):
                return None
            edits.append(flag(instruction.node, f"--mount=type=secret,id={name.lower()},env={name}"))
            readers += 1
        elif (name in text and isinstance(instruction, (Arg, Env, Copy))) or f"${name}" in text or f"${{{name}" in text:
            return None
    if not readers:
        return None
    title = f"give it as a secret: build with --secret id={name.lower()},env={name}"
    return Fix(title, tuple(edits), "V")
