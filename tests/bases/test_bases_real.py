"""The real recipes, from a real mirror, read and run by other programs."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kezuri.bases import Handed, LayoutSink, assemble, recipes, write_layout
from kezuri.oci import Platform

pytestmark = pytest.mark.slow

HELLO = os.path.join(os.path.dirname(__file__), "..", "..", "examples", "hello")


def need(*programs: str, root: bool = False) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if root and os.geteuid() != 0:
        pytest.skip("only root can do this")


class Shelf:
    """The images of one platform in a layout. Each is assembled when a test first asks for it, and as `kezuri bases`
    does it: what several images share is downloaded and packed once."""

    def __init__(self, directory: Path, platform: Platform, mirror: str) -> None:
        self.layout = directory / platform.architecture
        self._cache = directory / "cache"
        self._recipes = {recipe.name: recipe for recipe in recipes(platform)}
        self._mirror = mirror
        self._handed: Handed = {}
        self._made: set[str] = set()

    def names(self) -> list[str]:
        """What there are recipes for."""
        return list(self._recipes)

    def image(self, name: str) -> str:
        """The image as an OCI layout and a name in it; it is there then."""
        if name not in self._made:
            sink = LayoutSink(str(self.layout))
            cache = str(self._cache)
            made = assemble(self._recipes[name], sink, cache, mirror=self._mirror, handed=self._handed)
            write_layout(str(self.layout), name, made)
            # An image of wheels alone has nothing to say of Debian.
            assert made.notes or "uv" in name
            self._made.add(name)
        return f"{self.layout}:{name}"


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory, real_mirror: str) -> Iterator[dict[str, Shelf]]:
    """A shelf by platform, for all tests of this file; two gigabytes, which are gone afterwards."""
    directory = tmp_path_factory.mktemp("shelves")
    platforms = ("linux/amd64", "linux/arm64")
    yield {name: Shelf(directory, Platform.parse(name), real_mirror) for name in platforms}
    shutil.rmtree(directory)


@pytest.fixture
def shelf(request: pytest.FixtureRequest) -> Shelf:
    """The shelf of this machine's platform."""
    if Platform.host() not in [r.platform for r in recipes()]:
        pytest.skip(f"no stand-ins for {Platform.host()}")
    shelves: dict[str, Shelf] = request.getfixturevalue("shelves")
    return shelves[str(Platform.host())]


def run(*command: str) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


ALPINE = "docker.io/library/alpine:3.22"


def test_alpine_is_read_and_runs(tmp_path: Path, shelf: Shelf) -> None:
    need("skopeo", "umoci", root=True)
    image = shelf.image(ALPINE)
    config = json.loads(run("skopeo", "inspect", "--config", f"oci:{image}"))
    assert config["os"] == "linux" and len(config["rootfs"]["diff_ids"]) == 2
    assert json.loads(run("skopeo", "inspect", f"oci:{image}"))["Labels"] is None
    run("umoci", "unpack", "--image", image, str(tmp_path / "bundle"))
    rootfs = tmp_path / "bundle" / "rootfs"
    assert "stand-in" in (rootfs / "etc/kezuri-standin").read_text()

    def shell(script: str) -> "subprocess.CompletedProcess[str]":
        command = ["chroot", str(rootfs), "/bin/sh", "-ec", script]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/sbin:/bin"})

    # The script writes to /dev/null, which a fresh tree lacks.
    (rootfs / "dev/null").touch()
    done = shell(
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH\n"
        "apk add --no-cache ca-certificates tzdata\n"
        "addgroup -S app; adduser -S -D -H -G app app; adduser -D -u 1000 bob\n"
        "adduser --disabled-password --gecos '' --home /nonexistent --shell /sbin/nologin --no-create-home --uid 10001"
        " u\n"
        "addgroup -g 1001 -S nodejs; adduser -S nextjs -u 1001 -G nodejs; adduser bob app\n"
        "id app; id bob; id nextjs; id u; stat -c %U /home/bob; echo a b | awk '{ print $2 }'\n"
        "test -s /etc/ssl/cert.pem; test -s /usr/share/zoneinfo/Asia/Tokyo"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [
        "uid=100(app) gid=101(app) groups=101(app)",
        "uid=1000(bob) gid=1000(bob) groups=1000(bob),101(app)",
        "uid=1001(nextjs) gid=1001(nodejs) groups=1001(nodejs)",
        "uid=10001(u) gid=10001(u) groups=10001(u)",
        "bob",
        "b",
    ]
    for script, message in (
        ("export PATH=/usr/sbin:/usr/bin:/bin; deluser nextjs; delgroup nodejs; id nextjs", "unknown user nextjs"),
        ("/sbin/apk add git", "it cannot add: git"),
        ("export PATH=/usr/sbin:/usr/bin:/bin; adduser -D bob", "adduser: user 'bob' in use"),
        ("export PATH=/usr/sbin:/usr/bin:/bin; adduser -G none x", "adduser: unknown group none"),
    ):
        failed = shell(script)
        assert failed.returncode == 1 and message in failed.stderr, failed


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_every_recipe_is_complete(shelves: dict[str, Shelf], platform: str) -> None:
    for name in shelves[platform].names():
        if "golang" not in name or platform == "linux/amd64":
            shelves[platform].image(name)


NODE_SAYS = """
test "$(node -e 'console.log(6 * 7)')" = 42
test "$(node --version)" = "v$NODE_VERSION"
npm --version; npx --version; yarn --version; corepack --version
test "$(id -u node):$(id -g node)" = 1000:1000
apk add --no-cache libc6-compat
docker-entrypoint.sh -e 'console.log("entered")'
"""


@pytest.mark.parametrize("major", ["18", "20", "22"])
def test_node_and_npm_run_in_a_build(tmp_path: Path, shelf: Shelf, major: str) -> None:
    assert "entered" in built_on(f"node:{major}-alpine", NODE_SAYS, tmp_path, shelf)


def built_on(image: str, says: str, tmp_path: Path, shelf: Shelf) -> str:
    """What a build prints whose one step has these lines, on the stand-in for an image."""
    context = tmp_path / "context"
    context.mkdir()
    script = " && ".join(part for line in says.splitlines() for part in line.split("; ") if part)
    (context / "Dockerfile").write_text(f"FROM {image}\nRUN {script}\n")
    base = f"{image}=oci-layout://{shelf.image(f'docker.io/library/{image}')}"
    command = [sys.executable, "-m", "kezuri", "build", "--root", str(tmp_path / "store"), "--progress", "plain"]
    done = subprocess.run(
        [*command, "--build-context", base, str(context)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "store")
    return done.stderr


DEBIAN_SAYS = """
test -z "$(dpkg --audit)"
apt-get check
test -z "$(dpkg --verify | grep -v ' /usr/share/')"
groupadd --gid 1001 app; useradd --uid 1001 --gid app app; su app -c id
awk 'BEGIN { print "awk" }'; which perl
apt-get update; apt-get install --yes --no-install-recommends tree; tree --version
test -z "$(find /var/cache/apt -type f ! -name lock)"
"""
PYTHON_SAYS = """
python -c 'import bz2, ctypes, curses, lzma, readline, sqlite3, ssl, uuid, zlib'
python -c 'import sysconfig as s;assert s.get_path("purelib") == "/usr/local/lib/python3.13/site-packages"'
ls /usr/local/lib/python3.12/site-packages/pip/__init__.py
pip --version; python3.12 -m pip list
python -m venv --without-pip /v; /v/bin/python -c 'import sys;assert sys.prefix == "/v"'
python -m venv /w; /w/bin/pip --version
python -c 'import ssl;assert len(ssl.create_default_context().get_ca_certs()) > 100'
"""
JAVA_SAYS = """
java -version; mvn --version
keytool -list -cacerts -storepass changeit
"""


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("debian:trixie-slim", DEBIAN_SAYS),
        ("python:3.12-slim", DEBIAN_SAYS + PYTHON_SAYS),
        ("node:20", DEBIAN_SAYS + "node --version; npm --version; id node"),
        ("nginx:alpine", "nginx -t; id nginx; test -f /usr/share/nginx/html/index.html"),
        ("maven:3.9-eclipse-temurin-17", DEBIAN_SAYS + JAVA_SAYS),
    ],
)
def test_what_stands_on_debian_runs_in_a_build(tmp_path: Path, shelf: Shelf, image: str, says: str) -> None:
    if os.geteuid():
        pytest.skip("only root has the ids of all accounts")
    built_on(image, says, tmp_path, shelf)


def test_the_hello_example_builds_and_answers(tmp_path: Path, shelf: Shelf) -> None:
    need("buildah", "skopeo", "umoci", root=True)
    name = "docker.io/library/golang:1.24-alpine"
    store = ["--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"), "--storage-driver", "vfs"]
    to = f"containers-storage:[vfs@{tmp_path}/root+{tmp_path}/run]{name}"
    run("skopeo", "copy", "--quiet", f"oci:{shelf.image(name)}", to)
    run("buildah", *store, "build", "--isolation", "chroot", "--pull=never", "--tag", "hello", HELLO)
    run("buildah", *store, "push", "--quiet", "hello", f"oci:{tmp_path}/out:hello")
    run("umoci", "unpack", "--image", f"{tmp_path}/out:hello", str(tmp_path / "bundle"))
    from urllib.request import ProxyHandler, build_opener

    port = free_port()
    with subprocess.Popen(
        ["/hello"],
        executable="/hello",
        stderr=subprocess.PIPE,
        env={"PORT": str(port)},
        preexec_fn=lambda: enter(str(tmp_path / "bundle" / "rootfs")),
    ) as server:
        try:
            assert server.stderr is not None and b"listening" in server.stderr.readline()
            wait_for(port)
            with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/?name=kezuri", timeout=10) as answer:
                said = json.load(answer)
            assert said["message"] == "hello, kezuri" and said["uid"] == 65532
        finally:
            server.terminate()
    assert server.returncode == 0
    # Two gigabytes, which pytest would keep for three runs.
    for name in ("root", "run", "bundle"):
        shutil.rmtree(tmp_path / name)


def wait_for(port: int) -> None:
    """The program says that it listens just before it does."""
    import socket
    import time

    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def enter(rootfs: str) -> None:
    os.chroot(rootfs)
    os.chdir("/")
    os.setgroups([])
    os.setgid(65532)
    os.setuid(65532)
