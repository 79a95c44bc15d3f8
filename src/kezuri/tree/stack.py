"""A stage's layers, as directories in overlay form, seen as one tree without mounting them."""

import errno
import os
from collections.abc import Sequence

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.layer.upper import is_opaque
from kezuri.tree.tree import Found, found, sort_by_name


class StackTree:
    """The merged tree of layer directories, topmost first, read as the kernel's overlay file system would read it.

    A character device 0:0 hides the name below it, a directory marked opaque hides the same directory of lower
    layers, and a name that is not a directory hides everything below. Owners, hard links, devices, pipes and the
    extended attributes that `kept_attribute` names are kept. `userxattr` is the overlay's mount option of that name:
    without root its marks are `user.overlay.*`, and only then do those count.
    """

    def __init__(self, lowers: Sequence[str], name: str, *, userxattr: bool = False) -> None:
        self.name = name
        self._userxattr = userxattr
        self._lowers = tuple(lowers)
        self._places: dict[str, tuple[str, ...]] = {"": self._lowers}

    def stat(self, path: str) -> Found | None:
        """As Tree says. KezuriError when the machine refuses to tell."""
        if not path:
            if not self._lowers:
                # Nothing is a root directory without entries, as FROM scratch leaves it.
                return Found(Entry("", "dir", 0o755))
            return found("", self._lowers[0], os.stat(self._lowers[0]), None)
        parent, _, name = path.rpartition("/")
        for place in self._directories(parent):
            host = f"{place}/{name}"
            status = _lstat(host)
            if status is not None:
                return None if _is_whiteout(status) else found(path, host, status, None)
        return None

    def scan(self, path: str) -> Sequence[Found]:
        """As Tree says. KezuriError when a directory cannot be read."""
        seen: set[str] = set()
        result: list[Found] = []
        prefix = path + "/" if path else ""
        for place in self._directories(path):
            try:
                with os.scandir(place) as listing:
                    children = list(listing)
            except OSError as error:
                raise KezuriError.of(f'cannot read directory "/{path}" in {self.name}: {error.strerror}') from None
            sort_by_name(children)
            for child in children:
                if child.name in seen:
                    continue
                seen.add(child.name)
                status = child.stat(follow_symlinks=False)
                if not _is_whiteout(status):
                    item = found(prefix + child.name, child.path, status, None)
                    if item is not None:
                        result.append(item)
        if len(self._lowers) > 1:
            result.sort(key=lambda item: os.fsencode(item.entry.path))
        return result

    def hidden(self, path: str) -> str:
        """Nothing is hidden."""
        return ""

    def _directories(self, path: str) -> tuple[str, ...]:
        """The layer directories that make up the merged directory at `path`, topmost first; none when it is none."""
        known = self._places.get(path)
        if known is not None:
            return known
        parent, _, name = path.rpartition("/")
        places: list[str] = []
        for place in self._directories(parent):
            host = f"{place}/{name}"
            status = _lstat(host)
            if status is None:
                continue
            if status.st_mode & 0o170000 != 0o040000:
                break
            places.append(host)
            if is_opaque(host, self._userxattr):
                break
        self._places[path] = tuple(places)
        return self._places[path]


def _lstat(host: str) -> os.stat_result | None:
    try:
        return os.lstat(host)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return None
        raise KezuriError.of(f'cannot look at "{host}": {error.strerror}') from None


def _is_whiteout(status: os.stat_result) -> bool:
    return status.st_mode & 0o170000 == 0o020000 and status.st_rdev == 0
