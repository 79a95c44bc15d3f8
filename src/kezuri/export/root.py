"""An image's files as they are at run time: merged, as entries in order, or written into a directory."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item
from kezuri.linux.userns import identity
from kezuri.source.tree import Tree
from kezuri.store.blobs import disk_error


def merged_items(tree: Tree) -> Iterator[Item]:
    """Every entry of the tree, parents first, siblings sorted, hard links after the file they name."""
    first: dict[object, str] = {}
    stack = [""]
    while stack:
        below = []
        for found in tree.scan(stack.pop()):
            entry, content = found.entry, found.content
            if found.identity is not None:
                known = first.setdefault(found.identity, entry.path)
                if known != entry.path:
                    yield entry._replace(kind="hardlink", link=known, size=0), None
                    continue
            yield entry, content
            if entry.kind == "dir":
                below.append(entry.path)
        stack.extend(reversed(below))


def platform_items(trees: Sequence[tuple[str, Tree]]) -> Iterator[Item]:
    """The entries of several trees, each below a directory of its own name."""
    for name, tree in trees:
        yield Entry(name, "dir", 0o755), None
        for entry, content in merged_items(tree):
            link = f"{name}/{entry.link}" if entry.kind == "hardlink" else entry.link
            yield entry._replace(path=f"{name}/{entry.path}", link=link), content


def common_items(trees: Sequence[tuple[str, Tree]]) -> list[Item]:
    """The entries of several trees as one; KezuriError when two of them have a file of the same path. The names say
    whose it is."""
    held = [(name, list(merged_items(tree))) for name, tree in trees]
    owner: dict[str, tuple[str, bool]] = {}
    for name, items in held:
        for entry, _ in items:
            other, was_directory = owner.setdefault(entry.path, (name, entry.kind == "dir"))
            if other != name and not (was_directory and entry.kind == "dir"):
                raise KezuriError.of(
                    f"/{entry.path} is in the files of {other} and of {name}, which go into one directory",
                    hint="leave out platform-split=false, and each platform has a directory of its own",
                )
    return [item for name, items in held for item in items if item[0].kind != "dir" or owner[item[0].path][0] == name]


def dated(items: Iterable[Item], epoch: int) -> Iterator[Item]:
    """The same entries, all modified at the epoch (seconds): files that are exported are dated so, older ones, too."""
    for entry, content in items:
        yield entry._replace(mtime=epoch * 1_000_000_000), content


def write_directory(items: Iterable[Item], directory: str, warn: Callable[[str], None]) -> None:
    """Write files into a directory, over what is there (BuildKit's local output).

    Everything belongs to the caller. Devices are left out, and so are the set-id bits and capabilities of files whose
    owner changes by that (a program that its owner made set-user-id would become one of the caller), and attributes
    that the file system refuses: one warning tells of all. No link among the files or in the directory is followed.
    """
    try:
        os.makedirs(os.path.realpath(directory), exist_ok=True)
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileExistsError, NotADirectoryError):
        raise KezuriError.of(f"the output directory {directory} cannot be made: a file is in the way") from None
    except OSError as error:
        raise disk_error(error, directory) from error
    late: list[Entry] = []
    writer = _Writer(root)
    try:
        for entry, content in items:
            try:
                writer.write(entry, content)
            except OSError as error:
                raise disk_error(error, os.path.join(directory, entry.path)) from error
            if entry.kind == "dir":
                late.append(entry)
            elif entry.kind in ("file", "symlink"):
                _stamp(root, entry)
        for entry in reversed(late):
            _stamp(root, entry)
            os.chmod(entry.path, entry.mode | 0o700, dir_fd=root)
    finally:
        os.close(root)
    for what, paths in writer.left_out.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        warn(f"{what} /{paths[0]}{more} {'are' if more else 'is'} left out of the output directory")


def _stamp(root: int, entry: Entry) -> None:
    os.utime(entry.path, ns=(entry.mtime, entry.mtime), dir_fd=root, follow_symlinks=False)


class _Writer:
    """Writes entries below a directory descriptor. `left_out`: what was not written, and of which paths."""

    def __init__(self, root: int) -> None:
        self._root = root
        # Root of a user namespace that we made is an ordinary user outside: no owner in the image is the same there.
        self._owner = (os.geteuid(), os.getegid()) if identity() is None else None
        self.left_out: dict[str, list[str]] = {}

    def _leave_out(self, what: str, entry: Entry) -> None:
        self.left_out.setdefault(what, []).append(entry.path)

    def write(self, entry: Entry, content: str | bytes | None) -> None:
        """Write one entry, in the place of what is there; OSError when that fails."""
        root, path = self._root, entry.path
        if entry.kind == "dir":
            self._make_directory(entry)
            return
        if entry.kind in ("char", "block"):
            self._leave_out("device", entry)
            return
        try:
            os.unlink(path, dir_fd=root)
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            raise KezuriError.of(
                f"the output directory has a directory at {path}, where the image has a file"
            ) from None
        if entry.kind == "symlink":
            os.symlink(entry.link, path, dir_fd=root)
        elif entry.kind == "hardlink":
            os.link(entry.link, path, src_dir_fd=root, dst_dir_fd=root, follow_symlinks=False)
        elif entry.kind == "fifo":
            os.mkfifo(path, entry.mode, dir_fd=root)
        else:
            self._copy(entry, content)

    def _make_directory(self, entry: Entry) -> None:
        root, path = self._root, entry.path
        try:
            os.mkdir(path, 0o700 | entry.mode, dir_fd=root)
        except FileExistsError:
            import stat

            if not stat.S_ISDIR(os.stat(path, dir_fd=root, follow_symlinks=False).st_mode):
                os.unlink(path, dir_fd=root)
                os.mkdir(path, 0o700 | entry.mode, dir_fd=root)
        if entry.xattrs:
            directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
            try:
                self._set_attributes(directory, entry)
            finally:
                os.close(directory)

    def _copy(self, entry: Entry, content: str | bytes | None) -> None:
        target = os.open(
            entry.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._root
        )
        try:
            if isinstance(content, bytes):
                view = memoryview(content)
                while view:
                    view = view[os.write(target, view) :]
            elif content is not None:
                source = os.open(content, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    while os.sendfile(target, source, None, 1 << 24):
                        pass
                finally:
                    os.close(source)
            mode = entry.mode
            if mode & 0o6000 and (entry.uid, entry.gid) != self._owner:
                mode &= 0o1777
                self._leave_out("where the owner changes, the set-id mode of", entry)
            os.fchmod(target, mode)
            if entry.xattrs:
                self._set_attributes(target, entry)
        finally:
            os.close(target)

    def _set_attributes(self, descriptor: int, entry: Entry) -> None:
        """`user.*`, and the capabilities of a file whose owner stays: others name ids, labels or keys of a machine."""
        for name, value in entry.xattrs:
            if name == "security.capability" and (entry.uid, entry.gid) != self._owner:
                self._leave_out("where the owner changes, the capability of", entry)
                continue
            try:
                if not name.startswith("user.") and name != "security.capability":
                    raise OSError
                os.setxattr(descriptor, name, value)
            except OSError:
                self._leave_out(f"the attribute {name} of", entry)
