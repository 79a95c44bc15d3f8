"""`RUN chown -R` folded into the COPYs before it."""

import posixpath

from kezuri.check.course import Act, Course, Step, within
from kezuri.check.repairs.writing import flag, plain, removed
from kezuri.check.rule import Edit, Fix
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Copy, Run, Workdir

_ACCOUNTS = frozenset(("useradd", "adduser", "groupadd", "addgroup", "usermod"))


def fold_chown(
    subject: Subject, course: Course, step: Step, act: Act, touched: list[Step], paths: list[str]
) -> Fix | None:
    """The fix, where the account is there before the first COPY, and no RUN in between makes files there that the
    chown is for, too."""
    run = step.instruction
    owner = act.command.plain[0]
    if not isinstance(run, Run) or "$" in owner or act.command.within or act.text.script.broken or not plain(run.node):
        return None
    if len(act.command.arguments) != len(act.command.plain) + 1:
        return None
    first = course.steps.index(touched[0])
    between = course.steps[first : course.steps.index(step)]
    for other in between:
        if isinstance(other.instruction, Run):
            # What a RUN below the directory makes gets its owner by the chown: nobody can say it is not needed.
            return None
        if isinstance(other.instruction, Workdir) and any(within(other.cwd, p) for p in paths):
            return None
    if any(not isinstance(c.instruction, Copy) or c.instruction.chown is not None for c in touched):
        return None
    if not _has_account(course, step, first, owner.split(":")[0]):
        return None
    edits = [flag(c.instruction.node, f"--chown={owner}") for c in touched]
    if len(step.acts) == 1 and not act.command.redirects:
        edits.append(removed(run.node))
    else:
        cut = _cut(step, act)
        if cut is None:
            return None
        edits.append(cut)
    # The directory itself belongs to root now, unless the account was to write to it.
    changes = frozenset(f"file.owner {posixpath.normpath(p).strip('/')}" for p in paths)
    return Fix(f"copy with --chown={owner}, without the chown", tuple(edits), "V", changes)


def _has_account(course: Course, step: Step, first: int, name: str) -> bool:
    if name.isdigit() or name == "root":
        return True
    if course.ground.language == name or name in ("nobody", "www-data", "nginx", "daemon"):
        return True
    for other in course.steps[:first]:
        for act in other.acts:
            if act.command.program in _ACCOUNTS and any(w.loose == name for w in act.command.words):
                return True
    return course.under is not None


def _cut(step: Step, act: Act) -> Edit | None:
    """The command out of its `&&` chain."""
    acts = [a for a in step.acts if not a.command.within and a.text is act.text]
    at = acts.index(act)
    command = act.command
    if at > 0 and command.joint == "&&" and command.follows in ("", "&&"):
        span = act.text.span(Span(acts[at - 1].command.span.end, command.span.end))
    elif at == 0 and command.follows == "&&" and len(acts) > 1:
        span = act.text.span(Span(command.span.start, acts[1].command.span.start))
    else:
        return None
    removed_text = step.instruction.node.source.text[span.start : span.end]
    return None if "#" in removed_text else Edit(span, "")
