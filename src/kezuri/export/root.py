"""An image's files as they are at run time: merged, as entries in order, or written into a directory."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from kezuri.diagnostics import KezuriError
from kezuri.layer.anchored import AnchoredTree
from kezuri.layer.entry import Entry, Item
from kezuri.linux.descriptors import write_all
from kezuri.linux.disk import disk_error
from kezuri.linux.userns import identity
from kezuri.tree.content import on_hand
from kezuri.tree.tree import Tree


def merged_items(tree: Tree, top: str = "") -> Iterator[Item]:
    """Every entry of the tree, parents first, siblings sorted, hard links after the file they name. With `top`, what
    the directory at this path holds, named from there; or the one entry that it is."""
    first: dict[object, str] = {}
    alone = tree.stat(top) if top else None
    if alone is not None and alone.entry.kind != "dir":
        yield alone.entry._replace(path=top.rpartition("/")[2]), on_hand(alone.content)
        return
    stack = [top]
    while stack:
        below = []
        for found in tree.scan(stack.pop()):
            entry, content = found.entry, found.content
            if top:
                entry = entry._replace(path=entry.path.removeprefix(f"{top}/"))
            if found.identity is not None:
                known = first.setdefault(found.identity, entry.path)
                if known != entry.path:
                    yield entry._replace(kind="hardlink", link=known, size=0), None
                    continue
            yield entry, on_hand(content)
            if entry.kind == "dir":
                below.append(found.entry.path)
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
    that the file system refuses: one warning tells of all. No link among the files or in the directory is followed,
    not even where the directory is another user's, who changes it meanwhile.
    """
    try:
        place = os.path.realpath(directory)
        os.makedirs(place, exist_ok=True)
        tree = AnchoredTree(place)
    except (FileExistsError, NotADirectoryError):
        raise KezuriError.of(f"the output directory {directory} cannot be made: a file is in the way") from None
    except OSError as error:
        raise disk_error(error, directory) from error
    late: list[Entry] = []
    writer = _Writer(tree)
    with tree:
        for entry, content in items:
            try:
                writer.write(entry, content)
            except OSError as error:
                raise disk_error(error, os.path.join(directory, entry.path)) from error
            if entry.kind == "dir":
                late.append(entry)
        for entry in reversed(late):
            try:
                descriptor = tree.at(entry.path)
                os.utime(descriptor, ns=(entry.mtime, entry.mtime))
                os.fchmod(descriptor, entry.mode | 0o700)
            except OSError as error:
                raise disk_error(error, os.path.join(directory, entry.path)) from error
    for what, paths in writer.left_out.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        warn(f"{what} /{paths[0]}{more} {'are' if more else 'is'} left out of the output directory")


class _Writer:
    """Writes entries into a tree. `left_out`: what was not written, and of which paths."""

    def __init__(self, tree: AnchoredTree) -> None:
        self._tree = tree
        # Root of a user namespace that we made is an ordinary user outside: no owner in the image is the same there.
        self._owner = (os.geteuid(), os.getegid()) if identity() is None else None
        self.left_out: dict[str, list[str]] = {}

    def _leave_out(self, what: str, entry: Entry) -> None:
        self.left_out.setdefault(what, []).append(entry.path)

    def write(self, entry: Entry, content: str | bytes | None) -> None:
        """Write one entry, in the place of what is there; OSError when that fails."""
        if entry.kind == "dir":
            self._make_directory(entry)
            return
        if entry.kind in ("char", "block"):
            self._leave_out("device", entry)
            return
        parent, base = self._tree.parent(entry.path)
        try:
            os.unlink(base, dir_fd=parent)
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            raise KezuriError.of(
                f"the output directory has a directory at {entry.path}, where the image has a file"
            ) from None
        if entry.kind == "symlink":
            os.symlink(entry.link, base, dir_fd=parent)
            os.utime(base, ns=(entry.mtime, entry.mtime), dir_fd=parent, follow_symlinks=False)
        elif entry.kind == "hardlink":
            # The next question may close the descriptor of the last one.
            parent = os.dup(parent)
            try:
                there, name = self._tree.parent(entry.link)
                os.link(name, base, src_dir_fd=there, dst_dir_fd=parent, follow_symlinks=False)
            finally:
                os.close(parent)
        elif entry.kind == "fifo":
            os.mkfifo(base, entry.mode, dir_fd=parent)
        else:
            self._copy(entry, content)

    def _make_directory(self, entry: Entry) -> None:
        tree, path = self._tree, entry.path
        try:
            tree.make_directory(path, 0o700 | entry.mode)
        except FileExistsError:
            tree.remove(path)
            tree.make_directory(path, 0o700 | entry.mode)
        if entry.xattrs:
            self._set_attributes(tree.at(path), entry)

    def _copy(self, entry: Entry, content: str | bytes | None) -> None:
        target = self._tree.create(entry.path, 0o600)
        try:
            if isinstance(content, bytes):
                write_all(target, content)
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
            os.utime(target, ns=(entry.mtime, entry.mtime))
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
