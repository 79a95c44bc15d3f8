"""An image's files as they are at run time: merged, as entries in order, or written into a directory."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from kezuri.diagnostics import KezuriError
from kezuri.layer.anchored import AnchoredTree
from kezuri.layer.entry import Entry
from kezuri.layer.maker import Maker, Source
from kezuri.linux.disk import disk_error
from kezuri.linux.userns import identity
from kezuri.tree.content import Bytes, InTar, TarFiles
from kezuri.tree.tree import Tree

Exported = tuple[Entry, Bytes]
"""An entry of an image with the place of its bytes."""


def merged_items(tree: Tree, top: str = "") -> Iterator[Exported]:
    """Every entry of the tree: siblings sorted, each directory before what is below it and that before its next
    sibling, hard links after the file they name. With `top`, what the directory at this path holds, named from there;
    or the one entry that it is."""
    first: dict[object, str] = {}
    alone = tree.stat(top) if top else None
    if alone is not None and alone.entry.kind != "dir":
        yield alone.entry._replace(path=top.rpartition("/")[2]), alone.content
        return
    stack = [*reversed(tree.scan(top))]
    while stack:
        found = stack.pop()
        entry, content = found.entry, found.content
        if top:
            entry = entry._replace(path=entry.path.removeprefix(f"{top}/"))
        if found.identity is not None:
            known = first.setdefault(found.identity, entry.path)
            if known != entry.path:
                yield entry._replace(kind="hardlink", link=known, size=0), None
                continue
        yield entry, content
        if entry.kind == "dir":
            stack.extend(reversed(tree.scan(found.entry.path)))


def platform_items(trees: Sequence[tuple[str, Tree]]) -> Iterator[Exported]:
    """The entries of several trees, each below a directory of its own name."""
    for name, tree in trees:
        yield Entry(name, "dir", 0o755), None
        for entry, content in merged_items(tree):
            link = f"{name}/{entry.link}" if entry.kind == "hardlink" else entry.link
            yield entry._replace(path=f"{name}/{entry.path}", link=link), content


def common_items(trees: Sequence[tuple[str, Tree]]) -> list[Exported]:
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


def dated(items: Iterable[Exported], epoch: int) -> Iterator[Exported]:
    """The same entries, all modified at the epoch (seconds): files that are exported are dated so, older ones, too."""
    for entry, content in items:
        yield entry._replace(mtime=epoch * 1_000_000_000), content


def write_directory(
    items: Iterable[Exported],
    directory: str,
    warn: Callable[[str], None],
    *,
    own_ids: bool = True,
    owners: bool = False,
) -> None:
    """Write files into a directory, over what is there (BuildKit's local output).

    Everything belongs to the caller. Devices are left out, and so are the set-id bits and capabilities of files whose
    owner changes by that (a program that its owner made set-user-id would become one of the caller), and attributes
    that the file system refuses: one warning tells of all. No link among the files or in the directory is followed,
    not even where the directory is another user's, who changes it meanwhile. Files that lie in tars of layers are
    written while each tar is read once. `own_ids` says that a number means the same user in the files as here. With
    `owners`, which only root can ask for, owners stay as they are, and so do set-id modes and capabilities.
    """
    try:
        place = os.path.realpath(directory)
        os.makedirs(place, exist_ok=True)
        tree = AnchoredTree(place)
    except (FileExistsError, NotADirectoryError):
        raise KezuriError.of(f"the output directory {directory} cannot be made: a file is in the way") from None
    except OSError as error:
        raise disk_error(error, directory) from error
    # Root of a user namespace that we made is an ordinary user outside: no owner in the image is the same there.
    terms = Terms((os.geteuid(), os.getegid()) if own_ids and identity() is None else None, owners)
    with tree:
        _Writer(tree, terms, directory, owners).write(items)
    for what, paths in terms.left_out.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        warn(f"{what} /{paths[0]}{more} {'are' if more else 'is'} left out of the output directory")


class Terms:
    """On what terms entries of an image become files of the caller's. `left_out`: what does not, and of which paths."""

    def __init__(self, owner: tuple[int, int] | None, owners: bool = False) -> None:
        """`owner` is the caller's user and group; None when these are nobody's in the image. With `owners` every owner
        stays."""
        self._owner = owner
        self._owners = owners
        self.left_out: dict[str, list[str]] = {}

    def of(self, entry: Entry) -> Entry | None:
        """The entry as it may leave; None when it may not."""
        kind, mode = entry.kind, entry.mode
        if kind in ("char", "block"):
            self._leave_out("device", entry)
            return None
        if kind == "dir":
            mode |= 0o700
        elif kind == "file" and mode & 0o6000 and not self._stays(entry):
            mode &= 0o1777
            self._leave_out("where the owner changes, the set-id mode of", entry)
        elif kind == "fifo":
            mode &= 0o777
        kept = [pair for pair in entry.xattrs if self._may_leave(pair[0], entry)] if kind in ("dir", "file") else []
        return entry._replace(mode=mode, xattrs=tuple(kept))

    def _may_leave(self, name: str, entry: Entry) -> bool:
        """`user.*`, and the capabilities of a file whose owner stays: others name ids, labels or keys of a machine."""
        if name == "security.capability":
            if self._stays(entry):
                return True
            self._leave_out("where the owner changes, the capability of", entry)
            return False
        if not name.startswith("user."):
            self.lost(entry, name)
            return False
        return True

    def _stays(self, entry: Entry) -> bool:
        return self._owners or (entry.uid, entry.gid) == self._owner

    def lost(self, entry: Entry, name: str, error: OSError | None = None) -> None:
        """Take note of an attribute that stays behind."""
        self._leave_out(f"the attribute {name} of", entry)

    def _leave_out(self, what: str, entry: Entry) -> None:
        self.left_out.setdefault(what, []).append(entry.path)


class _Writer:
    """Writes entries into a tree, in the place of what is there."""

    def __init__(self, tree: AnchoredTree, terms: Terms, directory: str, owners: bool) -> None:
        self._tree = tree
        self._terms = terms
        self._directory = directory
        self._maker = Maker(tree, fresh=False, owners=owners, lost=terms.lost)

    def write(self, items: Iterable[Exported]) -> None:
        """Write them all: files that lie in tars after the others, hard links after all files, and what directories
        are like at the end. KezuriError when that fails."""
        directories: list[Entry] = []
        links: list[Entry] = []
        packed: dict[TarFiles, dict[str, list[Entry]]] = {}
        for wanted, content in items:
            entry = self._terms.of(wanted)
            if entry is None:
                continue
            if isinstance(content, InTar):
                packed.setdefault(content.tar, {}).setdefault(content.path, []).append(entry)
            elif entry.kind == "hardlink":
                links.append(entry)
            else:
                self._put(entry, content)
                if entry.kind == "dir":
                    directories.append(entry)
        for tar, files in packed.items():
            while files:
                # Once, unless the same file goes to several places, as for several platforms.
                for path, _, data in tar.read(list(files)):
                    self._put(files[path].pop(), data)
                files = {path: more for path, more in files.items() if more}
        for entry in links:
            self._put(entry)
        for entry in reversed(directories):
            with self._told(entry):
                self._maker.settle(entry)

    def _put(self, entry: Entry, source: Source = None) -> None:
        with self._told(entry):
            if entry.kind == "dir":
                try:
                    self._maker.make(entry)
                    return
                except FileExistsError:
                    self._tree.remove(entry.path)
            else:
                parent, base = self._tree.parent(entry.path)
                try:
                    os.unlink(base, dir_fd=parent)
                except FileNotFoundError:
                    pass
                except IsADirectoryError:
                    raise KezuriError.of(
                        f"the output directory has a directory at {entry.path}, where the image has a file"
                    ) from None
            self._maker.make(entry, source)

    @contextmanager
    def _told(self, entry: Entry) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(error, os.path.join(self._directory, entry.path)) from error
