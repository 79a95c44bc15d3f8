"""What leaves is read by others: docker and podman load the archive, skopeo and umoci read the layout."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benchmarks.dockerd import Dockerd, missing

pytestmark = pytest.mark.slow

Export = Callable[..., Path]
SEVERAL = "--platform=linux/amd64,linux/arm64,linux/arm/v6"


def run(*argv: str | Path, environ: dict[str, str] | None = None) -> str:
    """What a command prints; the test fails with what it said when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, **(environ or {})})
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Builds an image of two layers, of which the second removes nothing but links, and exports it."""
    context = tmp_path / "context"
    (context / "d").mkdir(parents=True)
    (context / "d" / "file").write_text("hello\n")
    (context / "d" / "link").symlink_to("file")
    (context / "Dockerfile").write_text(
        'FROM scratch\nCOPY d /d\nCOPY --chown=7:8 --chmod=640 d/file /other/\nENV A=1\nCMD ["/d/file"]\n'
    )
    source = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "src"))

    def make(output: str, *flags: str) -> Path:
        dest = tmp_path / "out"
        run(
            *(sys.executable, "-m", "kezuri", "build", "--quiet", "--tag", "example.org/readers:v1"),
            *flags,
            *("--output", f"{output},dest={dest}", context),
            environ={"PYTHONPATH": source, "KEZURI_ROOT": str(tmp_path / "store")},
        )
        return dest

    return make


@pytest.fixture
def short() -> Iterator[str]:
    """A directory with a short path: sockets, and podman, want one."""
    with tempfile.TemporaryDirectory(prefix="kz") as directory:
        yield directory


def test_docker_loads_the_archive(export: Export, short: str) -> None:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    archive = export("type=docker")
    with Dockerd(f"{short}/d") as docker:
        assert "example.org/readers:v1" in docker.ask("load", "--input", str(archive))
        found = json.loads(docker.ask("inspect", "example.org/readers:v1"))[0]
    assert found["Config"]["Cmd"] == ["/d/file"] and "A=1" in found["Config"]["Env"]
    assert len(found["RootFS"]["Layers"]) == 2


def test_podman_loads_the_archive(export: Export, short: str) -> None:
    need("podman")
    archive = export("type=docker")
    podman = ("podman", "--root", f"{short}/p", "--runroot", f"{short}/r", "--storage-driver", "vfs")
    assert "example.org/readers:v1" in run(*podman, "load", "--input", archive)
    assert json.loads(run(*podman, "inspect", "example.org/readers:v1"))[0]["Config"]["Cmd"] == ["/d/file"]


@pytest.mark.parametrize(
    ("compression", "media"), [("gzip", "tar+gzip"), ("zstd", "tar+zstd"), ("uncompressed", "tar")]
)
def test_skopeo_reads_the_layout(export: Export, compression: str, media: str, tmp_path: Path) -> None:
    need("skopeo")
    layout = export(f"type=oci,tar=false,compression={compression}")
    assert json.loads(run("skopeo", "inspect", "--config", f"oci:{layout}:v1"))["config"]["Cmd"] == ["/d/file"]
    layers = json.loads(run("skopeo", "inspect", "--raw", f"oci:{layout}:v1"))["layers"]
    assert {layer["mediaType"] for layer in layers} == {f"application/vnd.oci.image.layer.v1.{media}"}
    # Copying reads every blob and holds it against its digest.
    run("skopeo", "copy", "--quiet", f"oci:{layout}:v1", f"dir:{tmp_path / 'copied'}")


def test_skopeo_reads_the_archive(export: Export) -> None:
    need("skopeo")
    archive = export("type=oci")
    assert json.loads(run("skopeo", "inspect", "--config", f"oci-archive:{archive}"))["config"]["Env"][-1] == "A=1"


def test_umoci_unpacks_the_layout(export: Export, tmp_path: Path) -> None:
    need("umoci")
    layout = export("type=oci,tar=false")
    run("umoci", "unpack", "--rootless", "--image", f"{layout}:v1", tmp_path / "bundle")
    root = tmp_path / "bundle" / "rootfs"
    assert (root / "d" / "file").read_text() == "hello\n"
    assert os.readlink(root / "d" / "link") == "file"
    assert (root / "other" / "file").stat().st_mode & 0o777 == 0o640


def test_the_store_itself_is_a_layout(export: Export, tmp_path: Path) -> None:
    need("skopeo")
    export("type=oci")
    assert json.loads(run("skopeo", "inspect", "--config", f"oci:{tmp_path / 'store'}:example.org/readers:v1"))


@pytest.mark.parametrize("output", ["type=oci", "type=oci,tar=false"])
def test_skopeo_reads_an_index(export: Export, output: str, tmp_path: Path) -> None:
    need("skopeo")
    dest = export(output, SEVERAL, "--annotation", "index:k=v")
    name = f"oci:{dest}:v1" if "tar" in output else f"oci-archive:{dest}:v1"
    index = json.loads(run("skopeo", "inspect", "--raw", name))
    assert [m["platform"]["architecture"] for m in index["manifests"]] == ["amd64", "arm64", "arm"]
    assert index["annotations"] == {"k": "v"}
    for flags, arch in (("--override-arch=arm64", "arm64"), ("--override-arch=arm --override-variant=v6", "arm")):
        found = json.loads(run("skopeo", *flags.split(), "inspect", "--config", name))
        assert found["architecture"] == arch and found["config"]["Cmd"] == ["/d/file"]
    # Every manifest, every config and every layer is read and held against its digest.
    run("skopeo", "copy", "--quiet", "--all", name, f"dir:{tmp_path / 'copied'}")


def test_podman_takes_its_own_platform_of_an_index(export: Export, short: str) -> None:
    need("podman")
    archive = export("type=oci", SEVERAL)
    podman = ("podman", "--root", f"{short}/p", "--runroot", f"{short}/r", "--storage-driver", "vfs")
    run(*podman, "pull", "--quiet", "--arch", "arm64", f"oci-archive:{archive}")
    (found,) = json.loads(run(*podman, "image", "ls", "--format", "json"))
    assert json.loads(run(*podman, "inspect", found["Id"]))[0]["Architecture"] == "arm64"


def test_the_store_with_an_index_is_a_layout_too(export: Export, tmp_path: Path) -> None:
    need("skopeo")
    export("type=oci", SEVERAL)
    name = f"oci:{tmp_path / 'store'}:example.org/readers:v1"
    assert len(json.loads(run("skopeo", "inspect", "--raw", name))["manifests"]) == 3
    run("skopeo", "copy", "--quiet", "--all", name, f"dir:{tmp_path / 'copied'}")
