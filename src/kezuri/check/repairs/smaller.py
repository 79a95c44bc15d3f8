"""Less in the image: a smaller base, modules without those of development, the tools where they are needed."""

import re

from kezuri.check.course import Act, Course, Courses, Step
from kezuri.check.managers import NPM, PNPM
from kezuri.check.repairs.writing import directly_above, ending, keyword, plain
from kezuri.check.rule import Edit, Fix
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span

_PLAIN_TAG = re.compile(r"(?:\d+(?:\.\d+)*|lts|current|latest|slim)?(?:-?(?:trixie|bookworm|bullseye|buster))?\Z")


def slim_base(course: Course) -> Fix | None:
    """The `-slim` variant of the same version, where the tag is a plain one."""
    start, image = course.stage.start, course.ground
    written = start.image
    if "$" in written or "@" in written or not _PLAIN_TAG.match(image.tag) or "slim" not in image.smaller:
        return None
    name = written.removesuffix(f":{image.tag}") if image.tag else written
    tag = f"{image.tag}-slim" if image.tag not in ("", "latest") else "slim"
    changes = frozenset(("file", "config.Env"))
    return Fix(f"stand on `{name}:{tag}`", (Edit(start.image_span, f"{name}:{tag}"),), "V", changes)


def pruned(subject: Subject, walked: Courses, source: Course, step: Step, path: str, install: Act) -> Fix | None:
    """The development dependencies removed at the end of the stage that the modules are copied from, where no other
    stage stands on it."""
    use = install.use
    if use is None or use.manager not in (NPM, PNPM) or any(c.under == source.number for c in walked.all):
        return None
    place = path.rpartition("/")[0]
    if source.under is not None and not source.steps:
        return None
    if place != source.cwd or source.user not in ("", "root", "0") or not source.steps:
        return None
    last = source.steps[-1].instruction.node
    if not plain(last):
        return None
    text = last.source.text
    newline = ending(text)
    command = "npm prune --omit=dev" if use.manager is NPM else "pnpm prune --prod"
    end = last.span.end
    gone = step.to.strip("/")
    changes = frozenset(
        (f"file.gone {gone}", f"file.content {gone}/.package-lock.json", f"file.content {gone}/.modules.yaml")
    )
    edit = Edit(Span(end, end), f"{newline}{keyword(subject, 'RUN')} {command}")
    return Fix(f"run `{command}` before the modules are copied", (edit,), "V", changes)


def with_tools(act: Act) -> Fix | None:
    """The flag taken away that leaves the development dependencies out."""
    words = act.command.words
    for number, word in enumerate(words[1:]):
        if word.loose in ("--omit=dev", "--production", "--only=production", "--only=prod", "--prod", "-P"):
            edit = Edit(act.text.span(Span(words[number].span.end, word.span.end)), "")
            return Fix(f"install everything here, without `{word.loose}`", (edit,), "V", frozenset(("file",)))
    return None


def following_platform(subject: Subject, step: Step, act: Act, value: str) -> Fix | None:
    """`GOARCH=$TARGETARCH` in a RUN, and the ARG that it needs."""
    node = step.instruction.node
    if not plain(node) or any(name == "TARGETARCH" for name in step.known):
        return None
    for assignment in act.command.assignments:
        if assignment.name == "GOARCH" and assignment.value is not None and assignment.value.text == value:
            edits = (
                directly_above(node, f"{keyword(subject, 'ARG')} TARGETARCH"),
                Edit(act.text.span(assignment.value.span), "$TARGETARCH"),
            )
            return Fix("compile for the platform that is built for", edits, "V")
    return None
