"""The mounted trees of a step as they will be: where each mount comes to lie and which mount points are missing.

Mount points that an image lacks are made in a directory of *stubs*, laid over the image's layers as one more lower
layer: they exist while the step runs, and the step's own layer (the overlay's upper directory) never sees them.
"""

import errno
import os
import stat
from typing import NamedTuple

from kezuri.linux import inroot
from kezuri.sandbox.failure import StartFailure, reason


class Tree:
    """A mounted tree as it looks before the step runs.

    `view` is a directory of this machine that shows its content ("": an empty tree); `stubs` a directory for
    missing mount points ("" when they have to be made in the tree itself). `file`: the tree is one file.
    """

    def __init__(self, point: str, view: str, stubs: str = "", file: bool = False) -> None:
        self.point = point
        self.stubs = stubs
        self.file = file
        self.missing: dict[str, bool] = {}
        # Everything in it is looked at from this descriptor, which no link leads out of. It ends with the process.
        self._top = os.open(view, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) if view else -1

    def look(self, path: str) -> os.stat_result | None:
        """The lstat of a canonical path (relative to the tree, with a leading slash); None when there is none."""
        found = inroot.look(self._top, path) if self._top >= 0 else None
        # A whiteout of the lowest layer, seen without an overlay: nothing is there.
        return None if found and stat.S_ISCHR(found.st_mode) and found.st_rdev == 0 else found

    def link(self, path: str) -> str:
        """The target of the symlink at a canonical path."""
        return inroot.read_link(self._top, path)

    def lend(self, path: str, target: str) -> None:
        """Give the directory `target` the metadata of the tree's directory at a canonical path (see `replicate`)."""
        if self._top < 0:
            return
        fd = inroot.open_in(self._top, path, os.O_PATH | os.O_DIRECTORY, links=False)
        try:
            replicate(f"/proc/self/fd/{fd}", target)
        finally:
            os.close(fd)


class Place(NamedTuple):
    """Where a mount comes to lie: the canonical path in the root, and the mode of a directory that is there already."""

    path: str
    directory: bool
    mode: int | None = None


class Plan:
    """Resolves mount targets, in the order of mounting, against the trees mounted so far."""

    def __init__(self, root: Tree) -> None:
        self.trees = [root]

    def resolve(self, target: str) -> str:
        """The canonical path of a target in the root with everything that is mounted on it so far."""
        try:
            return inroot.resolve(target, self._look, self._link)
        except OSError as e:
            raise StartFailure(f"cannot mount at {target}: {reason(e)}") from None

    def place(self, target: str, directory: bool, shadow: bool = False) -> Place:
        """Settle where `target` lies, noting the mount point as missing when it is.

        `shadow`: a link, or a file in the way of a directory (an image whose /proc is a symlink), is covered by a stub
        instead of being followed or refused.
        """
        path = "/" + "/".join(p for p in target.split("/") if p) if shadow else self.resolve(target)
        if path == "/":
            raise StartFailure(f"cannot mount at {target}: it is the root directory")
        tree = self._tree(path)
        inside = path[len(tree.point) :] if tree.point != "/" else path
        if inside and tree.file:
            raise StartFailure(f"cannot mount at {target}: {tree.point} is a file")
        found = tree.look(inside) if inside else None
        if not inside:
            # The target is the point of another mount: it exists, and is a file or a directory as that mount is.
            if tree.file == directory:
                raise StartFailure(f"cannot mount at {target}: {_kind(directory)} cannot be mounted over another kind")
        elif inside not in tree.missing and (found is None or (shadow and not stat.S_ISDIR(found.st_mode))):
            tree.missing[inside] = directory
            at = inside.rpartition("/")[0]
            while at and at not in tree.missing and tree.look(at) is None:
                tree.missing[at] = True
                at = at.rpartition("/")[0]
        elif found is not None and stat.S_ISDIR(found.st_mode) != directory:
            there = "a directory" if stat.S_ISDIR(found.st_mode) else "not a directory"
            raise StartFailure(f"cannot mount {_kind(directory)} at {target}: {path} in the image is {there}")
        kept = stat.S_IMODE(found.st_mode) if found is not None and stat.S_ISDIR(found.st_mode) else None
        return Place(path, directory, kept)

    def place_over_link(self, target: str, kept_out: tuple[str, ...]) -> Place:
        """Settle where a file of ours lies: where `target` leads, unless that is below one of the paths `kept_out` or
        nowhere (links in a circle). Then it covers the link, so that what the image links to stays what it is."""
        try:
            led = self.resolve(target) + "/"
        except StartFailure:
            led = ""
        if led and not led.startswith(kept_out):
            return self.place(target, False)
        above, _, name = target.rpartition("/")
        return self.place(f"{self.resolve(above)}/{name}", False, shadow=True)

    def mounted(self, tree: Tree) -> None:
        """Note that `tree` is mounted at its point, for the mounts that come after it."""
        self.trees.append(tree)

    def _tree(self, path: str) -> Tree:
        best = self.trees[0]
        for tree in self.trees[1:]:
            below = path == tree.point or path.startswith(tree.point + "/")
            if below and len(tree.point) >= len(best.point):
                best = tree
        return best

    def _look(self, path: str) -> os.stat_result | None:
        tree = self._tree(path)
        inside = path[len(tree.point) :] if tree.point != "/" else path
        if inside in tree.missing or not inside:
            return None  # A mount point is no link, whatever the image has there: the walk goes through it.
        return tree.look(inside)

    def _link(self, path: str) -> str:
        tree = self._tree(path)
        inside = path[len(tree.point) :] if tree.point != "/" else path
        return tree.link(inside)


def _kind(directory: bool) -> str:
    return "a directory" if directory else "a file"


def make_stubs(tree: Tree) -> bool:
    """Make the missing mount points of `tree` in its directory of stubs; False when none are missing.

    Parents that the tree has are made with the same owner, mode, attributes and times: laid on top they change
    nothing, not even when the step's first write copies them up.
    """
    if not tree.missing:
        return False
    present: set[str] = {""}
    for path in tree.missing:
        at = path.rpartition("/")[0]
        while at and at not in tree.missing:
            present.add(at)
            at = at.rpartition("/")[0]
    everything = sorted({*tree.missing, *present})
    for path in everything:
        where = tree.stubs + path
        if not path or tree.missing.get(path, True):
            os.makedirs(where, 0o755, exist_ok=True)
        else:
            os.close(os.open(where, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    for path in reversed(everything):
        if path in present:
            tree.lend(path, tree.stubs + path)
    return True


def replicate(source: str, target: str) -> None:
    """Give the directory `target` the owner, mode, attributes and times of the directory `source`.

    Ids that this user namespace does not have stay out, as do attributes that the target's file system refuses.
    """
    found = os.stat(source)
    try:
        os.chown(target, found.st_uid, found.st_gid)
    except OSError as e:
        if e.errno not in (errno.EINVAL, errno.EPERM, errno.EOVERFLOW):
            raise
    os.chmod(target, stat.S_IMODE(found.st_mode))
    try:
        names = os.listxattr(source)
    except OSError:
        names = []
    for name in names:
        if name.startswith(("trusted.overlay.", "user.overlay.")):
            continue
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as e:
            if e.errno not in (errno.ENOTSUP, errno.EPERM, errno.ENODATA, errno.EINVAL):
                raise
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
