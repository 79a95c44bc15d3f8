"""`cat`, `cp`, `ls` and `export`: files leave an image without the image."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple

from kezuri.app.image_files import ImageFiles, ImagePath, opened, require
from kezuri.app.layer_sources import Traffic
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.export.destination import STDOUT, destination
from kezuri.export.root import Exported, Terms, merged_items, write_directory
from kezuri.layer.entry import Entry
from kezuri.linux.disk import disk_error
from kezuri.tree.content import Bytes, Spool, pieces
from kezuri.tree.tree import Found, clean

Warn = Callable[[str], None]


class Copy(NamedTuple):
    """What `kezuri cp` is asked for. `follow`: a link at the end of the path is followed; `owners`: they stay as they
    are; `verify`: layers that were begun are read to their ends before anything is put in place."""

    source: ImagePath
    dest: str
    platform: str = ""
    follow: bool = False
    owners: bool = False
    verify: bool = False


def cat(settings: Settings, source: ImagePath, platform: str, traffic: Traffic, verify: bool = False) -> None:
    """Write one file of an image to standard output. KezuriError when there is none, or it cannot be read; with
    `verify` nothing is written before its layer was proved."""
    with opened(settings, source.image, platform, traffic) as files:
        found = require(files, source.path, source.image)
        if found.entry.kind != "file":
            what = "a directory" if found.entry.kind == "dir" else f"no file, but a {found.entry.kind}"
            hint = f"`kezuri ls {source.image}:/{found.entry.path}` lists it" if found.entry.kind == "dir" else ""
            raise KezuriError.of(f"/{found.entry.path} of {source.image} is {what}", hint=hint)
        content = _proved(files, found) if verify else found.content
        with destination(STDOUT, binary=False) as sink:
            _pour(content, found.entry, sink)


def export(settings: Settings, image: str, dest: str, platform: str, traffic: Traffic) -> None:
    """Write an image's whole root file system as a tar. KezuriError when it cannot be had whole."""
    from kezuri.export.root_tar import write_tar

    # Where the output cannot be written is known before a layer is fetched.
    with destination(dest) as sink, opened(settings, image, platform, traffic) as files:
        write_tar(merged_items(files.tree("", True)), sink, files.scratch)


def listing(
    settings: Settings, source: ImagePath, platform: str, traffic: Traffic, recursive: bool = False, follow: bool = True
) -> list[Entry]:
    """What a directory of an image has, in order, with full paths; `recursive`: with all below it. Of anything else the
    entry itself; a link at the end of the path is followed if `follow`."""
    with opened(settings, source.image, platform, traffic) as files:
        found = require(files, source.path or "/", source.image, follow or source.path.endswith("/"))
        if found.entry.kind != "dir":
            return [found.entry]
        path = found.entry.path
        tree = files.tree(path, False)
        if not recursive:
            return [one.entry for one in tree.scan(path)]
        prefix = f"{path}/" if path else ""
        return [_named(entry, prefix) for entry, _ in merged_items(tree, path)]


def _named(entry: Entry, prefix: str) -> Entry:
    link = prefix + entry.link if entry.kind == "hardlink" else entry.link
    return entry._replace(path=prefix + entry.path, link=link)


def copy(settings: Settings, wanted: Copy, traffic: Traffic, warn: Warn) -> None:
    """Copy a file or a directory out of an image by docker's rules: into DEST where that is a directory, else as DEST;
    of `PATH/.` what the directory holds; to `-` as a tar. `warn` hears what cannot leave. KezuriError when that does
    not go."""
    root = os.geteuid() == 0
    if wanted.owners and not root and wanted.dest != STDOUT:
        raise KezuriError.of(
            "only root can give files to other users", hint="leave out --archive, and they are yours", exit_code=2
        )
    path, image = wanted.source.path, wanted.source.image
    content_only = path.rstrip("/").endswith("/.") or path == "/."
    follow = wanted.follow or content_only or path.endswith("/")
    with opened(settings, image, wanted.platform, traffic) as files:
        found = require(files, path, image, follow)
        kind = found.entry.kind
        if kind != "dir" and (content_only or path.endswith("/")):
            raise KezuriError.of(f"/{found.entry.path} of {image} is not a directory")
        # As docker does, what is copied has the name that was asked for, not the one that links lead to.
        name = clean(path).rpartition("/")[2] or "."
        if wanted.dest == STDOUT:
            _as_tar(files, found, "." if content_only else name, wanted.verify)
        elif kind == "dir":
            place, base = _place_of_directory(wanted.dest, name, content_only)
            items = _items(files, found, base, wanted.verify)
            write_directory(items, place, warn, own_ids=root, owners=wanted.owners)
        else:
            _one(files, found, _place_of_file(wanted.dest, name), wanted, warn, root)


def _items(files: ImageFiles, found: Found, base: str, verify: bool) -> Iterator[Exported]:
    """A directory as `base` and all below it; without a name (`.`, or empty) what it holds."""
    top = found.entry.path
    tree = files.tree(top, True)
    if verify:
        files.prove()
    if base in ("", "."):
        if base:
            yield found.entry._replace(path=""), None
        yield from merged_items(tree, top)
        return
    shown = tree.stat(top)
    yield (found if shown is None else shown).entry._replace(path=base), None
    for entry, content in merged_items(tree, top):
        link = f"{base}/{entry.link}" if entry.kind == "hardlink" else entry.link
        yield entry._replace(path=f"{base}/{entry.path}", link=link), content


def _as_tar(files: ImageFiles, found: Found, base: str, verify: bool) -> None:
    from kezuri.export.root_tar import write_tar

    with destination(STDOUT) as sink:
        if found.entry.kind == "dir":
            write_tar(_items(files, found, base, verify), sink, files.scratch)
            return
        write_tar([(found.entry._replace(path=base), found.content)], sink, files.scratch)
        if verify:
            files.prove()


def _place_of_directory(dest: str, name: str, content_only: bool) -> tuple[str, str]:
    """Into which directory a directory is written, and as what; empty: only what it holds is."""
    if os.path.isdir(dest):
        return dest, "" if content_only or name == "." else name
    if os.path.lexists(dest):
        raise KezuriError.of(f"a directory cannot be copied to {dest}, which is a file", hint="name another place")
    parent, base = os.path.split(os.path.abspath(dest))
    _needs_directory(parent, dest)
    return parent, base


def _place_of_file(dest: str, name: str) -> str:
    if os.path.isdir(dest):
        return os.path.join(dest, name)
    if dest.endswith("/"):
        raise KezuriError.of(f"there is no directory {dest}", hint="make it first, or leave out the slash at its end")
    _needs_directory(os.path.dirname(os.path.abspath(dest)), dest)
    return dest


def _needs_directory(parent: str, dest: str) -> None:
    if not os.path.isdir(parent):
        raise KezuriError.of(f"{dest} cannot be made: there is no directory {parent}", hint="make it first")


def _one(files: ImageFiles, found: Found, target: str, wanted: Copy, warn: Warn, root: bool) -> None:
    """Write a file, a link or a pipe to a path: whole, or what was there stays."""
    terms = Terms((os.geteuid(), os.getegid()) if root else None, wanted.owners)
    entry = terms.of(found.entry)
    if entry is None:
        raise KezuriError.of(f"/{found.entry.path} of {wanted.source.image} is a device: devices are not copied")
    for what in terms.left_out:
        warn(f"{what} /{found.entry.path} is left out")
    if entry.kind == "symlink" or entry.kind == "fifo":
        _special(entry, target, wanted.owners)
        return
    with ExitStack() as held:
        sink = held.enter_context(destination(target, binary=False))
        content = _proved(files, found) if wanted.verify else found.content
        _pour(content, entry, sink)
    try:
        if stat.S_ISREG(os.stat(target).st_mode):
            _attributes(entry, target, wanted.owners)
    except OSError as error:
        raise disk_error(error, target) from error


def _attributes(entry: Entry, target: str, owners: bool) -> None:
    if owners:
        os.chown(target, entry.uid, entry.gid)
    os.chmod(target, entry.mode)
    for name, value in entry.xattrs:
        try:
            os.setxattr(target, name, value)
        except OSError:
            pass  # A file system that has no attributes still takes the file.
    os.utime(target, ns=(entry.mtime, entry.mtime))


def _replaceable(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISFIFO(mode)


def _special(entry: Entry, target: str, owners: bool) -> None:
    aside = os.path.join(os.path.dirname(os.path.abspath(target)), f".{os.urandom(8).hex()}.part")
    try:
        if os.path.isdir(target) and not os.path.islink(target):
            raise KezuriError.of(f"{target} is a directory, where the image has a {entry.kind}")
        if os.path.lexists(target) and not _replaceable(os.lstat(target).st_mode):
            raise KezuriError.of(f"{target} is a device or a socket, where the image has a {entry.kind}")
        if entry.kind == "symlink":
            os.symlink(entry.link, aside)
        else:
            os.mkfifo(aside, entry.mode & 0o777)
        if owners:
            os.chown(aside, entry.uid, entry.gid, follow_symlinks=False)
        os.utime(aside, ns=(entry.mtime, entry.mtime), follow_symlinks=False)
        os.rename(aside, target)
    except OSError as error:
        if os.path.lexists(aside):
            os.unlink(aside)
        raise disk_error(error, target) from error


def _proved(files: ImageFiles, found: Found) -> Bytes:
    """A file's bytes on hand, its layer read to the end."""
    from kezuri.tree.content import InTar

    content = found.content
    if isinstance(content, InTar):
        spool = Spool(files.scratch, "file")
        for _, size, data in content.tar.read([content.path]):
            content = spool.keep(data, size)
    files.prove()
    return content


def _pour(content: Bytes, entry: Entry, sink: BinaryIO) -> None:
    left = entry.size
    try:
        for piece in pieces(content):
            left -= len(piece)
            sink.write(piece)
    except OSError as error:
        raise KezuriError.of(f"cannot read /{entry.path}: {error.strerror}", exit_code=125) from error
    if left:
        raise KezuriError.of(f"/{entry.path} has {entry.size - left} bytes instead of {entry.size}", exit_code=125)
