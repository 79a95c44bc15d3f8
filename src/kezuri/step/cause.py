"""Why a command failed, as far as its last lines and the files of its root tell: a program that is not there, cannot be
started or may not write, a secret that was not given."""

import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.plan.operation import SecretMount
from kezuri.sandbox.container import DEFAULT_PATH
from kezuri.step.program import Elf, Script, read_program
from kezuri.step.task import Run
from kezuri.tree.stack import StackView

_LIBRARY = re.compile(r"(?:error while loading shared libraries: |Error loading shared library )([^\s:]+)")
_NOT_FOUND = re.compile(
    r"(?:^|: )(?:line \d+: |\d+: )?[`'\u2018\"]?([^ \t\n:'`\u2019\"]+)['\u2019\"]?: "
    r"(?:command not found|not found|No such file or directory|cannot execute: required file not found"
    r"|its interpreter, or what the link leads to, is not there|executable file not found)",
    re.MULTILINE,
)
_NOT_STARTED = re.compile(
    r"(?:^|: )(?:line \d+: |\d+: )?([^ \t\n:'`\"]+): (?:cannot execute[^\n]*|Permission denied|Exec format error|"
    r"exec format error|Is a directory)",
    re.MULTILINE,
)
_DENIED = re.compile(r"permission denied|EACCES|Operation not permitted|Read-only file system", re.IGNORECASE)
_PATH = re.compile(r"[`'\u2018\"]?(/[^\s:,;'`\u2019\"()]+)|(?<=[`'\u2018\" ])([\w.@-]+(?:/[\w.@-]+)*)(?=['\u2019\":])")
_FAMILIES = {
    "apk": "Alpine",
    "apt-get": "Debian and Ubuntu",
    "apt": "Debian and Ubuntu",
    "yum": "Red Hat's",
    "dnf": "Red Hat's",
}
_PACKAGERS = ("apt-get", "apk", "microdnf", "dnf", "yum", "zypper", "pacman")


USER = "the step's user"
"""How a cause names the user of the step: where USER is to be looked at."""


class Scene(NamedTuple):
    """What is left of a command that failed: what it was, as whom it ran, its root, and its last lines."""

    work: Run
    uid: int
    gid: int
    groups: Sequence[int]
    root: StackView
    output: str
    exit_code: int
    lacking: Sequence[SecretMount] = ()
    """The secrets that it could have had and that nobody gave."""


def cause(scene: Scene) -> str:
    """One or more sentences, a line each, empty when nothing is known. It never raises: it only explains."""
    try:
        return "\n".join(dict.fromkeys(filter(None, _causes(scene))))
    except (KezuriError, OSError, ValueError):
        return ""


def _causes(scene: Scene) -> Iterator[str]:
    code = scene.exit_code
    library = _LIBRARY.search(scene.output)
    if library is not None:
        yield (
            f"the library {library[1]} is not in the image: install the package that has it, or link the program\n"
            "statically"
        )
    elif code == 127:
        yield _not_found(scene)
    elif code == 126:
        yield _not_started(scene)
    if code not in (126, 127) or not _mentioned(scene, _NOT_STARTED):
        yield _denied(scene)
    for secret in scene.lacking:
        where = f"the variable {secret.env} is empty" if not secret.target else f"{secret.target} is not there"
        yield (
            f"the secret {secret.id} was not given, so {where}:\n"
            f"give it with --secret id={secret.id},src=FILE or env=NAME (`required` makes a missing one an error)"
        )


def _mentioned(scene: Scene, pattern: re.Pattern[str]) -> str:
    """The program that the last lines speak of, the last one; the command itself when it is none of a shell."""
    found = pattern.findall(scene.output)
    if found:
        return str(found[-1]).removesuffix("\\r").rstrip("\r")
    argv = scene.work.argv
    return argv[0] if argv and len(argv) < 3 else ""


def _not_found(scene: Scene) -> str:
    name = _mentioned(scene, _NOT_FOUND)
    if not name or name.startswith(("[", '"')):
        return ""
    path = _program(scene, name)
    if path is None:
        places = [os.path.dirname(os.path.join(scene.work.cwd, name))] if "/" in name else _search(scene).split(":")
        # What a mount shows was never in the root.
        return "" if any(_mounted(scene, place) for place in places) else _absent(scene, name)
    return _unusable(scene, name, path)


def _mounted(scene: Scene, path: str) -> bool:
    """Whether the path lies in a mount of the step."""
    inside = os.path.normpath(os.path.join(scene.work.cwd, path)).rstrip("/") + "/"
    return any(m.target and inside.startswith(m.target.rstrip("/") + "/") for m in scene.work.mounts)


def _absent(scene: Scene, name: str) -> str:
    shell = scene.work.argv[:1] == (name,) and name.startswith("/")
    if shell and len(scene.work.argv) > 1 and scene.work.argv[1] == "-c":
        if name != "/bin/sh" and _at(scene, "/bin/sh") is not None:
            return f'there is no {name} in the image, but /bin/sh: install it before, or write SHELL ["/bin/sh", "-c"]'
        return (
            f"there is no {name} in the image, and RUN in shell form needs one: use a base that has a shell, the exec\n"
            'form RUN ["program", "argument"], or do this in an earlier stage and COPY what it makes'
        )
    if "/" in name:
        return f"there is no {os.path.normpath(os.path.join(scene.work.cwd, name))} in the image"
    if name in _FAMILIES:
        others = [tool for tool in _PACKAGERS if tool != name and _program(scene, tool) is not None]
        if others:
            return f"{name} belongs to {_FAMILIES[name]} images; this one has {others[0]}"
    if name == "sudo":
        return "there is no sudo in the image; a step runs as root unless USER says otherwise, so it is not needed"
    return f"there is no program {name} in the image (PATH is {_search(scene)}): install it in an earlier RUN"


def _not_started(scene: Scene) -> str:
    name = _mentioned(scene, _NOT_STARTED)
    path = _program(scene, name, executable=False) if name else None
    if path is None:
        return ""
    return _unusable(scene, name, path)


def _unusable(scene: Scene, name: str, path: str) -> str:
    """Why a file that is there cannot be started."""
    found = scene.root.stat(path)
    if found is None:
        return ""
    entry = found.entry
    if entry.kind == "dir":
        return f"/{path} is a directory, no program"
    if not _may(scene, entry, 1):
        return (
            f"/{path} may not be executed by {_who(scene)}: its mode is {entry.mode & 0o7777:o} and it\n"
            f"belongs to {entry.uid}:{entry.gid}; {_chmod(scene, entry, path)}"
        )
    program = read_program(found.content if isinstance(found.content, (str, bytes)) else None)
    if isinstance(program, Script):
        interpreter = program.interpreter
        if program.returns:
            return (
                f"/{path} has Windows line ends (CRLF): its first line names a program that ends in \\r;\n"
                f"write it with LF (sed -i 's/\\r$//' {name}), and have git keep it (.gitattributes: *.sh text eol=lf)"
            )
        if not program.interpreter:
            return (
                f"exec format error: /{path} is a script without a first line #!/bin/sh:\n"
                f"write one, or start it with its interpreter (sh {name})"
            )
        if _at(scene, interpreter) is None:
            return f"/{path} wants the interpreter {interpreter}, which is not in the image"
        return ""
    if isinstance(program, Elf):
        wanted = scene.work.platform.architecture
        if program.architecture and program.architecture != wanted:
            return (
                f"exec format error: /{path} is a program for {program.architecture}, and the step is for {wanted}:\n"
                f"take the one for {wanted} (in a Dockerfile for several platforms TARGETARCH names it)"
            )
        if program.interpreter and _at(scene, program.interpreter) is None:
            loader = program.interpreter
            return f"/{path} is there, but its loader {loader} is not in the image: {_loader(loader)}"
        return ""
    if program == "empty":
        return f"exec format error: /{path} is empty"
    return f"exec format error: /{path} is neither a program nor a script with a line #!" if program == "other" else ""


def _loader(interpreter: str) -> str:
    if "musl" in interpreter:
        return "it was\nbuilt for musl (Alpine), which this image lacks: build it for glibc, or statically"
    return (
        "it was\nbuilt for glibc, which Alpine and scratch lack: build it statically (CGO_ENABLED=0 in Go), or on\n"
        "a base of the same family"
    )


def _chmod(scene: Scene, entry: Entry, path: str) -> str:
    if entry.mode & 0o111:
        return "change its mode or owner before USER, or with COPY --chown or --chmod"
    return f"RUN chmod +x /{path}, or COPY --chmod=755"


def _denied(scene: Scene) -> str:
    """Who may not write or read what, where a permission was denied to somebody who is not root."""
    if scene.uid == 0:
        return ""
    for line in reversed(scene.output.split("\n")):
        if not _DENIED.search(line):
            continue
        for match in reversed(list(_PATH.finditer(line))):
            told = _told(scene, match[1] or match[2])
            if told:
                return told
    return ""


def _told(scene: Scene, written: str) -> str:
    path = os.path.normpath(os.path.join(scene.work.cwd, written)).strip("/")
    for mount in scene.work.mounts:
        if mount.target and f"/{path}/".startswith(mount.target.rstrip("/") + "/"):
            return (
                f"/{path} is in the mount at {mount.target}, which does not let {_who(scene)} do this:\n"
                f"uid={scene.uid} in the mount gives it to that user"
            )
    at = path
    while at and scene.root.stat(scene.root.resolve(at)) is None:
        at = at.rpartition("/")[0]
    found = scene.root.stat(scene.root.resolve(at))
    if found is None or (at != path and not written.startswith("/") and "/" not in written and not at):
        return ""
    closed = _closed(scene, path)
    if closed is not None:
        at, entry = closed
    else:
        entry = found.entry
        if _may(scene, entry, 2):
            return ""
    what = "the directory " if entry.kind == "dir" else ""
    refused = "not write there"
    if closed is not None:
        refused = "not look into it"
    elif entry.kind != "dir" and not _may(scene, entry, 4):
        refused = "neither read nor write it"
    return (
        f"{what}/{at} belongs to {entry.uid}:{entry.gid} with mode {entry.mode & 0o7777:o},\n"
        f"so {_who(scene)} may {refused}:\n"
        f"COPY --chown={_owner(scene)}, or RUN chown {_owner(scene)} /{at} before USER"
    )


def _closed(scene: Scene, path: str) -> tuple[str, Entry] | None:
    """The first directory on the way to the path that does not let the step's user through; None when all do."""
    parts = path.split("/")[:-1]
    for count in range(len(parts)):
        directory = scene.root.resolve("/".join(parts[: count + 1]))
        found = scene.root.stat(directory)
        if found is not None and found.entry.kind == "dir" and not _may(scene, found.entry, 1):
            return directory, found.entry
    return None


def _owner(scene: Scene) -> str:
    return scene.work.user or str(scene.uid)


def _who(scene: Scene) -> str:
    named = scene.work.user
    number = f"{scene.uid}:{scene.gid}"
    return (
        f"the step's user {named}" + ("" if named in (number, str(scene.uid)) else f" ({number})") if named else "root"
    )


def _may(scene: Scene, entry: Entry, bit: int) -> bool:
    """Whether the mode lets the step's user do this (1 execute or search, 2 write, 4 read)."""
    if scene.uid == 0:
        return bit != 1 or entry.kind == "dir" or bool(entry.mode & 0o111)
    if entry.uid == scene.uid:
        return bool(entry.mode >> 6 & bit)
    if entry.gid == scene.gid or entry.gid in scene.groups:
        return bool(entry.mode >> 3 & bit)
    return bool(entry.mode & bit)


def _search(scene: Scene) -> str:
    return dict(scene.work.env).get("PATH", DEFAULT_PATH)


def _program(scene: Scene, name: str, executable: bool = True) -> str | None:
    """Where the program is in the root, links followed; None when it is nowhere."""
    if "/" in name:
        return _at(scene, os.path.join(scene.work.cwd, name))
    for directory in _search(scene).split(":"):
        path = _at(scene, f"{directory}/{name}")
        if path is not None:
            return path
    return None


def _at(scene: Scene, path: str) -> str | None:
    resolved = scene.root.resolve(path)
    return resolved if scene.root.stat(resolved) is not None else None
