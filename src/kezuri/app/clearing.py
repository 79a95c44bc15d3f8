"""Directories removed in which steps have made files of other ids: by a process of its own, which has these ids."""

import os

from kezuri.store.store import remove_tree


def remove(place: str) -> None:
    """Remove a directory with all that is in it. What other ids of ours own takes a process that has them: this one may
    have threads by now, and is then given none. What cannot be removed stays."""
    if not os.path.lexists(place):
        return
    remove_tree(place)
    if os.path.lexists(place):
        import subprocess
        import sys

        clearing = "import sys; from kezuri.app.clearing import clear; clear(sys.argv[1])"
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        subprocess.run(
            [sys.executable, "-P", "-c", clearing, place], env=environ, stderr=subprocess.DEVNULL, check=False
        )


def clear(place: str) -> None:
    """Remove the directory as a process that takes the other ids for it."""
    from kezuri.linux.ownership import Privilege

    Privilege().own()
    remove_tree(place)
