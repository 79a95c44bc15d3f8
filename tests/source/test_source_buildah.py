"""The same COPY lines through buildah, compared entry by entry, where it follows the same rules."""

import os
import shutil
import subprocess
import tarfile

import pytest
from tests.source.source_trees import DictView, bytes_of, make

from kezuri.dockerfile.chmod import parse_chmod
from kezuri.layer.entry import Entry
from kezuri.tree.archive import Archives
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.recipe import CopyOptions, recipe
from kezuri.tree.selection import select

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("buildah") is None or os.getuid() != 0, reason="needs buildah and root"),
]

Line = tuple[str, str, str]
"""Sources, destination, and the flag `--chown=…` or `--chmod=…`, if any."""

CASES: list[list[Line]] = [
    [("base", "/", ""), ("f", "/link/", ""), ("d", "/new/deep", ""), ("d", "/dir", "--chown=5:6")],
    [("base", "/", ""), ("f", "/link/g", ""), ("f g", "/many/", "")],
    [("d", "/a/b/c", "--chown=7"), ("f", "/a/x/y", "")],
    [("d", "/", "--chmod=751"), ("f", "/t", "--chmod=4755")],
    [("*", "/all/", "")],
    [("?", "/one/", ""), ("d/[x]", "/two", "")],
    [("d/..", "/up/", ""), ("/f", "/rooted", "")],
    [("to-d", "/followed", ""), ("to-f", "/followed/", "")],
    [("d", "/x", ""), ("d2", "/x", "")],
    [("base", "/", ""), ("d", "/link", "")],
]


@pytest.mark.parametrize("lines", CASES, ids=lambda lines: "; ".join(" ".join(line).strip() for line in lines))
def test_as_buildah_does(tmp_path: os.PathLike[str], lines: list[Line]) -> None:
    root = make(
        f"{tmp_path}/c",
        {
            "f": "f",
            "g": "gg",
            "d/x": "x",
            "d/sub/y": "y",
            "d/l": "-> x",
            "d2/sub/y": "other",
            "base/dir/k": "k",
            "base/link": "-> /dir",
            "to-d": "-> d",
            "to-f": "-> /d/../f",
        },
    )
    os.chmod(f"{root}/d/sub", 0o700)
    os.chmod(f"{root}/base/dir", 0o750)
    tree = DirectoryTree(root, owner=(0, 0))
    view = DictView()
    contents: dict[str, bytes] = {}
    for sources, destination, flag in lines:
        name, _, value = flag.partition("=")
        uid, _, gid = value.partition(":")
        options = CopyOptions(
            destination,
            chown=(int(uid), int(gid or uid)) if name == "--chown" else None,
            chmod=parse_chmod(value) if name == "--chmod" else None,
            unpack=Archives(f"{tmp_path}").extract if name == "ADD" else None,
        )
        for entry, content in recipe(select(tree, sources.split()), options, view):
            view.entries[entry.path] = entry
            if entry.kind == "file":
                contents[entry.path] = bytes_of(content)
    ours = {path: _shape(entry) for path, entry in view.entries.items()}
    theirs, their_contents = _buildah(f"{tmp_path}", root, lines)
    assert ours == theirs
    assert contents == their_contents


def _shape(entry: Entry) -> tuple[str, int, int, int, str]:
    return (entry.kind, entry.mode if entry.kind != "symlink" else 0, entry.uid, entry.gid, entry.link)


def _buildah(
    scratch: str, root: str, lines: list[Line]
) -> tuple[dict[str, tuple[str, int, int, int, str]], dict[str, bytes]]:
    text = "FROM scratch\n" + "".join(f"COPY {flag} {sources} {destination}\n" for sources, destination, flag in lines)
    with open(f"{scratch}/Dockerfile", "w") as file:
        file.write(text)
    store = ["--root", f"{scratch}/root", "--runroot", f"{scratch}/run", "--storage-driver", "vfs"]
    command = ["buildah", *store, "bud", "--isolation", "chroot", "-q", "-f", f"{scratch}/Dockerfile"]
    subprocess.run([*command, "--output", f"type=tar,dest={scratch}/out.tar", root], check=True, capture_output=True)
    entries: dict[str, tuple[str, int, int, int, str]] = {}
    contents: dict[str, bytes] = {}
    with tarfile.open(f"{scratch}/out.tar") as archive:
        for member in archive:
            path = member.name.strip("/")
            kind = "dir" if member.isdir() else "symlink" if member.issym() else "file"
            mode = 0 if kind == "symlink" else member.mode
            entries[path] = (kind, mode, member.uid, member.gid, member.linkname)
            data = archive.extractfile(member) if kind == "file" else None
            if data is not None:
                contents[path] = data.read()
    return entries, contents
