"""Symbolic links followed inside a root directory, wherever they are written down: on a disk, in a layer, in a plan."""

from collections.abc import Callable

MOST_LINKS = 255
"""How many links a path may lead through."""


class TooManyLinks(Exception):
    """A path leads through more than MOST_LINKS links: they go round, or were made to keep us busy."""


def follow(path: str, target: Callable[[str, bool], str | None], root: str = "") -> str:
    """The path with every link, the last one too, followed below `root`; relative, without `.` and `..`.

    One component is taken at a time, as a process whose root directory this is would take them: an absolute target
    begins at `root`, and `..` does not climb above it, so that no link leads outside. `target` gives the text of the
    link at a path, None for whatever is no link; missing components stay as they are. It also hears whether further
    components come after this one, and what it raises comes out.
    """
    base = root.split("/") if root else []
    done = list(base)
    todo = _parts(path)
    links = 0
    while todo:
        part = todo.pop()
        if part == "..":
            if len(done) > len(base):
                done.pop()
            continue
        done.append(part)
        link = target("/".join(done), bool(todo))
        if link is None:
            continue
        links += 1
        if links > MOST_LINKS:
            raise TooManyLinks(path)
        if link.startswith("/"):
            done = list(base)
        else:
            done.pop()
        todo += _parts(link)
    return "/".join(done)


def _parts(path: str) -> list[str]:
    """The components that say something, last one first."""
    return [part for part in reversed(path.split("/")) if part and part != "."]
