"""Everything that lies in a context's directory, and which line of the ignore file hides it."""

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from kezuri.dockerfile.ignore import Folder, Ignore


class Lying(NamedTuple):
    """Something in the directory of a context: its path there, how many bytes (0 for what is no regular file), whether
    it is a directory, and the line of the ignore file that hides it: 0 where none does, -1 where it cannot be told
    which one. `unread` is the reason why a directory could not be looked into."""

    path: str
    size: int
    directory: bool
    line: int = 0
    unread: str = ""


def lying(root: str, ignore: Ignore | None) -> Iterator[Lying]:
    """All of it, parents first; links are not followed. What cannot be read is told, and never a reason to stop."""
    todo: list[tuple[str, Folder | None, int]] = [("", ignore.walk() if ignore is not None else None, 0)]
    while todo:
        directory, folder, hidden = todo.pop()
        try:
            with os.scandir(os.path.join(root, directory) if directory else root) as listing:
                children = sorted(listing, key=lambda child: child.name)
        except OSError as error:
            yield Lying(directory, 0, True, hidden, error.strerror or str(error))
            continue
        below: list[tuple[str, Folder | None, int]] = []
        for child in children:
            path = f"{directory}/{child.name}" if directory else child.name
            line = hidden
            if ignore is not None and folder is not None:
                line = _line(ignore, path) if folder.excluded(child.name) else 0
            try:
                status = child.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(status.st_mode):
                yield Lying(path, 0, True, line)
                # Where nothing below can be brought back, all of it is hidden by the line that hides the directory.
                below.append((path, folder.enter(child.name) if folder is not None else None, line))
            else:
                yield Lying(path, status.st_size if stat.S_ISREG(status.st_mode) else 0, False, line)
        below.reverse()
        todo += below


def _line(ignore: Ignore, path: str) -> int:
    """The line that hides a path. A walk goes by slightly other rules than a question about one path does."""
    found = ignore.rule(path)
    return found[1] if found is not None else -1
