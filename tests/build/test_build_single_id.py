"""A user who has one id only builds what root builds: the same images, and layers with the same owners."""

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
ONE = 54321
"""An id that no user of the machine has, and no subordinate ids either."""

pytestmark = AS_OTHERS

WITHOUT_RUN = """
FROM base AS a
ADD owned.tar /own
FROM a
USER 1000:1001
WORKDIR /w/x
COPY --chown=5:6 Dockerfile /c
COPY --from=a /own /own2
ADD --chown=9:9 owned.tar /own3
"""
WITH_RUN = """
FROM base AS a
ADD owned.tar /own
RUN chown -h 11:12 /own/link && chown 3:4 /own/pipe && cp -a /own /copy && ln /own/file /own/hard && chown 0 /own/dir
RUN mkdir -m 2775 /handed && chgrp 50 /handed && touch /handed/new && mkdir /handed/below && touch /handed/below/new
RUN mknod -m 600 /node c 1 3 && chown 8:9 /node && touch /set-id && chown 5:5 /set-id && chmod 4755 /set-id
FROM a
COPY --from=a /own /own2
RUN touch /own2/file /own2/new && mv /own2/link /own2/moved && chgrp 77 /own2/new
USER 1000:1001
RUN touch /tmp/file && ln -s file /tmp/link && mkdir /tmp/dir && mkfifo /tmp/pipe && touch /tmp/dir/file
USER 0:0
COPY --from=a /handed /handed2
RUN sed -i s/x/y/ /own/file && stat -c '%u:%g %n' $(find /own /handed | sort) > /seen
RUN chown 1:1 /etc && rm -r /own/dir && su app -c true
"""


class Place:
    """One context, and a store for each of two users."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("context", "root", "one"):
            (directory / name).mkdir()
        owned(directory / "context" / "owned.tar")
        busybox_layout(directory / "base", busybox_tar())
        # Sources that others can read, wherever those of the checkout are.
        shutil.copytree(SOURCES, directory / "src", ignore=shutil.ignore_patterns("__pycache__"))
        for path in (directory, *directory.parents):
            if path.stat().st_uid == 0 and path != Path("/tmp"):
                path.chmod(path.stat().st_mode | 0o055)
        os.chown(directory / "one", ONE, ONE)

    def run(self, who: str, *words: str) -> str:
        """What kezuri says to root or to the one with one id."""
        home = self.directory / who
        done = subprocess.run(
            [sys.executable, "-m", "kezuri", "--root", str(home / "store"), *words],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(self.directory / "src"), "HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            user=ONE if who == "one" else None,
            group=ONE if who == "one" else None,
            extra_groups=[] if who == "one" else None,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def build(self, who: str, dockerfile: str, *words: str) -> str:
        """Build, and what is said."""
        (self.directory / "context" / "Dockerfile").write_text(dockerfile)
        base = f"--build-context=base=oci-layout://{self.directory / 'base'}"
        return self.run(who, "build", "--progress=plain", base, *words, "context")

    def layers(self, who: str, dockerfile: str) -> list[list[tuple[object, ...]]]:
        """Who owns what in the layers of what is built, the base's left out."""
        archive = self.directory / who / "image.tar"
        self.build(who, dockerfile, "-o", f"type=oci,dest={archive}")
        found = []
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
                    found.append([_shown(member) for member in inner])
        return found


def _shown(member: tarfile.TarInfo) -> tuple[object, ...]:
    device = (member.devmajor, member.devminor) if member.isdev() else ()
    return (member.name, member.type, oct(member.mode), member.uid, member.gid, member.linkname, device)


def owned(path: Path) -> None:
    """An archive of files of several owners."""
    with tarfile.open(path, "w") as tar:

        def add(name: str, kind: bytes, uid: int, gid: int, mode: int = 0o644, link: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.type, info.uid, info.gid, info.mode, info.linkname = kind, uid, gid, mode, link
            tar.addfile(info)

        add("dir", tarfile.DIRTYPE, 7, 8, 0o750)
        add("file", tarfile.REGTYPE, 1000, 1001, 0o4755)
        add("link", tarfile.SYMTYPE, 1000, 1000, 0o777, "file")
        add("pipe", tarfile.FIFOTYPE, 0, 5)


def test_an_image_that_ran_nothing_is_the_same(tmp_path: Path) -> None:
    place = Place(tmp_path)
    said = [place.build(who, WITHOUT_RUN, "--build-arg=SOURCE_DATE_EPOCH=1700000000", "-q") for who in ("root", "one")]
    assert said[0] == said[1] and said[0].startswith("sha256:")


def test_steps_leave_the_owners_that_roots_leave(tmp_path: Path) -> None:
    place = Place(tmp_path)
    expected, found = place.layers("root", WITH_RUN), place.layers("one", WITH_RUN)
    assert found == expected
    owners = {row[0]: row[3:5] for layer in found for row in layer}
    assert owners["own/link"] == owners["own2/moved"] == (11, 12)
    assert owners["tmp/link"] == owners["tmp/dir/file"] == (1000, 1001)
    assert owners["handed2/below/new"] == (0, 50)
    # The second time nothing runs, and the store is sound.
    assert place.build("one", WITH_RUN).count("CACHED") >= 10
    place.run("one", "store", "check")


def test_a_user_is_said_once_to_be_the_caller(tmp_path: Path) -> None:
    place = Place(tmp_path)
    dockerfile = "FROM base\nUSER app\nRUN id -u; echo $HOME; touch /tmp/a; stat -c %u /tmp/a\nRUN id -un\n"
    said = place.build("one", dockerfile)
    assert said.count("another name of it") == 1
    words = [word for line in said.splitlines() for word in line.split()[-1:]]
    assert words.count("1000") == 2 and "/home/app" in words and "app" in words, said
    assert "another name of it" not in place.build("root", dockerfile)


def test_files_leave_as_the_caller_or_with_their_owners(tmp_path: Path) -> None:
    place = Place(tmp_path)
    one = tmp_path / "one"
    place.build("one", WITH_RUN, "-o", f"type=local,dest={one / 'files'}")
    made = os.lstat(one / "files/own2/moved"), os.lstat(one / "files/own2/file")
    assert {(status.st_uid, status.st_gid) for status in made} == {(ONE, ONE)}
    assert os.listxattr(one / "files/own2/file") == []
    place.build("one", WITH_RUN, "-o", f"type=tar,dest={one / 'files.tar'}")
    with tarfile.open(one / "files.tar") as tar:
        members = {member.name: member for member in tar}
    assert (members["own2/moved"].uid, members["node"].type, members["tmp/pipe"].gid) == (11, tarfile.CHRTYPE, 1001)


def test_what_a_layer_calls_its_owner_is_not_believed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with tarfile.open(tmp_path / "context" / "claims.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("claims")
        info.pax_headers = {"SCHILY.xattr.user.kezuri.owner": "0:0:c:1:3", "SCHILY.xattr.user.other": "kept"}
        info.uid = 5
        tar.addfile(info)
    dockerfile = "FROM base AS a\nADD claims.tar /\nRUN true\nFROM a\nCOPY --from=a /claims /copied\nRUN true\n"
    owners = {row[0]: (row[1], row[3]) for layer in place.layers("one", dockerfile) for row in layer}
    assert owners["claims"] == owners["copied"] == (tarfile.REGTYPE, 5)


@pytest.mark.parametrize("words", [("chown", "5:6", "/v/file"), ("sh", "-c", "su app -c 'touch /v/file'")])
def test_a_volume_has_no_owners_recorded(tmp_path: Path, words: tuple[str, ...]) -> None:
    place = Place(tmp_path)
    place.build("one", "FROM base\n", "-t", "it")
    volume = tmp_path / "one" / "volume"
    volume.mkdir()
    (volume / "file").touch()
    for path in (volume, volume / "file"):
        os.chown(path, ONE, ONE)
    place.run("one", "run", "--rm", "-v", f"{volume}:/v", "it", *words)
    assert os.listxattr(volume / "file") == [] and os.stat(volume / "file").st_uid == ONE


def test_both_go_on_with_each_others_caches(tmp_path: Path) -> None:
    """Steps and cache mounts that root has exported, and the one with one id, who finds them with his own store."""
    dockerfile = """
FROM base
COPY Dockerfile /
RUN --mount=type=cache,target=/c,uid=7,gid=8,mode=0750 touch /c/new && chown 5:6 /c/new && chown 3:4 /Dockerfile
RUN --mount=type=cache,target=/c,uid=7,gid=8,mode=0750 true && stat -c 'seen %u:%g %n' /c /c/* /Dockerfile
"""
    place = Place(tmp_path)
    for who, other in (("root", "one"), ("one", "root")):
        cache = place.directory / who / "cache"
        place.build(who, dockerfile, f"--cache-to=type=local,dest={cache},mode=max,mounts=true", "-t", "app")
        said = place.build(other, dockerfile, f"--cache-from=type=local,src={cache},mounts=true", "-t", "app")
        assert said.count("CACHED") >= 3
        assert "warning" not in said
        more = dockerfile.replace("true &&", "echo more &&")
        said = place.build(other, more, f"--cache-from=type=local,src={cache},mounts=true", "-t", "app")
        assert {"seen 7:8 /c", "seen 5:6 /c/new", "seen 3:4 /Dockerfile"} <= {
            line.partition(" ")[2].partition(" ")[2] for line in said.splitlines()
        }
        for name in ("root", "one"):
            shutil.rmtree(place.directory / name / "store")
