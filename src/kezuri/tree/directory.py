"""A directory of this machine as a tree to copy from: the build context, or what was checked out or unpacked for it."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.ignore import Folder, Ignore
from kezuri.layer.entry import Entry, Kind, SharedPath
from kezuri.tree.tree import Found, kept_attribute

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class DirectoryTree:
    """A directory of this machine.

    With `ignore`, paths that the rules exclude are not there; an excluded directory is there when something below it
    has been brought back. With `owner`, everything belongs to that (uid, gid): files of a build context are 0:0.
    Extended attributes are kept as `kept_attribute` says; sockets, which no layer can hold, are left out.

    Where another user of the machine can change a directory in it, or one above it, nothing is reached by a path of
    several components any more: he could put a link in the place of a directory while we read. It costs time, so it
    is not done where nobody can.
    """

    def __init__(
        self, root: str, ignore: Ignore | None = None, owner: tuple[int, int] | None = None, *, name: str = ""
    ) -> None:
        self.root = root
        self.name = name or root
        self.ignore = ignore
        self._owner = owner
        self._prefix = root if root.endswith("/") else root + "/"
        self._folders: dict[str, Folder | None] = {"": ignore.walk()} if ignore is not None else {}
        try:
            status = os.stat(root)
        except OSError as error:
            hint = "Check the path." if error.errno == errno.ENOENT else ""
            raise KezuriError.of(f'cannot open directory "{root}": {error.strerror}', hint=hint) from None
        if status.st_mode & 0o170000 != 0o040000:
            raise KezuriError.of(f'"{root}" is not a directory')
        self._identity = (status.st_dev, status.st_ino)
        self._shared = others_may_change(status) or _shared_above(root)

    def host_path(self, path: str) -> str:
        """The path on this machine of an entry's path. It is not to be opened through links: see `Found.content`."""
        return self._prefix + path if path else self.root

    def stat(self, path: str) -> Found | None:
        """As Tree says. KezuriError when the machine refuses to tell."""
        host = self.host_path(path)
        try:
            if path and self._shared:
                parent, _, name = path.rpartition("/")
                with self._directory(parent) as place:
                    status = os.stat(name, dir_fd=place, follow_symlinks=False)
            else:
                status = os.stat(host) if not path else os.lstat(host)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
                return None
            raise self._refused("look at", path, error) from None
        except ValueError:
            return None
        if path and self._excluded(path):
            directory = status.st_mode & 0o170000 == 0o040000
            if not directory or not self._holds_included(path):
                return None
        return self._found(path, host, status)

    def scan(self, path: str) -> Sequence[Found]:
        """As Tree says. KezuriError when the directory cannot be read."""
        host = self.host_path(path)
        try:
            if self._shared:
                with self._directory(path) as place, os.scandir(place) as listing:
                    children = [child for child in listing if _remembers_status(child)]
            else:
                with os.scandir(host) as listing:
                    children = list(listing)
        except OSError as error:
            hint = "Make it readable, or leave it out with .dockerignore." if path else ""
            raise self._refused("read directory", path, error, hint) from None
        sort_by_name(children)
        prefix = path + "/" if path else ""
        if self.ignore is not None:
            folder = self._folder(path)
            if folder is None:
                return []
            kept = set(folder.kept([child.name for child in children]))
            if len(kept) < len(children):
                children = [c for c in children if c.name in kept or self._is_kept_directory(c, prefix + c.name)]
        result: list[Found] = []
        for child in children:
            try:
                status = child.stat(follow_symlinks=False)
                item = self._found(prefix + child.name, self._prefix + prefix + child.name, status)
            except FileNotFoundError:
                continue
            except OSError as error:
                hint = "Leave it out with .dockerignore."
                raise self._refused("look at", prefix + child.name, error, hint) from None
            if item is not None:
                result.append(item)
        return result

    def _refused(self, act: str, path: str, error: OSError, hint: str = "") -> KezuriError:
        from kezuri.linux.refusal import abridged

        if error.errno == errno.ENAMETOOLONG:
            hint = (
                "A path may have 4095 bytes, and the one to the context counts too.\n"
                "Leave it out with .dockerignore, or shorten it."
            )
        return KezuriError.of(f'cannot {act} "{abridged(path) or "/"}" in {self.name}: {error.strerror}', hint=hint)

    def _found(self, path: str, host: str, status: os.stat_result) -> Found | None:
        item = found(path, host, status, self._owner)
        if item is None:
            return None
        if item.entry.kind == "dir":
            self._shared = self._shared or others_may_change(status)
        elif item.stamp is not None and self._shared:
            return item._replace(content=SharedPath.of(host, status))
        return item

    @contextmanager
    def _directory(self, path: str) -> Iterator[int]:
        """A directory's descriptor, reached from the root's through no link."""
        descriptor = os.open(self.root, _DIRECTORY)
        try:
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) != self._identity:
                raise FileNotFoundError(errno.ENOENT, "it has been replaced", self.root)
            for part in path.split("/") if path else ():
                below = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    def hidden(self, path: str) -> str:
        """The ignore rule that hides something that is really there."""
        if self.ignore is None or not path or not os.path.lexists(self.host_path(path)):
            return ""
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            at = "/".join(parts[:count])
            rule = self.ignore.rule(at)
            if rule is not None and self.stat(at) is None:
                return f'the rule "{rule[0]}" on line {rule[1]} of {self.ignore.source.name} excludes it'
        return ""

    def _folder(self, path: str) -> Folder | None:
        """What the rules say of the entries of a directory; None when they leave nothing below it."""
        if path not in self._folders:
            parent, _, name = path.rpartition("/")
            above = self._folder(parent)
            self._folders[path] = above.enter(name) if above is not None else None
        return self._folders[path]

    def _excluded(self, path: str) -> bool:
        if self.ignore is None:
            return False
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        return folder is None or folder.excluded(name)

    def _is_kept_directory(self, child: "os.DirEntry[str]", path: str) -> bool:
        return child.is_dir(follow_symlinks=False) and self._holds_included(path)

    def _holds_included(self, directory: str) -> bool:
        """Whether an excluded directory holds something that a later rule brings back."""
        if self.ignore is None or not self.ignore.has_negations:
            return False
        todo = [directory]
        while todo:
            at = todo.pop()
            folder = self._folder(at)
            if folder is None:
                continue
            try:
                with os.scandir(self.host_path(at)) as listing:
                    for child in listing:
                        if not folder.excluded(child.name):
                            return True
                        if child.is_dir(follow_symlinks=False):
                            todo.append(f"{at}/{child.name}")
            except OSError:
                continue
        return False


def others_may_change(status: os.stat_result) -> bool:
    """Whether another user than we, root excepted, can rename what lies in the directory that has this status. A group
    of the same number as the owner is taken for the owner's own; access control lists are not looked at."""
    mode, uid, gid = status.st_mode, status.st_uid, status.st_gid
    if uid not in (0, os.geteuid()):
        return True
    # In a sticky directory others rename only what is their own, and their own directories in it are refused above.
    return not mode & 0o1000 and bool(mode & 0o002 or (mode & 0o020 and gid not in (0, uid)))


def _shared_above(root: str) -> bool:
    above = os.path.dirname(os.path.realpath(root))
    while True:
        try:
            if others_may_change(os.stat(above)):
                return True
        except OSError:
            return True
        if above == "/":
            return False
        above = os.path.dirname(above)


def _remembers_status(child: "os.DirEntry[str]") -> bool:
    """Have the entry look at its file while its directory is open; False when it is gone."""
    try:
        child.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def sort_by_name(children: "list[os.DirEntry[str]]") -> None:
    """Sort directory entries by the bytes of their names.

    Code points sort as their UTF-8 bytes do, except for the surrogates that stand for bytes that are no UTF-8.
    """
    children.sort(key=_name)
    if not all(child.name.isascii() for child in children):
        children.sort(key=lambda child: os.fsencode(child.name))


def _name(child: "os.DirEntry[str]") -> str:
    return child.name


def attributes(host: str) -> tuple[tuple[str, bytes], ...]:
    """The extended attributes of a file of this machine that go into a layer, sorted by name."""
    try:
        names = os.listxattr(host, follow_symlinks=False)
    except OSError:
        return ()
    if not names:
        return ()
    kept = []
    for name in sorted(names):
        if kept_attribute(name):
            try:
                kept.append((name, os.getxattr(host, name, follow_symlinks=False)))
            except OSError:
                continue
    return tuple(kept)


_KINDS: dict[int, Kind] = {
    0o100000: "file",
    0o040000: "dir",
    0o120000: "symlink",
    0o020000: "char",
    0o060000: "block",
    0o010000: "fifo",
}


def found(path: str, host: str, status: os.stat_result, owner: tuple[int, int] | None) -> Found | None:
    """What lies at `host`, as an entry at `path`; None for a socket."""
    mode = status.st_mode
    kind = _KINDS.get(mode & 0o170000)
    if kind is None:
        return None
    uid, gid = owner if owner is not None else (status.st_uid, status.st_gid)
    mtime = status.st_mtime_ns
    if kind == "file":
        size = status.st_size
        device, inode = status.st_dev, status.st_ino
        return Found(
            Entry(path, kind, mode & 0o7777, uid, gid, size, mtime, "", (0, 0), attributes(host)),
            host,
            (device, inode, size, mtime, status.st_ctime_ns),
            (device, inode) if status.st_nlink > 1 else None,
        )
    if kind == "dir":
        return Found(Entry(path, kind, mode & 0o7777, uid, gid, 0, mtime, "", (0, 0), attributes(host)))
    if kind == "symlink":
        try:
            target = os.readlink(host)
        except OSError as error:
            raise KezuriError.of(f'cannot read symbolic link "{path}": {error.strerror}') from None
        return Found(Entry(path, kind, 0o777, uid, gid, 0, mtime, target))
    node = (0, 0) if kind == "fifo" else (os.major(status.st_rdev), os.minor(status.st_rdev))
    return Found(Entry(path, kind, mode & 0o7777, uid, gid, 0, mtime, "", node, attributes(host)))
