"""Whether what an image starts can be started: that it is there, may be executed, and has its interpreter."""

from typing import NamedTuple

from kezuri.check.image.commands import Wanted, asked_for_health, base_name, started
from kezuri.check.image.subject import Image
from kezuri.check.image.user import may_execute, user_of
from kezuri.tree.tree import clean


class Trouble(NamedTuple):
    """Why a program cannot be started: a sentence without its subject."""

    wanted: Wanted
    why: str
    hint: str = ""


def trouble(image: Image, wanted: Wanted) -> Trouble | None:
    """Why it cannot be started; None where it can, or nobody knows."""
    if wanted.script:
        return _script_trouble(image, wanted)
    places = image.search(wanted.name)
    denied = ""
    for at in places:
        path = image.resolve(at)
        entry = image.tree.lookup(path)
        if entry is None or (entry.kind == "dir" and len(places) > 1):
            continue
        if _mounted(image, at):
            return None
        why = _not_executable(image, path, entry.kind, entry.mode)
        if not why:
            return _unreadable_by_kernel(image, wanted, path)
        denied = denied or why
    if any(_mounted(image, at) for at in places):
        return None
    if denied:
        return Trouble(wanted, denied, "set the mode where the file comes in: COPY --chmod=755")
    if "/" in wanted.name:
        return Trouble(wanted, "which is not in the image", "copy it into the image, or name the one that is there")
    hint = "install it in the final stage, or ask with a program that the image has"
    near = _elsewhere(image, wanted.name)
    if near:
        hint = f"it is at /{near}: write that, or put its directory on PATH"
    return Trouble(
        wanted, "which is not in the image, nor anywhere on its PATH" if not near else "which is not on PATH", hint
    )


def _elsewhere(image: Image, name: str) -> str:
    """Where a program is that PATH does not lead to."""
    for directory in ("usr/local/bin", "usr/bin", "bin", "usr/sbin", "sbin", "app", "app/bin", "opt/bin"):
        entry = image.find(f"{directory}/{name}")
        if entry is not None and entry.kind == "file" and entry.mode & 0o111:
            return f"{directory}/{name}"
    return ""


def _not_executable(image: Image, path: str, kind: str, mode: int) -> str:
    if kind == "dir":
        return "which is a directory"
    if kind != "file":
        return "which is no regular file"
    if not mode & 0o111:
        return f"which is not executable (its mode is {mode:04o})"
    user = user_of(image)
    if user is not None:
        barrier = may_execute(image, path, user)
        if barrier:
            return f"which the user {image.config.user} may not start: {barrier}"
    return ""


def _unreadable_by_kernel(image: Image, wanted: Wanted, path: str) -> Trouble | None:
    """Whether the kernel can do anything with a file that is there and executable."""
    program = image.program(path)
    if program is None:
        return None
    if program.empty:
        return Trouble(wanted, "which is an empty file", "look at how it gets into the image")
    if not program.script:
        return None
    interpreter = program.script[0]
    if interpreter.endswith("\r") or (len(program.script) > 1 and program.script[1].endswith("\r")):
        return Trouble(
            wanted,
            "a script whose first line ends with a carriage return: the kernel looks for a program of that name",
            "write it with the line endings of Unix: `* text eol=lf` in .gitattributes",
        )
    if not image.find(interpreter):
        return Trouble(
            wanted,
            f"a script for {interpreter}, which is not in the image",
            "install that program, or write the script for one that the image has",
        )
    if base_name(interpreter) == "env" and len(program.script) > 1:
        words = [w for w in program.script[1].split() if not w.startswith("-") and "=" not in w]
        if words and not any(image.find(place) for place in image.search(words[0])):
            return Trouble(
                wanted,
                f"a script for {words[0]}, which is not on PATH",
                "install that program, or put its directory on PATH",
            )
    return None


def _script_trouble(image: Image, wanted: Wanted) -> Trouble | None:
    name = wanted.name
    at = clean(name if name.startswith("/") else f"{image.directory}/{name}")
    if _mounted(image, at) or not image.tree.scan(image.resolve(image.directory)):
        return None
    for ending in wanted.endings:
        if image.find(at + ending) is not None:
            return None
    return Trouble(
        wanted, "which is not in the image", "name the file that the build makes, or copy it into this stage"
    )


def _mounted(image: Image, path: str) -> bool:
    """Whether a volume lies there, whose files may come from elsewhere."""
    return any(path == at or path.startswith(f"{at}/") for at in map(clean, image.config.volumes))


def start_programs(image: Image) -> tuple[str, ...]:
    """The paths of the files that are started, and of the interpreters of those that are scripts."""
    found: dict[str, None] = {}
    for wanted in (*started(image), *asked_for_health(image)):
        if wanted.script:
            continue
        at = next((p for p in map(image.resolve, image.search(wanted.name)) if _is_file(image, p)), "")
        for _ in range(4):
            if not at or at in found:
                break
            found[at] = None
            program = image.program(at)
            if program is None or not program.script:
                break
            at = image.resolve(program.script[0])
    return tuple(found)


def _is_file(image: Image, path: str) -> bool:
    entry = image.tree.lookup(path)
    return entry is not None and entry.kind == "file"
