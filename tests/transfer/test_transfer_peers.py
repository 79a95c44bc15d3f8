"""What kezuri copies and saves, skopeo, podman, umoci and docker read; what they write, kezuri reads; digests stay."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from benchmarks.dockerd import Dockerd, missing
from tests.registry.registry_servers import RegistryServer, needs_registry, needs_skopeo
from tests.transfer.transfer_images import docker_save, layout_of_several, layout_of_two, refer, several, tar_of

from kezuri.oci import digest_of

pytestmark = [pytest.mark.slow, needs_skopeo]
SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "src"))

Kezuri = Callable[..., str]


def run(*argv: str | Path, feed: bytes | None = None) -> str:
    """What a command prints; the test fails with what it said when it fails."""
    done = subprocess.run(argv, capture_output=True, input=feed)
    assert done.returncode == 0, f"{argv}: {done.stdout!r}{done.stderr.decode()}"
    return done.stdout.decode("utf-8", "replace")


def command(tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-m", "kezuri"], {
        **os.environ,
        "PYTHONPATH": SOURCE,
        "KEZURI_ROOT": str(tmp_path / "store"),
        "TMPDIR": str(tmp_path),
    }


@pytest.fixture
def kezuri(tmp_path: Path) -> Kezuri:
    def call(*words: str | Path, feed: bytes | None = None, code: int = 0) -> str:
        argv, environ = command(tmp_path)
        done = subprocess.run([*argv, *words], capture_output=True, input=feed, env=environ)
        assert done.returncode == code, f"{words}: {done.stdout!r}{done.stderr.decode()}"
        return (done.stdout if not code else done.stderr).decode("utf-8", "replace")

    return call


@pytest.fixture
def short() -> Iterator[str]:
    """A directory with a short path: sockets, and podman, want one."""
    with tempfile.TemporaryDirectory(prefix="kz") as directory:
        yield directory


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    directory = tmp_path / "registry"
    directory.mkdir()
    with RegistryServer(directory) as server:
        yield server.host


def raw(place: str) -> str:
    """The digest of the document at a place, as skopeo sees it."""
    shown = subprocess.run(["skopeo", "inspect", "--tls-verify=false", "--raw", place], capture_output=True, check=True)
    return "sha256:" + hashlib.sha256(shown.stdout).hexdigest()


@needs_registry
@pytest.mark.parametrize("name", ["two", "several"])
def test_a_round_keeps_every_digest(kezuri: Kezuri, registry: str, tmp_path: Path, name: str) -> None:
    where, outer = (layout_of_two if name == "two" else layout_of_several)(tmp_path / "from")
    digest = digest_of(outer)
    places = [
        f"oci:{where}:{name}",
        f"docker://{registry}/a/b:1",
        f"oci-archive:{tmp_path / 'x.tar'}",
        f"docker://{registry}/c:2",
        f"dir:{tmp_path / 'directory'}",
        "store:round:1",
        f"docker://{registry}/a/b:3",
        f"docker://{registry}/mounted:4",
        f"oci:{tmp_path / 'to'}:x",
    ]
    for one, other in pairwise(places):
        assert kezuri("copy", "-q", one, other).split() == [digest]
        if not other.startswith("store:"):
            assert raw(other) == digest
    blobs = [{b.name for b in (at / "blobs" / "sha256").iterdir()} for at in (tmp_path / "from", tmp_path / "to")]
    assert blobs[0] == blobs[1]
    # Every manifest, every config and every layer is read and held against its digest; nested indexes it cannot read.
    for i, place in enumerate(p for p in places if name == "two" and not p.startswith("store:")):
        run("skopeo", "copy", "-q", "--src-tls-verify=false", "--all", place, f"dir:{tmp_path / f'copied{i}'}")
    asked = (tmp_path / "registry" / "registry.log").read_text()
    assert "&from=a%2Fb" in asked or "&from=a/b" in asked, "what a repository of the registry has is mounted"
    assert not re.search(r'"(PUT|PATCH) /v2/mounted/blobs', asked)
    assert sorted(kezuri("tags", f"{registry}/a/b").split()) == ["1", "3"]
    assert kezuri("digest", f"docker://{registry}/a/b:1").split() == [digest]
    assert "ok" in kezuri("store", "check")


@needs_registry
def test_referrers_are_found_through_the_fallback_tag(kezuri: Kezuri, registry: str, tmp_path: Path) -> None:
    where = tmp_path / "from"
    layout_of_several(where)
    _, amd, _, _ = several()
    note = digest_of(refer(where, amd.manifest, "signed"))
    kezuri("copy", "-q", "--referrers", f"oci:{where}:amd", f"docker://{registry}/a:1")
    kezuri("copy", "-q", "--referrers", f"docker://{registry}/a:1", f"docker://{registry}/b:1")
    kezuri("copy", "-q", "--referrers", f"docker://{registry}/b:1", f"oci:{tmp_path / 'to'}:x")
    listed = json.loads((tmp_path / "to" / "index.json").read_bytes())["manifests"]
    assert {entry["digest"] for entry in listed} == {amd.digest, note}


@needs_registry
def test_what_skopeo_pushed(kezuri: Kezuri, registry: str, tmp_path: Path) -> None:
    where, outer = layout_of_two(tmp_path / "from")
    run("skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", f"oci:{where}:two", f"docker://{registry}/a:1")
    assert kezuri("copy", "-q", f"docker://{registry}/a:1", f"oci:{tmp_path / 'to'}:x").split() == [digest_of(outer)]


def test_directories_of_skopeo(kezuri: Kezuri, tmp_path: Path) -> None:
    where, outer = layout_of_two(tmp_path / "from")
    run("skopeo", "copy", "-q", "--all", f"oci:{where}:two", f"dir:{tmp_path / 'theirs'}")
    assert kezuri("copy", "-q", f"dir:{tmp_path / 'theirs'}", "two:1").split() == [digest_of(outer)]
    kezuri("copy", "-q", "two:1", f"dir:{tmp_path / 'ours'}")
    for name in os.listdir(tmp_path / "theirs"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()
    assert "holds something" in kezuri("copy", "two:1", f"dir:{where}", code=125)
    assert "it is an OCI layout" in kezuri("copy", f"dir:{where}", "x", code=125)
    (blob,) = {p.name for p in (tmp_path / "ours").iterdir()} & {d[7:] for d in several()[2].blobs} - {
        d[7:] for d in several()[1].blobs
    } - {m["config"]["digest"][7:] for m in [json.loads(several()[2].manifest)]}
    (tmp_path / "ours" / blob).write_bytes(b"x")
    kezuri("rmi", "-f", "two:1")
    assert "is damaged" in kezuri("copy", f"dir:{tmp_path / 'ours'}", "x", code=125)


def test_archives_of_skopeo(kezuri: Kezuri, tmp_path: Path) -> None:
    where, _ = layout_of_several(tmp_path / "from")
    _, amd, _, _ = several()
    for form in ("oci-archive", "docker-archive"):
        run("skopeo", "copy", "-q", f"oci:{where}:amd", f"{form}:{tmp_path / form}:example.org/{form}:1")
        assert kezuri("load", "-q", "-i", tmp_path / form) == f"Loaded image: example.org/{form}:1\n"
    assert kezuri("digest", "example.org/oci-archive:1").split() == [amd.digest]
    ids = kezuri("images", "-q", "--no-trunc").split()
    assert len(set(ids)) == 1, "a docker archive keeps the id, whatever its layers were packed with"


def test_skopeo_and_umoci_read_what_is_saved(kezuri: Kezuri, tmp_path: Path) -> None:
    where, _ = layout_of_several(tmp_path / "from")
    _, amd, arm, _ = several()
    kezuri("copy", "-q", f"oci:{where}:several", "example.org/several:1")
    kezuri("copy", "-q", f"oci:{where}:arm", "example.org/arm:2")
    saved = tmp_path / "saved"
    kezuri("save", "-q", "--platform", "linux/amd64", "-o", saved, "example.org/several:1")
    assert raw(f"oci-archive:{saved}") == amd.digest
    run("skopeo", "copy", "-q", f"docker-archive:{saved}:example.org/several:1", f"dir:{tmp_path / 'a'}")
    kezuri("save", "-q", "--format", "oci-dir", "-o", tmp_path / "dir", "example.org/arm:2")
    assert raw(f"oci:{tmp_path / 'dir'}") == arm.digest
    if shutil.which("umoci"):
        run("umoci", "unpack", "--rootless", "--image", f"{where}:amd", tmp_path / "one")
        kezuri("copy", "-q", "example.org/arm:2", f"oci:{tmp_path / 'umoci'}:x")
        run("umoci", "unpack", "--rootless", "--image", f"{tmp_path / 'umoci'}:x", tmp_path / "two")
        assert (tmp_path / "two" / "rootfs" / "f1").read_text() == "arm"


def test_podman_and_kezuri_read_each_others_archives(kezuri: Kezuri, short: str, tmp_path: Path) -> None:
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    podman = ("podman", "--root", f"{short}/p", "--runroot", f"{short}/r", "--storage-driver", "vfs")
    where, _ = layout_of_several(tmp_path / "from")
    kezuri("copy", "-q", f"oci:{where}:amd", "example.org/a:1")
    run(*podman, "load", "-q", feed=subprocess_output(tmp_path, "save", "example.org/a:1"))
    (identity,) = run(*podman, "images", "-q", "--no-trunc").split()
    assert identity in kezuri("images", "-q", "--no-trunc")
    run(*podman, "tag", "example.org/a:1", "example.org/b:2")
    for form in ("docker-archive", "oci-archive"):
        run(*podman, "save", "-q", "--format", form, "-o", tmp_path / form, "example.org/b:2")
        kezuri("rmi", "-i", "example.org/b:2")
        assert kezuri("load", "-q", "-i", tmp_path / form) == "Loaded image: example.org/b:2\n"
        assert kezuri("images", "-q", "--no-trunc", "example.org/b").split() == [identity]


def subprocess_output(tmp_path: Path, *words: str) -> bytes:
    argv, environ = command(tmp_path)
    return subprocess.run([*argv, *words], capture_output=True, check=True, env=environ).stdout


def test_docker_and_kezuri_read_each_others_archives(kezuri: Kezuri, short: str, tmp_path: Path) -> None:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    where, _ = layout_of_several(tmp_path / "from")
    kezuri("copy", "-q", f"oci:{where}:amd", "example.org/a:1")
    kezuri("copy", "-q", f"oci:{where}:said", "example.org/said:2")
    kezuri("save", "-q", "-o", tmp_path / "saved", "example.org/a:1", "example.org/said:2")
    run("tar", "-C", where, "-cf", tmp_path / "root.tar", ".")
    with Dockerd(f"{short}/d") as docker:
        said = docker.ask("load", "--input", str(tmp_path / "saved"))
        assert "Loaded image: example.org/a:1" in said and "Loaded image: example.org/said:2" in said
        docker.ask("tag", "example.org/a:1", "example.org/b:3")
        docker.ask("save", "-o", str(tmp_path / "theirs"), "example.org/b:3", "example.org/said:2")
        identity = json.loads(docker.ask("inspect", "example.org/b:3"))[0]["Id"]
        imported = docker.ask("import", "-c", 'CMD ["x"]', "-c", "ENV A=1", str(tmp_path / "root.tar"), "imported:1")
        theirs = json.loads(docker.ask("inspect", imported.strip()))[0]
    told = kezuri("load", "-q", "-i", tmp_path / "theirs")
    assert sorted(told.splitlines()) == ["Loaded image: example.org/b:3", "Loaded image: example.org/said:2"]
    assert kezuri("images", "-q", "--no-trunc", "example.org/b").split() == [identity]
    kezuri("import", "-q", "-c", 'CMD ["x"]', "-c", "ENV A=1", tmp_path / "root.tar", "imported:1")
    ours = json.loads(kezuri("inspect", "imported:1"))[0]
    assert ours["RootFS"]["Layers"] == theirs["RootFS"]["Layers"]
    assert ours["Config"]["Cmd"] == theirs["Config"]["Cmd"] and ours["Config"]["Env"] == theirs["Config"]["Env"]


def test_images_of_podman_and_docker_themselves(kezuri: Kezuri, short: str, tmp_path: Path, monkeypatch: Any) -> None:
    """Through their own programs: podman's store by a script that names it, docker by DOCKER_HOST."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    where, _ = layout_of_several(tmp_path / "from")
    programs = tmp_path / "programs"
    programs.mkdir()
    podman = f"{shutil.which('podman')} --root {short}/p --runroot {short}/r --storage-driver vfs"
    (programs / "podman").write_text(f'#!/bin/sh\nexec {podman} "$@"\n')
    (programs / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    kezuri("copy", "-q", f"oci:{where}:amd", "containers-storage:example.org/a:1")
    (identity,) = run("podman", "images", "-q", "--no-trunc", "example.org/a").split()
    kezuri("copy", "-q", "containers-storage:example.org/a:1", "back:1")
    assert kezuri("images", "-q", "--no-trunc", "back").split() == [identity]
    assert "podman save nope failed: " in kezuri("copy", "containers-storage:nope", "x", code=125)
    (programs / "podman").write_text("#!/bin/sh\necho it is broken >&2; exit 3\n")
    assert "podman load failed: it is broken" in kezuri("copy", "back:1", "containers-storage:x", code=125)
    if missing() is None:
        with Dockerd(f"{short}/d") as docker:
            monkeypatch.setenv("DOCKER_HOST", f"unix://{short}/d/sock")
            kezuri("copy", "-q", f"oci:{where}:several", "docker-daemon:example.org/b:1")
            assert json.loads(docker.ask("inspect", "example.org/b:1"))[0]["Id"] == identity
            kezuri("copy", "-q", "docker-daemon:example.org/b:1", "back:2")
            assert kezuri("images", "-q", "--no-trunc", "back:2").split() == [identity]
    monkeypatch.setenv("DOCKER_HOST", f"unix://{short}/none")
    assert "docker load failed: " in kezuri("copy", "back:1", "docker-daemon:x", code=125)


def test_killed_in_the_middle(kezuri: Kezuri, tmp_path: Path) -> None:
    """However far it came: the layout lists nothing or everything, and the next copy makes it whole."""
    layers = [tar_of(("f", os.urandom(4_000_000))) for _ in range(4)]
    (tmp_path / "old.tar").write_bytes(docker_save(["app:1"], *layers))
    argv, environ = command(tmp_path)
    to = tmp_path / "to"
    words = ["copy", "-q", f"docker-archive:{tmp_path / 'old.tar'}", f"oci:{to}:x"]
    for delay in (0.1, 0.15, 0.2, 0.25, 0.3):
        process = subprocess.Popen([*argv, *words], env=environ, stdout=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (to / "index.json").exists():
            run("skopeo", "copy", "-q", f"oci:{to}:x", f"dir:{tmp_path / f'whole{delay}'}")
    kezuri(*words)
    run("skopeo", "copy", "-q", f"oci:{to}:x", f"dir:{tmp_path / 'whole'}")
    for blob in (to / "blobs" / "sha256").iterdir():
        if not blob.name.endswith(".part"):
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name


def test_a_disk_that_is_full(kezuri: Kezuri, tmp_path: Path) -> None:
    layer = tar_of(("f", os.urandom(3_000_000)))
    (tmp_path / "old.tar").write_bytes(docker_save(["app:1"], layer))
    (tmp_path / "file").write_text("what was there")
    argv, environ = command(tmp_path)
    for target in (f"oci:{tmp_path / 'to'}:x", f"oci-archive:{tmp_path / 'file'}", "store:app:1"):
        line = " ".join([*argv, "copy", "-q", f"docker-archive:{tmp_path / 'old.tar'}", target])
        done = subprocess.run(
            ["bash", "-c", f"ulimit -f 1000; exec {line}"], env=environ, capture_output=True, text=True
        )
        assert done.returncode == 125 and "error: " in done.stderr and "sorry" not in done.stderr, done.stderr
    assert (tmp_path / "file").read_text() == "what was there"
    assert not (tmp_path / "to" / "index.json").exists()
    assert kezuri("images", "-q") == ""
    assert not list(tmp_path.rglob("*.part"))


def test_two_at_once(kezuri: Kezuri, tmp_path: Path) -> None:
    layers = [tar_of(("f", os.urandom(2_000_000))) for _ in range(3)]
    for i in range(3):
        (tmp_path / f"{i}.tar").write_bytes(docker_save([f"app:{i}"], *layers, Extra=i))
    argv, environ = command(tmp_path)
    running = [
        subprocess.Popen([*argv, "copy", "-q", f"docker-archive:{tmp_path / f'{i}.tar'}", target], env=environ)
        for i in range(3)
        for target in (f"oci:{tmp_path / 'to'}:{i}", f"store:app:{i}")
    ]
    assert [process.wait() for process in running] == [0] * 6
    for i in range(3):
        run("skopeo", "copy", "-q", f"oci:{tmp_path / 'to'}:{i}", f"dir:{tmp_path / f'whole{i}'}")
    assert len(kezuri("images", "-q").split()) == 3
    assert "ok" in kezuri("store", "check")


def test_nobody_reads_any_more(kezuri: Kezuri, tmp_path: Path) -> None:
    (tmp_path / "old.tar").write_bytes(docker_save(["app:1"], tar_of(("f", os.urandom(3_000_000)))))
    kezuri("load", "-q", "-i", tmp_path / "old.tar")
    argv, environ = command(tmp_path)
    line = " ".join([*argv, "save", "app:1"])
    done = subprocess.run(
        ["bash", "-c", f"{line} | head -c 10 >/dev/null; echo ${{PIPESTATUS[0]}}"],
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "141\n" and "Traceback" not in done.stderr
