"""A build context as somebody else has it: copied now, under another umask, its directories filled in another order."""

import os

from kezuri.diagnostics import KezuriError
from kezuri.tree.content import pieces
from kezuri.tree.tree import Found, Tree


def check_out(tree: Tree, target: str, *, backwards: bool, loose: bool, keep_times: bool, uid: int = -1) -> None:
    """Copy what the tree shows into the new directory `target`. `backwards`: the last name of a directory is made
    first. `loose`: what others may read the group may write, as under umask 002. Without `keep_times` everything is as
    old as this copy. It belongs to `uid`, where that is not -1. Sockets and pipes are left out. KezuriError when it
    cannot be copied."""
    try:
        os.mkdir(target, 0o755)
        os.chown(target, uid, uid)
        _fill(tree, target, backwards, loose, keep_times, uid)
    except OSError as error:
        raise KezuriError.of(f"the build context cannot be copied: {error.strerror or error}", exit_code=125) from error


def _fill(tree: Tree, target: str, backwards: bool, loose: bool, keep_times: bool, uid: int) -> None:
    todo = [""]
    made: list[tuple[str, Found]] = []
    while todo:
        at = todo.pop()
        found = sorted(tree.scan(at), key=lambda each: os.fsencode(each.entry.path), reverse=backwards)
        for each in found:
            entry = each.entry
            where = f"{target}/{entry.path}"
            if entry.kind == "dir":
                os.mkdir(where, 0o700)
                todo.append(entry.path)
            elif entry.kind == "symlink":
                os.symlink(entry.link, where)
            elif entry.kind == "file":
                with open(where, "xb") as file:
                    for piece in pieces(each.content):
                        file.write(piece)
            else:
                continue
            made.append((where, each))
    # Directories are dated when nothing more comes into them.
    for where, each in reversed(made):
        entry = each.entry
        if uid >= 0:
            os.chown(where, uid, uid, follow_symlinks=False)
        if entry.kind != "symlink":
            os.chmod(where, entry.mode | 0o020 if loose and entry.mode & 0o204 == 0o204 else entry.mode)
        if keep_times:
            os.utime(where, ns=(entry.mtime, entry.mtime), follow_symlinks=False)
