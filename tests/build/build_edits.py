"""Single edits to a context, and which steps of a Dockerfile run again because of each: as BuildKit 0.33.1 has it, but
for what its transfer of contexts does not see."""

import os
from collections.abc import Callable
from typing import NamedTuple

BEFORE = 1_600_000_000


class Edited(NamedTuple):
    """A Dockerfile without RUN, an edit, and the numbers (from 0) of its COPY and ADD steps that run again."""

    name: str
    dockerfile: str
    edit: Callable[[str], None]
    again: tuple[int, ...]
    unseen: bool = False
    """BuildKit compares metadata before it sends a file, of directories not the mode, and of hard links only what is in
    them: it does not see this edit."""


def lay(directory: str) -> None:
    """The context before the edit."""
    for path in ("f", "g", "d/x", "d/y", "d/sub/z", "e/x", "e/other", "w/a.txt", "w/b.txt", "w/c.log", "h/one"):
        os.makedirs(os.path.dirname(f"{directory}/{path}"), exist_ok=True)
        _write(f"{directory}/{path}", f"{path}\n")
    os.link(f"{directory}/h/one", f"{directory}/h/two")
    os.symlink("f", f"{directory}/to-f")
    os.symlink("d", f"{directory}/to-d")
    _write(f"{directory}/.dockerignore", "nothing\n")


def _write(path: str, text: str, time: int = BEFORE) -> None:
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o644)
    os.utime(path, (time, time))


def write(path: str, text: str, time: int = BEFORE + 1) -> Callable[[str], None]:
    def edit(directory: str) -> None:
        os.makedirs(os.path.dirname(f"{directory}/{path}"), exist_ok=True)
        _write(f"{directory}/{path}", text, time)

    return edit


def mode(path: str, bits: int) -> Callable[[str], None]:
    return lambda directory: os.chmod(f"{directory}/{path}", bits)


def replaced_by_directory(path: str) -> Callable[[str], None]:
    def edit(directory: str) -> None:
        os.unlink(f"{directory}/{path}")
        os.mkdir(f"{directory}/{path}", 0o755)

    return edit


def touch(path: str) -> Callable[[str], None]:
    return lambda directory: os.utime(f"{directory}/{path}", (BEFORE + 5, BEFORE + 5))


def rename(old: str, new: str) -> Callable[[str], None]:
    return lambda directory: os.rename(f"{directory}/{old}", f"{directory}/{new}")


def link(path: str, target: str) -> Callable[[str], None]:
    """A symlink in the place of what is there."""

    def edit(directory: str) -> None:
        if os.path.lexists(f"{directory}/{path}"):
            os.unlink(f"{directory}/{path}")
        os.symlink(target, f"{directory}/{path}")

    return edit


def unlink(path: str) -> Callable[[str], None]:
    return lambda directory: os.unlink(f"{directory}/{path}")


def separate(path: str) -> Callable[[str], None]:
    """A file of its own where one of several names of a file was."""

    def edit(directory: str) -> None:
        with open(f"{directory}/{path}") as file:
            text = file.read()
        os.unlink(f"{directory}/{path}")
        _write(f"{directory}/{path}", text)

    return edit


EDITS = [
    Edited("content-same-size", "COPY f /\nCOPY g /\nCOPY d /d\n", write("f", "F\n"), (0, 1, 2)),
    Edited("content-same-size-and-time", "COPY f /\nCOPY d /d\n", write("f", "F\n", BEFORE), (0, 1), True),
    Edited("later-step-alone", "COPY f /\nCOPY g /\nCOPY d /d\n", write("d/x", "X\n"), (2,)),
    Edited("time-alone", "COPY f /\nCOPY d /d\n", touch("f"), ()),
    Edited("file-mode", "COPY f /\n", mode("f", 0o755), (0,)),
    Edited("file-mode-under-chmod", "COPY --chmod=600 f /\n", mode("f", 0o755), (0,)),
    Edited("directory-mode-below", "COPY d /d\n", mode("d/sub", 0o700), (0,), True),
    Edited("directory-added-empty", "COPY d /d\n", lambda d: os.mkdir(f"{d}/d/new", 0o755), (0,)),
    Edited("file-becomes-symlink", "COPY d /d\n", link("d/x", "y"), (0,)),
    Edited("symlink-elsewhere-below", "COPY . /d/\n", link("to-f", "g"), (0,)),
    Edited("symlink-source-elsewhere", "COPY to-f /x\n", link("to-f", "g"), (0,)),
    Edited("symlink-source-content", "COPY to-f /x\n", write("f", "2\n"), (0,)),
    Edited("symlinked-directory-content", "COPY to-d/x /x\n", write("d/x", "2\n"), (0,)),
    Edited("hard-link-separated", "COPY h /h\n", separate("h/two"), (0,), unseen=True),
    Edited("renamed-in-directory", "COPY d /d\n", rename("d/x", "d/new"), (0,)),
    Edited("moved-between-directories", "COPY d /d\nCOPY e /e\n", rename("d/y", "e/y"), (0, 1)),
    Edited("other-file-untouched", "COPY f /\n", write("g", "2\n"), ()),
    Edited("ignore-rule-without-effect", "COPY d /d\n", write(".dockerignore", "nowhere\n"), ()),
    Edited("ignore-rule-takes-away", "COPY d /d\n", write(".dockerignore", "d/x\n"), (0,)),
    Edited("ignore-rule-elsewhere", "COPY d /d\n", write(".dockerignore", "g\n"), ()),
    Edited("wildcard-another-match", "COPY w/*.txt /t/\n", write("w/d.txt", "d\n"), (0,)),
    Edited("wildcard-one-less", "COPY w/*.txt /t/\n", unlink("w/b.txt"), (0,)),
    Edited("wildcard-no-match", "COPY w/*.txt /t/\n", write("w/new.log", "n\n"), ()),
    Edited("wildcard-renamed-match", "COPY w/*.txt /t/\n", rename("w/b.txt", "w/e.txt"), (0,)),
    Edited("excluded-content", "COPY --exclude=**/y d /d\n", write("d/y", "2\n"), ()),
    Edited("excluded-appears", "COPY --exclude=*.tmp d /d\n", write("d/n.tmp", "2\n"), ()),
    Edited("included-content", "COPY --exclude=**/y d /d\n", write("d/x", "2\n"), (0,)),
    Edited("parents-content", "COPY --parents d/sub/z /p/\n", write("d/sub/z", "2\n"), (0,)),
    Edited("parents-sibling", "COPY --parents d/sub/z /p/\n", write("d/x", "2\n"), ()),
    Edited("parents-directory-mode", "COPY --parents d/sub/z /p/\n", mode("d/sub", 0o700), (0,), True),
    Edited("parents-deep-wildcard", "COPY --parents **/*.txt /p/\n", write("d/sub/new.txt", "2\n"), (0,)),
    Edited("linked-is-on-its-own", "COPY f /\nCOPY --link g /\n", write("f", "2\n"), (0,)),
    Edited("top-directory-mode", "COPY d /d\n", mode("d", 0o700), ()),
    Edited("top-directory-renamed", "COPY [de] /d/\n", rename("d", "b"), (0,)),
    Edited("file-becomes-directory", "COPY . /d/\n", replaced_by_directory("g"), (0,)),
    Edited("second-source", "COPY f g /t/\n", write("g", "2\n"), (0,)),
]
