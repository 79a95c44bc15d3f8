"""Docker archives, read back: the merged tree of an image, its config and its history, in a form that compares."""

import hashlib
import io
import json
import tarfile
import time
from typing import Any, NamedTuple

PAX_XATTR = "SCHILY.xattr."
BEGINNING = time.time() - 3600
"""Modification times after this are those of the build itself, and say nothing."""


class Node(NamedTuple):
    """One entry of an image's tree."""

    kind: str
    mode: int
    uid: int
    gid: int
    mtime: int | None
    """None when the build made it, or when it is a directory above what was copied."""
    link: str
    content: str
    xattrs: tuple[tuple[str, str], ...]
    together: tuple[str, ...]
    """All names of a file with several."""


class Image(NamedTuple):
    """What an archive holds."""

    tree: dict[str, Node]
    config: dict[str, Any]
    history: list[tuple[str, bool]]
    """What each entry says, and whether it has no layer."""
    platform: tuple[str, str]


class _Made(NamedTuple):
    member: tarfile.TarInfo
    content: str
    inode: int


def read(path: str) -> Image:
    """The only image of a docker archive."""
    with tarfile.open(path) as archive:
        entry = json.load(_open(archive, "manifest.json"))[0]
        document = json.load(_open(archive, entry["Config"]))
        made: dict[str, _Made] = {}
        for layer in entry["Layers"] or ():
            with tarfile.open(fileobj=io.BytesIO(_open(archive, layer).read())) as content:
                _apply(made, content)
    history = [(h.get("created_by", ""), bool(h.get("empty_layer"))) for h in document.get("history") or []]
    return Image(_nodes(made), document.get("config") or {}, history, (document["os"], document["architecture"]))


def nodes_of(layer: tarfile.TarFile) -> dict[str, Node]:
    """The tree of an image that has only this layer."""
    made: dict[str, _Made] = {}
    _apply(made, layer)
    return _nodes(made)


def _open(archive: tarfile.TarFile, name: str) -> Any:
    member = archive.getmember(name)
    while member.issym():
        # docker shares equal layers by links relative to their own directory.
        parts = [*name.split("/")[:-1], *member.linkname.split("/")]
        kept: list[str] = []
        for part in parts:
            if part == "..":
                kept.pop()
            elif part not in ("", "."):
                kept.append(part)
        name = "/".join(kept)
        member = archive.getmember(name)
    return archive.extractfile(member)


def _apply(made: dict[str, _Made], layer: tarfile.TarFile) -> None:
    new: set[str] = set()
    for member in layer:
        path = member.name.strip("/").removeprefix("./").rstrip("/")
        if path in ("", "."):
            continue
        directory, _, name = path.rpartition("/")
        if name == ".wh..wh..opq":
            _remove_below(made, directory, new)
            continue
        if name.startswith(".wh."):
            hidden = f"{directory}/{name[4:]}".strip("/")
            made.pop(hidden, None)
            _remove_below(made, hidden, new)
            continue
        if path in made and not member.isdir():
            _remove_below(made, path, set())
        if member.islnk():
            target = made[member.linkname.strip("/").removeprefix("./")]
            made[path] = target
        else:
            data = layer.extractfile(member) if member.isfile() else None
            digest = _said(data.read()) if data is not None else ""
            made[path] = _Made(member, digest, id(member))
        new.add(path)


def _said(data: bytes) -> str:
    """The content itself where it is short, so that a difference can be read; else its digest."""
    return data.decode("utf-8", "backslashreplace") if len(data) < 4096 else hashlib.sha256(data).hexdigest()


def _remove_below(made: dict[str, _Made], directory: str, but: set[str]) -> None:
    prefix = f"{directory}/" if directory else ""
    for path in [p for p in made if p.startswith(prefix) and p not in but]:
        del made[path]


def _nodes(made: dict[str, _Made]) -> dict[str, Node]:
    names: dict[int, list[str]] = {}
    for path, one in made.items():
        names.setdefault(one.inode, []).append(path)
    nodes: dict[str, Node] = {}
    for path, (member, content, inode) in made.items():
        kind = {
            tarfile.DIRTYPE: "directory",
            tarfile.SYMTYPE: "symlink",
            tarfile.CHRTYPE: f"character {member.devmajor}:{member.devminor}",
            tarfile.BLKTYPE: f"block {member.devmajor}:{member.devminor}",
            tarfile.FIFOTYPE: "fifo",
        }.get(member.type, "file")
        mode = 0 if kind == "symlink" else member.mode & 0o7777
        together = tuple(sorted(names[inode])) if len(names[inode]) > 1 else ()
        xattrs = tuple(
            sorted((k.removeprefix(PAX_XATTR), v) for k, v in member.pax_headers.items() if k.startswith(PAX_XATTR))
        )
        mtime = int(member.mtime) if member.mtime < BEGINNING else None
        link = member.linkname if kind == "symlink" else ""
        nodes[path] = Node(kind, mode, member.uid, member.gid, mtime, link, content, xattrs, together)
    return nodes


def tree_differences(ours: dict[str, Node], theirs: dict[str, Node]) -> list[str]:
    """One line for each field of each entry that is not the same."""
    lines: list[str] = []
    for path in sorted(ours.keys() | theirs.keys()):
        if path not in ours or path not in theirs:
            lines.append(f"/{path}: {'only theirs' if path not in ours else 'only ours'}")
            continue
        a, b = ours[path], theirs[path]
        lines += [
            f"/{path} ({a.kind}) {field}: ours {_shown(field, x)}, theirs {_shown(field, y)}"
            for field, x, y in zip(Node._fields, a, b, strict=True)
            if x != y
        ]
    return lines


def _shown(field: str, value: object) -> str:
    return f"{value:o}" if field == "mode" else repr(value)


def config_differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """One line for each field of the config that is not the same; what is empty and what is absent are."""
    lines: list[str] = []
    for key in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(key) or None, theirs.get(key) or None
        if a != b:
            lines.append(f"config {key}: ours {a!r}, theirs {b!r}")
    return lines


def history_differences(ours: list[tuple[str, bool]], theirs: list[tuple[str, bool]]) -> list[str]:
    """One line for each entry that is not the same."""
    if len(ours) != len(theirs):
        return [f"history: ours has {len(ours)} entries, theirs {len(theirs)}: {ours} {theirs}"]
    return [f"history {i}: ours {a}, theirs {b}" for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
