"""One store and several user namespaces: what one of them wrote is never read with the owners of another one."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from tests.build.build_busybox import AS_OTHERS, busybox_layout, busybox_tar

from kezuri.layer.decompression import decompress

SOURCES = str(Path(__file__).parents[2] / "src")

pytestmark = AS_OTHERS

DOCKERFILE = """
FROM base AS a
RUN mkdir -p /d/sub && touch /d/a /d/sub/b && chown 33:33 /d/a && chown -R 50:60 /d/sub
RUN rm -rf /d/sub && mkdir /d/sub && touch /d/sub/new && chown 33:33 /d/sub/new
RUN --mount=type=cache,target=/c touch /c/kept && chown 33:33 /c/kept && stat -c '%u %n' /c/* > /d/cached
FROM base
ARG GO=0
RUN test $GO = 1
COPY --from=a /d /d
RUN stat -c '%u:%g %n' $(find /d | sort) > /seen
"""
SEEN = "0:0 /d\n33:33 /d/a\n0:0 /d/cached\n0:0 /d/sub\n33:33 /d/sub/new\n"
ENTER = """
import ctypes, os, sys
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):
        os._exit(99)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    os.execvp(sys.argv[2], sys.argv[2:])
os.read(ready[0], 1)
for name in ("uid_map", "gid_map"):
    with open(f"/proc/{child}/{name}", "w") as file:
        file.write(sys.argv[1])
os.write(go[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
"""Runs a command as root of a user namespace of the given map."""


class Place:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        context = directory / "context"
        context.mkdir()
        (context / "Dockerfile").write_text(DOCKERFILE)
        busybox_layout(directory / "base", busybox_tar())
        # Sources that others can read, wherever those of the checkout are.
        shutil.copytree(SOURCES, directory / "src", ignore=shutil.ignore_patterns("__pycache__"))
        for path in (directory, *directory.parents):
            if path.stat().st_uid == 0 and path != Path("/tmp"):
                path.chmod(path.stat().st_mode | 0o055)

    def run(self, ids: str, *words: str) -> subprocess.CompletedProcess[str]:
        """kezuri as root in a user namespace with the map, as the machine's root without one."""
        enter = [sys.executable, "-c", ENTER, ids] if ids else []
        return subprocess.run(
            [*enter, sys.executable, "-m", "kezuri", "--root", str(self.directory / "store"), *words],
            env={**os.environ, "PYTHONPATH": str(self.directory / "src"), "HOME": str(self.directory)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def build(self, ids: str, output: str, *more: str) -> str:
        words = (f"--build-context=base=oci-layout://{self.directory / 'base'}", "-o", output, *more)
        done = self.run(ids, "build", "--progress=plain", *words, str(self.directory / "context"))
        assert done.returncode == 0, done.stdout
        return done.stdout


def entries(archive: Path) -> dict[str, tuple[int, int, bytes]]:
    """The entries of all layers but the base's."""
    found = {}
    with tarfile.open(archive) as tar:

        def read(name: str) -> bytes:
            file = tar.extractfile(name)
            assert file is not None
            return file.read()

        index = json.loads(read("index.json"))
        manifest = json.loads(read(f"blobs/sha256/{index['manifests'][0]['digest'][7:]}"))
        for layer in manifest["layers"][1:]:
            data = decompress(BytesIO(read(f"blobs/sha256/{layer['digest'][7:]}")), "layer").read()
            with tarfile.open(fileobj=BytesIO(data)) as inner:
                for member in inner:
                    file = inner.extractfile(member) if member.isfile() else None
                    found[member.name.rstrip("/")] = (member.uid, member.gid, file.read() if file else b"")
    return found


@pytest.mark.parametrize(
    ("first", "second", "owner"),
    [
        ("", "0 0 4294967294", 0),
        ("0 0 4294967294", "", 0),
        ("0 70000 1\n1 200000 65535", "0 70000 1\n1 400000 65535", 70_000),
    ],
    ids=["root and then a namespace", "a namespace and then root", "two ranges"],
)
def test_directories_of_another_map_are_made_anew(tmp_path: Path, first: str, second: str, owner: int) -> None:
    place = Place(tmp_path)
    store = tmp_path / "store"
    store.mkdir()
    for path in (store, tmp_path / "base"):
        os.chown(path, owner, owner)
    out = tmp_path / "out"
    out.mkdir()
    os.chown(out, owner, owner)
    place.build(first, f"type=local,dest={out / 'files'}", "--target=a")
    for ids in (second, first, second):
        place.build(ids, f"type=oci,dest={out / 'image.tar'}", "--build-arg=GO=1")
        found = entries(out / "image.tar")
        assert found["seen"][2].decode() == SEEN
        assert found["d/a"][:2] == found["d/sub/new"][:2] == (33, 33) and "d/sub/b" not in found
        assert found["d/cached"][2] == b"33 /c/kept\n"
    # Both find what they made, however often they take turns.
    assert "CACHED" in place.build(first, f"type=oci,dest={out / 'image.tar'}", "--build-arg=GO=1")
    assert entries(out / "image.tar") == found
    assert place.run(first, "store", "check").returncode == 0


def test_a_store_of_another_user_is_refused_with_his_name_before_anything_is_written(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "store").mkdir()
    os.chown(tmp_path / "store", 70_000, 70_000)
    ids = "0 70000 65536"
    os.chown(tmp_path / "base", 70_000, 70_000)
    assert place.run(ids, "images").returncode == 0
    before = sorted(os.walk(tmp_path / "store"))
    done = place.run("", "images")
    assert done.returncode == 125 and "belongs to user 70000, and this is root (user 0)" in done.stdout
    done = place.run("0 80000 65536", "images")
    assert done.returncode == 125, done.stdout
    assert sorted(os.walk(tmp_path / "store")) == before
