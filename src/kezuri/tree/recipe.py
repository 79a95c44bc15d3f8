"""The entries that a COPY or ADD adds to the image, worked out without touching a root file system."""

import os
import stat
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.chmod import ModeChange
from kezuri.layer.entry import UNDATED, Content, Entry, Item
from kezuri.layer.view import View
from kezuri.tree.content import on_hand
from kezuri.tree.selection import Root, Selected, Selection
from kezuri.tree.tree import resolve

Unpack = Callable[[str | bytes], "Sequence[Item] | None"]
"""The entries of the tar archive at a path of this machine, or of these bytes; None when it is no archive."""


class CopyOptions(NamedTuple):
    """How a COPY or ADD puts its sources into the image.

    `destination` is expanded; relative ones are joined to `workdir`, a trailing slash counts. `chown` are numbers.
    `unpack` opens tar archives among the sources (ADD, or `--unpack`).
    """

    destination: str
    workdir: str = "/"
    chown: tuple[int, int] | None = None
    chmod: ModeChange | None = None
    link: bool = False
    unpack: Unpack | None = None

    @property
    def linked(self) -> bool:
        """Whether the copy is independent of what lies below: `--link` without `--chmod`, as BuildKit has it."""
        return self.link and self.chmod is None


def recipe(selection: Selection, options: CopyOptions, view: View) -> tuple[Item, ...]:
    """The entries of the layer, parents before children, each path once, hard links after the file they name.

    Existing parent directories are entries too, as `view` has them, so that the layer stands alone. With `--link` the
    view is not looked at. KezuriError when a directory would have to take the place of a file or the reverse, and for
    names that no layer can hold.
    """
    target = _Target(view, options)
    for number, root in enumerate(selection):
        _copy(target, root, number, options)
    return target.items()


def new_directory(path: str, parent: Entry | None, mode: int, owner: tuple[int, int] | None) -> Entry:
    """A directory that has to be made: below a set-group-id directory it is one, too, and inherits the group unless
    it is given an owner, as mkdir(2) has it."""
    inherited = parent.mode & stat.S_ISGID if parent is not None else 0
    uid, gid = owner or (0, parent.gid if parent is not None and inherited else 0)
    return Entry(path, "dir", mode | inherited, uid, gid, 0, UNDATED)


class _Written(NamedTuple):
    entry: Entry
    content: Content
    group: object | None


class _Target:
    """The image's tree with what this instruction has written so far laid over it."""

    def __init__(self, view: View, options: CopyOptions) -> None:
        self._view = None if options.linked else view
        self._options = options
        self._written: dict[str, _Written] = {}
        self._fresh: set[str] = set()
        """Directories that are new, so that nothing of the image can lie below them."""

    def lookup(self, path: str) -> Entry | None:
        written = self._written.get(path)
        if written is not None:
            return written.entry
        if not path:
            return self._view.lookup("") or _ROOT if self._view is not None else _ROOT
        if self._view is None:
            return None
        parent = path.rpartition("/")[0]
        if parent in self._fresh:
            return None
        return self._view.lookup(path)

    def resolve(self, path: str, root: str = "") -> str:
        return resolve(path, self.lookup, root)

    def put(self, entry: Entry, content: Content = None, group: object | None = None) -> None:
        """Write an entry in the place of whatever is there."""
        path = entry.path
        self._written[path] = _Written(entry, content, group)
        if entry.kind != "dir":
            self._fresh.discard(path)

    def put_new_directory(self, entry: Entry) -> None:
        self._written[entry.path] = _Written(entry, None, None)
        self._fresh.add(entry.path)

    def is_new(self, directory: str) -> bool:
        """Whether this instruction made the directory."""
        return directory in self._fresh

    def make_directories(self, path: str, mode: int, owner: tuple[int, int] | None) -> None:
        """Create what is missing of a resolved path."""
        if not path:
            return
        at = ""
        above = self.lookup("")
        for part in path.split("/"):
            at = f"{at}/{part}" if at else part
            entry = self.lookup(at)
            if entry is None:
                entry = new_directory(at, above, mode, owner)
                self.put_new_directory(entry)
            elif entry.kind != "dir":
                raise KezuriError.of(
                    f'cannot create directory "/{path}": "/{at}" is a {_called(entry)}, not a directory',
                    hint="Choose another destination, or remove it before.",
                )
            above = entry

    def linkable(self, path: str) -> "_Written | None":
        """What this instruction wrote at a path, for another name of the same file."""
        written = self._written.get(path)
        return written if written is not None and written.entry.kind != "dir" else None

    def change(self, group: object | None, of: Entry) -> None:
        """Give all names of a file the mode, owner and time of `of`."""
        for path, written in self._written.items():
            if written.group == group:
                entry = written.entry._replace(mode=of.mode, uid=of.uid, gid=of.gid, mtime=of.mtime)
                self._written[path] = written._replace(entry=entry)

    def drop_below(self, path: str) -> None:
        """Forget what was written below a path that stops being a directory."""
        prefix = path + "/"
        for name in [name for name in self._written if name.startswith(prefix)]:
            del self._written[name]
            self._fresh.discard(name)

    def items(self) -> tuple[Item, ...]:
        written = self._written
        for path in list(written):
            parent = path.rpartition("/")[0]
            while parent and parent not in written:
                entry = self.lookup(parent)
                if entry is None:
                    raise AssertionError(f"{path} was written below {parent}, which is not there")
                written[parent] = _Written(entry, None, None)
                parent = parent.rpartition("/")[0]
        written.pop("", None)
        first: dict[object, str] = {}
        result: list[Item] = []
        for path in _sorted(written):
            entry, content, group = written[path]
            name = path.rpartition("/")[2]
            if name.startswith(".wh."):
                raise KezuriError.of(
                    f'"/{path}" cannot be part of an image: names that begin with ".wh." mark deletions in layers',
                    hint="Rename the file, or exclude it.",
                )
            if group is not None:
                known = first.setdefault(group, path)
                if known != path:
                    entry = entry._replace(kind="hardlink", size=0, link=known)
                    content = None
            result.append((entry, content))
        return tuple(result)


_ROOT = Entry("", "dir", 0o755)


def _sorted(paths: dict[str, _Written]) -> list[str]:
    names = sorted(paths)
    return names if all(map(str.isascii, names)) else sorted(names, key=os.fsencode)


def _called(entry: Entry) -> str:
    return {"file": "file", "symlink": "symbolic link", "char": "device", "block": "device"}.get(entry.kind, entry.kind)


def _destination(options: CopyOptions) -> tuple[str, bool]:
    """The destination made absolute, and whether it is written as a directory."""
    text = options.destination
    if text in ("", "."):
        text = "./"
    slash = text.endswith(("/", "/."))
    if not text.startswith("/"):
        text = f"{options.workdir}/{text}"
    # The words are cleaned before links are followed: `..` takes away a name, not what the name leads to.
    return os.path.normpath("/" + text).lstrip("/"), slash


def _copy(target: _Target, root: Root, number: int, options: CopyOptions) -> None:
    text, slash = _destination(options)
    owner = options.chown
    mode = options.chmod.created if options.chmod is not None else 0o755
    archive = root.top.entry.kind == "file" and not root.packed
    if options.unpack is not None and archive and (content := on_hand(root.top.content)) is not None:
        items = options.unpack(content)
        if items is not None:
            base = target.resolve(text)
            target.make_directories(base, 0o755, owner)
            _unpack(target, items, base, number, options)
            return
    target.make_directories(target.resolve(text if slash else text.rpartition("/")[0]), mode, owner)
    place = target.resolve(text)
    if root.directory:
        _copy_contents(target, root, number, place, mode, options)
    else:
        there = target.lookup(place)
        if there is not None and there.kind == "dir":
            place = f"{place}/{root.name}" if place else root.name
        target.make_directories(place.rpartition("/")[0], mode, owner)
        _put(target, place, root.top, number, options)


def _copy_contents(target: _Target, root: Root, number: int, place: str, mode: int, options: CopyOptions) -> None:
    there = target.lookup(place)
    if there is not None and there.kind != "dir":
        raise KezuriError.of(
            f'cannot copy to non-directory: "/{place}" is a {_called(there)}, the source "{root.name}" is a directory'
        )
    if there is None:
        target.make_directories(place, mode, options.chown)
        there = target.lookup(place)
    # The destination itself keeps its mode and owner, and takes the source's time.
    if place and there is not None and (not root.top.implied or target.is_new(place)):
        target.put(there._replace(mtime=root.top.entry.mtime))
    prefix = place + "/" if place else ""
    for item in root.items:
        _put(target, prefix + item.path, item, number, options)


def _put(target: _Target, path: str, item: Selected, number: int, options: CopyOptions) -> None:
    """Put one source entry at a path whose parents are real directories."""
    source = item.entry
    kind = source.kind
    there = target.lookup(path)
    uid, gid = options.chown if options.chown is not None else (source.uid, source.gid)
    mode = source.mode
    if options.chmod is not None and kind != "symlink":
        mode = options.chmod.apply(mode, kind == "dir")
    if kind == "dir":
        if there is None:
            target.put_new_directory(Entry(path, "dir", mode, uid, gid, 0, source.mtime, "", (0, 0), source.xattrs))
        elif there.kind != "dir":
            raise KezuriError.of(
                f'cannot copy to non-directory: "/{path}" is a {_called(there)}, the source is a directory'
            )
        elif item.implied:
            target.put(there._replace(mode=source.mode))
        else:
            xattrs = there.xattrs
            if xattrs and source.xattrs:
                xattrs = tuple(sorted({**dict(xattrs), **dict(source.xattrs)}.items()))
            target.put(Entry(path, "dir", mode, uid, gid, 0, source.mtime, "", (0, 0), xattrs or source.xattrs))
        return
    if there is not None and there.kind == "dir":
        raise KezuriError.of(f'cannot replace to directory "/{path}" with {_called(source)}')
    group = (number, item.identity) if item.identity is not None else None
    entry = Entry(path, kind, mode, uid, gid, source.size, source.mtime, source.link, source.device, source.xattrs)
    target.put(entry, on_hand(item.content), group)


def _unpack(target: _Target, items: Sequence[Item], base: str, number: int, options: CopyOptions) -> None:
    """Lay an archive's entries below a directory, as `tar -x` in it would, with that directory as the root for links.

    `--chown` applies, but not to directories that the archive does not name; `--chmod` does not. The archive's own
    root entry is passed over. An entry takes the place of whatever has another kind.
    """
    for serial, (entry, content) in enumerate(items):
        if entry.kind in ("whiteout", "opaque"):
            raise KezuriError.of(
                f'the archive holds "{entry.path}" under a ".wh." name, which marks deletions in layers'
            )
        uid, gid = options.chown if options.chown is not None else (entry.uid, entry.gid)
        if not entry.path:
            continue
        parent, _, name = entry.path.rpartition("/")
        at = target.resolve(parent, base) if parent else base
        target.make_directories(at, 0o755, (0, 0))
        path = f"{at}/{name}" if at else name
        there = target.lookup(path)
        placed = entry._replace(path=path, uid=uid, gid=gid)
        if entry.kind == "dir":
            if there is not None and there.kind == "dir":
                target.put(placed)
            else:
                target.put_new_directory(placed)
            continue
        if there is not None and there.kind == "dir":
            target.drop_below(path)
        if entry.kind == "hardlink":
            above, _, last = entry.link.rpartition("/")
            known_as = f"{target.resolve(above, base)}/{last}".lstrip("/")
            first = target.linkable(known_as)
            if first is None:
                raise KezuriError.of(
                    f'hard link "{entry.path}" in the archive names "{entry.link}", which does not come before it'
                )
            if first.entry.kind == "file" and first.entry[2:5] + first.entry[6:7] != placed[2:5] + placed[6:7]:
                # Another name of the file brings its own idea of the metadata, and the last one has its way.
                target.change(first.group, placed)
                first = target.linkable(known_as) or first
            target.put(first.entry._replace(path=path), first.content, first.group)
        else:
            target.put(placed, content, (number, serial) if entry.kind == "file" else None)
