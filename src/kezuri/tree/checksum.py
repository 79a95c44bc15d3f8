"""What a selection is, as one digest and as a record of each path, so that a change can be found and named."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.tree.content import InTar
from kezuri.tree.selection import Root, Selected, Selection
from kezuri.tree.stat_index import StatIndex, hash_file

_TYPES = {"file": "0", "hardlink": "0", "symlink": "2", "char": "3", "block": "4", "dir": "5", "fifo": "6"}
_SHORT = {"file": "f", "symlink": "l", "char": "c", "block": "b", "dir": "d", "fifo": "p"}


class Record(NamedTuple):
    """What counts of one path: the digest of its bytes, mode, owner and kind; of a link its target; a digest of the
    extended attributes and device numbers, empty when there are none."""

    digest: str
    mode: int
    uid: int
    gid: int
    kind: str
    link: str = ""
    attributes: str = ""


def digest(selection: Selection, index: StatIndex) -> str:
    """The content digest of a selection, `sha256:` and 64 hex digits.

    What counts: the order of the roots, the name of each file root (it may become part of the image), below each
    directory the relative paths, and of every file, directory, link and device the header fields of BuildKit's file
    checksum (mode, uid, gid, size, type, link target, device numbers, extended attributes) and the bytes; which files
    of a root are one file under several names; which directories were not asked for. What does not: times, where in
    the tree a root lies, and the metadata of a root directory, of which COPY takes none.
    """
    return fingerprint(selection, index)[0]


def records(selection: Selection, index: StatIndex) -> Mapping[str, Record]:
    """What counts of each path, by its path in the tree."""
    return fingerprint(selection, index)[1]


def fingerprint(selection: Selection, index: StatIndex, *, whole: bool = False) -> tuple[str, dict[str, Record]]:
    """Both the digest and the records, at the price of one. `whole`: the metadata of root directories counts too."""
    all_lines = hashlib.sha256()
    in_tars: Mapping[InTar, bytes] = {}
    result: dict[str, Record] = {}
    for root in selection:
        lines = [_head(root)]
        names: dict[object, str] = {}
        for path, item in _parts(root, whole):
            entry = item.entry
            kind = entry.kind
            link = ""
            if kind == "file":
                if isinstance(item.content, InTar) and not in_tars:
                    from kezuri.tree.extraction import digests_in_tars

                    in_tars = digests_in_tars(selection)  # of all its files, with one pass over each tar
                data = _data(item, index, in_tars).hex()
            elif kind == "symlink":
                link = entry.link
                data = hashlib.sha256(link.encode("utf-8", "surrogateescape")).hexdigest()
            else:
                data = ""
            header = (
                f"{path}\0namemode{entry.mode}uid{entry.uid}gid{entry.gid}size{entry.size}typeflag{_TYPES[kind]}"
                f"linkname{link}unamegnamedevmajor{entry.device[0]}devminor{entry.device[1]}"
            )
            if entry.xattrs:
                whole_data = _with_attributes(entry, data)
                attributes = _with_attributes(entry, "")
            else:
                whole_data = data
                attributes = f"{entry.device[0]}:{entry.device[1]}" if kind in ("char", "block") else ""
            lines.append(f"{len(header)} {header}{whole_data}\n")
            if item.implied:
                lines.append("implied\n")
            if item.identity is not None and (first := names.setdefault(item.identity, path)) != path:
                # Copied, they stay one file: writing to one of them is writing to all.
                lines.append(f"same as {len(first)} {first}\n")
                attributes = hashlib.sha256(f"{attributes}{first}".encode("utf-8", "surrogateescape")).hexdigest()
            result[entry.path or path or "."] = Record(data, entry.mode, entry.uid, entry.gid, kind, link, attributes)
        all_lines.update("".join(lines).encode("utf-8", "surrogateescape"))
    return "sha256:" + all_lines.hexdigest(), result


def text(recorded: Mapping[str, Record]) -> str:
    """The records as compact text for `kezuri.explain.changes`, a line for each path, sorted: kind and mode, owner,
    what is in it (shortened digest, or a link's target; `+` and a digest of its attributes), path."""
    lines = []
    for path in sorted(recorded):
        data, mode, uid, gid, kind, link, attributes = recorded[path]
        content = escaped(link) if kind == "symlink" else data[:16]
        if attributes:
            content += f"+{attributes[:16]}"
        lines.append(f"{_SHORT.get(kind, '?')}{mode:o} {uid}:{gid} {content} {escaped_name(path)}\n")
    return "".join(lines)


def escaped(target: str) -> str:
    """A link's target as one word without `+`."""
    return target.replace("%", "%25").replace(" ", "%20").replace("+", "%2B").replace("\n", "%0A")


def escaped_name(path: str) -> str:
    """A path as the rest of one line."""
    return path.replace("\\", "\\\\").replace("\n", "\\n")


def verify_unchanged(selection: Selection) -> None:
    """Make sure that the files still are what they were when they were selected; to be called after their bytes have
    been packed, so that a key never stands for other bytes. KezuriError that names the first one that is not."""
    import os

    for root in selection:
        for _, item in _parts(root):
            if item.stamp is None or not isinstance(item.content, str):
                continue
            try:
                status = os.lstat(item.content)
                now = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            except OSError:
                now = None
            if now != item.stamp:
                raise KezuriError.of(
                    f'"{item.content}" changed during the build',
                    hint="Build again when it is left alone, or leave it out with .dockerignore.",
                )


def _head(root: Root) -> str:
    return "directory\n" if root.directory else "file\n"


def _parts(root: Root, whole: bool = False) -> Iterator[tuple[str, Selected]]:
    if not root.directory:
        yield root.name, root.top
    elif whole:
        yield "", root.top
    for item in root.items:
        yield item.path, item


def _data(item: Selected, index: StatIndex, in_tars: Mapping[InTar, bytes]) -> bytes:
    content = item.content
    if isinstance(content, InTar):
        return in_tars[content]
    if isinstance(content, str):
        if item.stamp is None:
            return hash_file(content, None)
        return index.sha256(content, item.stamp)
    return hashlib.sha256(content or b"").digest()


def _with_attributes(entry: Entry, data: str) -> str:
    sha = hashlib.sha256(data.encode())
    for name, value in entry.xattrs:
        key = name.encode("utf-8", "surrogateescape")
        sha.update(b"%d %d " % (len(key), len(value)) + key + value)
    return sha.hexdigest()
