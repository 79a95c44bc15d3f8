"""Files leave images: docker's rules of `cp`, hostile layers, and layouts, the store and registries as sources."""

import gzip
import io
import os
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.app.test_app_interrupted import PIECE, Halting, start
from tests.images.test_images_layout import NAME, write_layout
from tests.layer.layer_trees import tar_of
from tests.registry.registry_faults import FaultyRegistry, flip, make_image
from tests.registry.registry_servers import RegistryServer, needs_registry, needs_skopeo

from kezuri.app.copying_out import Copy, copy, export, listing
from kezuri.app.image_files import ImagePath
from kezuri.app.layer_sources import Traffic
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.app.transfers import Places
from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item
from kezuri.transfer.copying import Wish
from kezuri.transfer.copying import copy as transfer
from kezuri.transfer.places import read_place

pytestmark = pytest.mark.slow
"""Whole commands, or many made-up images: together they take longer than the quick tests may."""

ROOT = os.geteuid() == 0
TIME = 1_700_000_000 * 1_000_000_000


def file(path: str, content: bytes = b"x", mode: int = 0o644, uid: int = 0, gid: int = 0) -> Item:
    return Entry(path, "file", mode, uid, gid, len(content), TIME), content


def directory(path: str, mode: int = 0o755) -> Item:
    return Entry(path, "dir", mode, mtime=TIME), None


def link(path: str, target: str, kind: str = "symlink") -> Item:
    return Entry(path, kind, 0o777, link=target, mtime=TIME), None  # type: ignore[arg-type]


BASE = tar_of(
    [
        directory("etc"),
        file("etc/passwd", b"root:x:0:0\n"),
        file("etc/old", b"old"),
        directory("usr"),
        directory("usr/bin", 0o711),
        file("usr/bin/tool", b"#!tool" * 1000, 0o4755),
        link("usr/bin/again", "usr/bin/tool", "hardlink"),
        link("bin", "usr/bin"),
        (Entry("usr/null", "char", 0o666, device=(1, 3)), None),
        (Entry("usr/pipe", "fifo", 0o600, mtime=TIME), None),
    ]
)
TOP = tar_of(
    [
        directory("app"),
        file("app/config", b"config"),
        link("app/link", "../etc/passwd"),
        link("app/dir", "/usr"),
        link("app/out", "/../../../../../../../../etc/hostname"),
        (Entry("etc/old", "whiteout", 0), None),
    ]
)
IMAGE = make_image(gzip.compress(BASE), gzip.compress(TOP))


class Place:
    """A layout with the image, a store, and a directory to copy into."""

    def __init__(self, base: Path) -> None:
        self.layout = write_layout(str(base / "layout"), (IMAGE, {}))
        self.settings = Settings(str(base / "store"))
        self.out = str(base / "out")
        os.mkdir(self.out)
        self.warned: list[str] = []

    def copy(self, path: str, dest: str, **more: bool) -> str:
        """Copy to a path below `out`; the path."""
        target = os.path.join(self.out, dest) if dest else self.out
        copy(self.settings, Copy(ImagePath(f"oci:{self.layout}", path), target, **more), Traffic(), self.warned.append)  # type: ignore[arg-type]
        return target


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def content(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("text", "image", "path"),
    [
        ("app:/etc", "app", "/etc"),
        ("localhost:5000/app:1:/etc/a:b", "localhost:5000/app:1", "/etc/a:b"),
        ("docker://host:5000/app:/x", "docker://host:5000/app", "/x"),
        ("oci:/dir/layout:tag:/x", "oci:/dir/layout:tag", "/x"),
        ("oci:/dir/layout", "oci:/dir/layout", ""),
        ("oci-layout:///dir:/x", "oci-layout:///dir", "/x"),
        ("app@sha256:00:/", "app@sha256:00", "/"),
        ("app:etc", "app:etc", ""),
        ("store:app:/etc", "store:app", "/etc"),
        ("docker-archive:/tmp/a.tar:/etc", "docker-archive:/tmp/a.tar", "/etc"),
    ],
)
def test_operands(text: str, image: str, path: str) -> None:
    assert ImagePath.parse(text)[:2] == (image, path)


def test_a_file(place: Place) -> None:
    made = place.copy("/etc/passwd", "new")
    assert content(made) == b"root:x:0:0\n"
    assert os.stat(made).st_mtime_ns == TIME and os.stat(made).st_mode & 0o7777 == 0o644
    assert content(os.path.join(place.copy("/app/config", ""), "config")) == b"config"
    assert content(place.copy("/app/config", "new")) == b"config"
    assert sorted(os.listdir(place.out)) == ["config", "new"]


def test_a_directory(place: Place) -> None:
    place.copy("/usr", "new")
    assert sorted(os.listdir(place.out + "/new")) == ["bin", "pipe"]
    assert os.stat(place.out + "/new/bin").st_mode & 0o7777 == 0o711
    assert os.stat(place.out + "/new").st_mtime_ns == TIME
    assert os.path.samefile(place.out + "/new/bin/tool", place.out + "/new/bin/again")
    assert any("device" in text and "null" in text for text in place.warned)
    place.copy("/usr", "")
    assert content(place.out + "/usr/bin/tool") == b"#!tool" * 1000
    place.copy("/etc/.", "new")
    assert sorted(os.listdir(place.out + "/new")) == ["bin", "passwd", "pipe"]
    place.copy("/usr/bin/.", "fresh")
    assert sorted(os.listdir(place.out + "/fresh")) == ["again", "tool"]


def test_links(place: Place) -> None:
    assert os.readlink(place.copy("/app/link", "as")) == "../etc/passwd"
    assert content(place.copy("/app/link", "followed", follow=True)) == b"root:x:0:0\n"
    assert os.readlink(place.copy("/bin", "link")) == "usr/bin"
    assert sorted(os.listdir(place.copy("/bin/", "directory"))) == ["again", "tool"]
    assert content(place.copy("/app/dir/bin/tool", "through")) == b"#!tool" * 1000
    # A link that is replaced is not followed: the file that it led to stays as it was.
    place.copy("/app/config", "kept")
    os.unlink(place.out + "/as")
    os.symlink("kept", place.out + "/as")
    place.copy("/app/link", "as")
    assert os.readlink(place.out + "/as") == "../etc/passwd" and content(place.out + "/kept") == b"config"


def test_a_link_takes_no_device_s_place(place: Place) -> None:
    """`cp IMAGE:/LINK /dev/null` as root. A socket stands for a device, which not everybody can make."""
    at = place.out + "/socket"
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(at)
    for path in ("/app/link", "/usr/pipe"):
        with pytest.raises(KezuriError, match="is a device or a socket"):
            place.copy(path, "socket")
        assert stat.S_ISSOCK(os.lstat(at).st_mode)
    assert os.listdir(place.out) == ["socket"]


def test_no_link_leads_out_of_the_image(place: Place) -> None:
    with pytest.raises(KezuriError, match="has no /app/out") as caught:
        place.copy("/app/out", "new", follow=True)
    assert caught.value.diagnostics[0].hint == "it leads to /etc/hostname, which is not there"
    with pytest.raises(KezuriError, match="has no /etc/hostname"):
        place.copy("/../../../../../../../../../../etc/hostname", "new")
    assert os.listdir(place.out) == []


@pytest.mark.parametrize(
    ("path", "dest", "told"),
    [
        ("/etc/old", "new", "has no /etc/old"),
        ("/etc/passwd", "none/new", "no directory"),
        ("/etc/passwd", "new/", "there is no directory"),
        ("/etc/passwd/", "new", "not a directory"),
        ("/etc/passwd/.", "new", "not a directory"),
        ("/usr", "file", "which is a file"),
        ("/usr/null", "new", "is a device"),
        ("/usr", "none/new", "no directory"),
        ("/etc/pass\0wd", "new", "is no path"),
    ],
)
def test_refused(place: Place, path: str, dest: str, told: str) -> None:
    with open(place.out + "/file", "w") as stream:
        stream.write("mine")
    with pytest.raises(KezuriError, match=told):
        place.copy(path, dest)
    assert os.listdir(place.out) == ["file"] and content(place.out + "/file") == b"mine"


def test_set_id_modes_stay_only_with_the_owner(place: Place) -> None:
    made = place.copy("/usr/bin/tool", "tool")
    assert bool(os.stat(made).st_mode & 0o4000) == ROOT
    if not ROOT:
        with pytest.raises(KezuriError, match="only root"):
            place.copy("/usr/bin/tool", "tool", owners=True)


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_owners(place: Place, tmp_path: Path) -> None:
    image = make_image(tar_of([directory("d"), file("d/f", b"f", 0o6755, uid=1234, gid=77), directory("d/e")]))
    layout = write_layout(str(tmp_path / "other"), (image, {}))
    for path, made in (("/d", "d/f"), ("/d/f", "f")):
        for owners in (False, True):
            source = ImagePath(f"oci:{layout}", path)
            target = place.out + "/" + path.rpartition("/")[2]
            copy(place.settings, Copy(source, os.path.dirname(target), owners=owners), Traffic(), lambda text: None)
            status = os.stat(os.path.join(place.out, made))
            assert (status.st_uid, status.st_gid) == ((1234, 77) if owners else (0, 0))
            assert status.st_mode & 0o7777 == (0o6755 if owners else 0o755)


def test_the_outside_stays_as_it_was(place: Place, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.mkdir()
    layers = (
        [directory("d"), link("d/way", str(canary)), file("d/a")],
        [directory("d"), file("d/b")],
    )
    image = make_image(*map(tar_of, layers))
    layout = write_layout(str(tmp_path / "hostile"), (image, {}))
    os.symlink(canary, place.out + "/sub")
    os.mkdir(place.out + "/d")
    os.symlink(canary / "file", place.out + "/d/a")
    copy(place.settings, Copy(ImagePath(f"oci:{layout}", "/d"), place.out), Traffic(), lambda text: None)
    assert content(place.out + "/d/a") == b"x" and not os.path.islink(place.out + "/d/a")
    assert os.listdir(canary) == []
    climbing = io.BytesIO()
    with tarfile.open(fileobj=climbing, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("d/../../../up"))
    layout = write_layout(str(tmp_path / "climbing"), (make_image(climbing.getvalue()), {}))
    with pytest.raises(KezuriError, match="leaves the root"):
        copy(place.settings, Copy(ImagePath(f"oci:{layout}", "/up"), place.out), Traffic(), lambda text: None)


def test_lists(place: Place) -> None:
    def paths(path: str, **more: bool) -> list[str]:
        return [
            one.path for one in listing(place.settings, ImagePath(f"oci:{place.layout}", path), "", Traffic(), **more)
        ]

    assert paths("") == ["app", "bin", "etc", "usr"]
    assert paths("/etc") == ["etc/passwd"]
    assert paths("/app/dir") == ["usr/bin", "usr/null", "usr/pipe"]
    assert paths("/app/dir", follow=False) == ["app/dir"]
    assert paths("/etc/passwd") == ["etc/passwd"]
    assert paths("/usr", recursive=True) == ["usr/bin", "usr/bin/again", "usr/bin/tool", "usr/null", "usr/pipe"]


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: member for member in tar}


def kezuri(place: Place, *argv: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "kezuri", "--root", place.settings.root, *argv]
    return subprocess.run(command, capture_output=True, check=False)


def test_exports(place: Place) -> None:
    dest = place.out + "/root.tar"
    export(place.settings, f"oci:{place.layout}", dest, "", Traffic())
    found = members(content(dest))
    assert set(found) == {"app", "app/config", "app/dir", "app/link", "app/out", "bin", "etc", "etc/passwd", "usr",
                          "usr/bin", "usr/bin/tool", "usr/bin/again", "usr/null", "usr/pipe"}  # fmt: skip
    assert found["usr/bin/tool"].islnk() and found["usr/bin/tool"].linkname == "usr/bin/again"
    assert found["usr/null"].ischr() and found["usr/bin/again"].mode == 0o4755
    # Directories stay together: else programs that unpack it could not give them their times.
    assert list(found) == sorted(found, key=lambda name: name.split("/"))
    first = content(dest)
    export(place.settings, f"oci:{place.layout}", dest, "", Traffic())
    assert content(dest) == first


def test_many_layers_in_any_order_become_one_tar(place: Place, tmp_path: Path) -> None:
    wanted = {f"d/{kind}-{number:02}": f"{number}{kind}".encode() * 40_000 for number in range(12) for kind in "abc"}
    layers = [
        [directory("d"), *(file(f"d/{kind}-{number:02}", wanted[f"d/{kind}-{number:02}"]) for kind in order)]
        for number, order in enumerate(["abc", "cba", "bca"] * 4)
    ]
    # A hard link to a file of a lower layer is a file of its own, with the same bytes in the same tar.
    layers.append([link("d/linked", "d/a-01", "hardlink")])
    layout = write_layout(str(tmp_path / "many"), (make_image(*map(tar_of, layers)), {}))
    dest = place.out + "/many.tar"
    export(place.settings, f"oci:{layout}", dest, "", Traffic())
    with tarfile.open(dest) as tar:
        names = tar.getnames()
        for name, data in {**wanted, "d/linked": wanted["d/a-01"]}.items():
            member = tar.extractfile(name)
            assert member is not None and member.read() == data
    assert names == sorted(["d", "d/linked", *wanted])
    assert os.listdir(place.settings.root + "/tmp") == []


@pytest.mark.slow
def test_the_commands(place: Place) -> None:
    image = f"oci:{place.layout}"
    assert kezuri(place, "cat", f"{image}:/etc/passwd", f"{image}:/app/config").stdout == b"root:x:0:0\nconfig"
    assert kezuri(place, "cat", "--verify", f"{image}:/bin/again").stdout == b"#!tool" * 1000
    told = kezuri(place, "cat", f"{image}:/etc")
    assert told.returncode == 1 and b"is a directory" in told.stderr and not told.stdout
    assert kezuri(place, "cat", image).returncode == 2
    assert kezuri(place, "cp", "file", f"{image}:/x").returncode == 2
    for path, names in (("/usr/bin", ["bin", "bin/again", "bin/tool"]), ("/usr/bin/.", [".", "again", "tool"])):
        assert sorted(members(kezuri(place, "cp", f"{image}:{path}", "-").stdout)) == names
    assert list(members(kezuri(place, "cp", f"{image}:/app/config", "-").stdout)) == ["config"]
    told = kezuri(place, "cp", f"{image}:/app/config", place.out)
    assert told.stderr.decode() == f"kezuri: copied {image}:/app/config to {place.out}\n"
    assert kezuri(place, "cp", "-q", f"{image}:/app/config", place.out).stderr == b""
    lines = kezuri(place, "ls", "-l", f"{image}:/usr").stdout.decode().splitlines()
    assert lines[0].startswith("drwx--x--x 0 0") and lines[0].endswith(" bin")
    assert lines[1].startswith("crw-rw-rw- 0 0 1, 3") and lines[2].startswith("prw-------")
    assert (
        b'"path":"/etc/passwd","type":"file","mode":"0644"'
        in kezuri(place, "ls", "--format", "json", f"{image}:/etc").stdout
    )
    assert len(members(kezuri(place, "export", image).stdout)) == 14
    for form in ("docker-archive", "oci-archive"):
        archive = f"{form}:{place.out}/{form}.tar"
        assert kezuri(place, "copy", image, f"{archive}:app:1").returncode == 0
        assert kezuri(place, "cat", f"{archive}:/app/config").stdout == b"config"
    assert kezuri(place, "copy", image, "store:kept").returncode == 0
    for name in ("kept", "store:kept"):
        assert kezuri(place, "cat", f"{name}:/etc/passwd").stdout == b"root:x:0:0\n"
        assert kezuri(place, "ls", f"{name}:/app").stdout == b"config\ndir\nlink\nout\n"
    told = kezuri(place, "cat", "store:other:/etc/passwd")
    assert told.returncode == 1 and b"no such image: other" in told.stderr
    assert os.listdir(place.settings.root + "/tmp") == []


@pytest.fixture
def registry() -> "object":
    with FaultyRegistry() as server:
        server.put(IMAGE, "latest")
        yield server


@pytest.mark.slow
def test_straight_from_a_registry(place: Place, registry: FaultyRegistry) -> None:
    settings = place.settings._replace(insecure=(registry.host,))
    base, top = IMAGE.layers
    asked: Callable[[], list[str]] = lambda: [seen.path.rpartition("/")[2] for seen in registry.asked("blobs/")]  # noqa: E731
    for path, layers in (("/app/config", (top,)), ("/etc/passwd", (top, base))):
        registry.log.clear()
        traffic = Traffic()
        image = ImagePath(f"{registry.host}/app", path)
        copy(settings, Copy(image, place.out + "/f"), traffic, place.warned.append)
        assert {digest for digest in asked() if digest in (base.digest, top.digest)} == {one.digest for one in layers}
        assert len(asked()) == len(layers) + 1  # and the config
        assert traffic.whole == base.size + top.size and 0 < traffic.came <= traffic.whole
        assert traffic.source == f"{registry.host}/app:latest" or traffic.source == f"{registry.host}/app"
    traffic = Traffic()
    copy(settings, Copy(ImagePath(f"{registry.host}/app", "/usr"), place.out), traffic, place.warned.append)
    assert content(place.out + "/usr/bin/again") == b"#!tool" * 1000
    for kept in ("blobs/sha256", "tmp", "partial"):
        assert os.listdir(os.path.join(settings.root, kept)) == []


def test_an_image_of_the_store_is_listed_for_directories_only(place: Place) -> None:
    settings = place.settings
    with Session(settings) as session, Places(session) as places:
        source = places.source(read_place(f"oci:{place.layout}"))
        with places.destination(read_place("store:app:1")) as store:
            transfer(source, store, Wish(), lambda descriptor, current, total: None)
    listings, base = os.path.join(settings.root, "listings"), IMAGE.layers[0].digest
    blob = os.path.join(settings.root, "blobs/sha256", base[7:])
    sound = content(blob)

    def take(path: str, name: str, **more: bool) -> bytes:
        copy(settings, Copy(ImagePath("app:1", path), place.out + "/" + name, **more), Traffic(), place.warned.append)  # type: ignore[arg-type]
        return content(os.path.join(place.out, name))

    assert take("/bin/again", "tool") == b"#!tool" * 1000
    assert os.listdir(listings) == []
    with open(blob, "wb") as stream:
        stream.write(sound[:-5] + b"\0" + sound[-4:])
    with pytest.raises(KezuriError, match="damaged"):
        take("/etc/passwd", "verified", verify=True)
    with open(blob, "wb") as stream:
        stream.write(sound)
    assert take("/etc/passwd", "verified", verify=True) == b"root:x:0:0\n"
    copy(settings, Copy(ImagePath("app:1", "/usr"), place.out), Traffic(), place.warned.append)
    assert len(os.listdir(listings)) == 2
    assert take("/bin/again", "again") == take("/usr/bin/tool", "tool") == b"#!tool" * 1000


@pytest.mark.slow
def test_a_layer_that_is_another_one(place: Place, registry: FaultyRegistry) -> None:
    settings = place.settings._replace(insecure=(registry.host,))
    base, _ = IMAGE.layers
    # The file is right, and only what follows it in the layer is not.
    plain = tar_of([file("first", b"first"), file("zlast", b"z" * 3_000_000)])
    image = make_image(plain)
    registry.put(image, "flipped")
    registry.documents[f"blobs/{image.layers[0].digest}"] = (
        "application/octet-stream",
        plain[:-3000] + b"!" + plain[-2999:],
    )
    source = ImagePath(f"{registry.host}/app:flipped", "/first")
    copy(settings, Copy(source, place.out + "/f"), Traffic(), place.warned.append)
    assert content(place.out + "/f") == b"first"
    with pytest.raises(KezuriError, match="is wrong: its digest"):
        copy(settings, Copy(source, place.out + "/verified", verify=True), Traffic(), place.warned.append)
    assert os.listdir(place.out) == ["f"]
    registry.on(f"GET .*{base.digest}", flip, times=-1)
    with pytest.raises(KezuriError):
        copy(settings, Copy(ImagePath(f"{registry.host}/app", "/usr"), place.out), Traffic(), place.warned.append)
    assert os.listdir(place.out) == ["f"]


@needs_registry
@needs_skopeo
@pytest.mark.slow
def test_docker_registry_is_not_asked_for_more_than_was_needed(place: Place, tmp_path: Path) -> None:
    """One line of a base image, below a layer of a program: what the registry sent, by its own account."""
    base = tar_of([file("etc/os-release", b"ID=base\n"), file("zlarge", os.urandom(40_000_000))])
    image = make_image(gzip.compress(base, 1), gzip.compress(tar_of([file("app", b"app")])))
    with RegistryServer(tmp_path) as server:
        server.fill(write_layout(str(tmp_path / "pushed"), (image, {NAME: "1"})))
        told = kezuri(place, "cat", f"{server.host}/team/app:1:/etc/os-release")
        assert told.stdout == b"ID=base\n", told
        assert b"of 40.01MB from" in told.stderr
        wanted = f"GET /v2/team/app/blobs/{image.layers[0].digest}"
        end = time.monotonic() + 10
        while not (lines := [line for line in server.log.read_text().splitlines() if f'"{wanted} ' in line]):
            assert time.monotonic() < end, "the request is in the log when its connection has ended"
            time.sleep(0.05)
    (line,) = lines
    sent = int(line.partition('HTTP/1.1" 200 ')[2].split()[0])
    # What the sockets had taken already when the connection was cut counts as sent.
    assert 0 < sent < 15_000_000, line


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/d/file", "/d"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_half_way_nothing_is_there(place: Place, registry: FaultyRegistry, path: str, number: int) -> None:
    image = make_image(tar_of([directory("d"), file("d/file", os.urandom(4 * PIECE)), file("d/other")]))
    registry.put(image, "half")
    halting = Halting()
    registry.on(image.layers[0].digest, halting, times=5)
    source, target = f"{registry.host}/app:half:{path}", os.path.join(place.out, "made")
    with start(Path(place.settings.root), "cp", source, target) as process:
        end = time.monotonic() + 20
        while not registry.asked(image.layers[0].digest):
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(number)
        assert process.wait(30) == (143 if number == signal.SIGTERM else 130)
    halting.go_on.set()
    assert os.listdir(place.out) == [] and os.listdir(place.settings.root + "/tmp") == []
