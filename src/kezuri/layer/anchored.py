"""A directory tree that is only ever reached from its root's descriptor, never through a symbolic link."""

import errno
import os
import stat
from types import TracebackType

from kezuri.diagnostics import KezuriError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_OPEN = 64


class AnchoredTree:
    """Operations on paths below `directory`, each component opened with O_NOFOLLOW; to be used in a `with`.

    Whatever links the tree holds, nothing outside of it is touched. Keeps at most 64 descriptors open. Operations
    give OSError.
    """

    def __init__(self, directory: str) -> None:
        self._open: dict[str, int] = {"": os.open(directory, _DIRECTORY)}
        status = os.fstat(self._open[""])
        self.inherits = bool(status.st_mode & stat.S_ISGID) or _has_default_acl(directory)
        """Whether new files may get another group or mode than asked for."""

    def __enter__(self) -> "AnchoredTree":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def parent(self, path: str) -> tuple[int, str]:
        """The descriptor of the directory that holds `path`, good until the next call, and the last component."""
        parent, _, base = path.rpartition("/")
        descriptor = self._open.get(parent)
        return (self.at(parent) if descriptor is None else descriptor), base

    def at(self, path: str) -> int:
        """The descriptor of a directory, good until the next call."""
        known = self._open.get(path)
        if known is not None:
            return known
        missing = []
        above = path
        while above not in self._open:
            above, _, base = above.rpartition("/")
            missing.append(base)
        if len(self._open) + len(missing) > _MOST_OPEN:
            for old in list(self._open):
                if old and old != above:
                    os.close(self._open.pop(old))
        descriptor = self._open[above]
        # Deep paths: only the last descriptor is kept, and each is closed when the next is open.
        passing = False
        try:
            for base in reversed(missing):
                below = os.open(base, _DIRECTORY, dir_fd=descriptor)
                if passing:
                    os.close(descriptor)
                descriptor, passing = below, True
        except BaseException:
            if passing:
                os.close(descriptor)
            raise
        self._open[path] = descriptor
        return descriptor

    def make_directory(self, path: str, mode: int = 0o700) -> bool:
        """Make a directory; False when there is one already. FileExistsError when there is something else."""
        descriptor, base = self.parent(path)
        try:
            os.mkdir(base, mode, dir_fd=descriptor)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(base, dir_fd=descriptor, follow_symlinks=False).st_mode):
                return False
            raise
        return True

    def create(self, path: str, mode: int) -> int:
        """A descriptor of a new file; the caller closes it."""
        descriptor, base = self.parent(path)
        return os.open(base, _FILE, mode, dir_fd=descriptor)

    def remove(self, path: str) -> None:
        """Remove whatever is at `path`, with all below it; no error if nothing is."""
        descriptor, base = self.parent(path)
        try:
            os.unlink(base, dir_fd=descriptor)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (errno.EISDIR, errno.EPERM):
                raise
        # Not recursive: trees may be deep.
        todo = [(path, False)]
        while todo:
            path, emptied = todo.pop()
            if not emptied:
                todo.append((path, True))
                todo.extend((child, False) for child in self._empty(path))
                continue
            self._close_below(path)
            descriptor, base = self.parent(path)
            os.rmdir(base, dir_fd=descriptor)

    def _empty(self, path: str) -> list[str]:
        """Remove everything in a directory that is no directory; give back those that are."""
        descriptor = self.at(path)
        directories = []
        for name in os.listdir(descriptor):
            child = f"{path}/{name}" if path else name
            if stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                directories.append(child)
            else:
                os.unlink(name, dir_fd=descriptor)
        return directories

    def _close_below(self, path: str) -> None:
        prefix = path + "/"
        for old in [known for known in self._open if known == path or known.startswith(prefix)]:
            os.close(self._open.pop(old))


def _has_default_acl(directory: str) -> bool:
    try:
        os.getxattr(directory, "system.posix_acl_default")
    except OSError:
        return False
    return True


def umask() -> int:
    """The process's file mode creation mask, read without changing it. KezuriError where /proc is missing."""
    try:
        with open("/proc/self/status", "rb") as status:
            for line in status:
                if line.startswith(b"Umask:"):
                    return int(line[6:], 8)
    except OSError:
        pass
    raise KezuriError.of("cannot read /proc/self/status", hint="is /proc mounted?", exit_code=125)
