"""A USER for an image that has none."""

from kezuri.check.course import Course, Courses
from kezuri.check.repairs.writing import directly_above, keyword, plain
from kezuri.check.rule import Fix
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Cmd, Entrypoint, Expose

_READY = {"node": "node", "bun": "bun", "deno": "deno"}
"""Accounts that the official image of a language has."""


def user_fix(subject: Subject, walked: Courses, course: Course) -> Fix | None:
    """The fix, where an account of the base is known: its language's, 65532 where there are no accounts, else
    `nobody`, which every distribution has. Not where a port below 1024 is announced."""
    ports = [
        p.split("/")[0] for s in walked.whole(course) if isinstance(s.instruction, Expose) for p in s.instruction.ports
    ]
    if any(not p.isdigit() or int(p) < 1024 for p in ports):
        return None
    account = account_of(course)
    started = [i for i in course.stage.instructions if isinstance(i, (Cmd, Entrypoint))]
    if not account or not started:
        return None
    node = started[0].node
    if not plain(node):
        return None
    word = keyword(subject, "USER")
    changes = frozenset(("config.User",))
    return Fix(f"write `USER {account}`", (directly_above(node, f"{word} {account}"),), "V", changes)


def account_of(course: Course) -> str:
    """An account that the stage has: one that it makes itself, or the base's; empty where none is known."""
    for step in reversed(course.steps):
        for act in step.acts:
            if act.command.program in ("useradd", "adduser"):
                name = _made([word.loose for word in act.command.arguments])
                if name:
                    return name
    family = course.ground.family
    if family in ("scratch", "distroless"):
        return "65532:65532"
    if course.ground.official and course.ground.language in _READY:
        return _READY[course.ground.language]
    return "nobody" if family in ("debian", "alpine") and course.ground.official else ""


_VALUED = frozenset(
    (
        "-g", "-G", "-u", "-h", "-s", "-c", "-d", "-k", "-p", "-e", "-f", "-b", "-K", "--gid", "--uid", "--groups",
        "--home", "--shell", "--ingroup", "--gecos", "--home-dir", "--comment",
        "--password", "--base-dir", "--skel", "--firstuid",
    )
)  # fmt: skip


def _made(words: list[str]) -> str:
    """The account that the words of useradd or adduser name; empty where that is not plain."""
    names = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _VALUED
        else:
            names.append(word)
    return names[0] if names and names[0].replace("-", "").replace("_", "").isalnum() else ""
