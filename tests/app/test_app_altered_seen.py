"""Changed images as others see them: the programs in them, and skopeo, umoci and podman."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.dockerd import Dockerd, missing
from tests.build.build_busybox import RUNS_STEPS
from tests.build.build_workshop import tar_of
from tests.containers.containers_place import Place
from tests.registry.registry_servers import RegistryServer, needs_registry

pytestmark = RUNS_STEPS

LINES = (
    "RUN mkdir -p /data/old /keep && echo one > /data/old/one && echo big > /removed && chmod 4755 /keep",
    "RUN rm -r /removed /data/old && mkdir -p /data/old && echo two > /data/old/two && ln /data/old/two /hard",
    "RUN echo three > /three && chown 1000:1000 /three && mkfifo /pipe && ln -s three /link && rm /bin/yes",
    "ENV MODE=built KEEP=1",
    "LABEL of=build",
    "EXPOSE 80",
    "USER app",
    'ENTRYPOINT ["echo"]',
    'CMD ["from the build"]',
)
LOOK = 'find / -xdev -not -path "/proc*" -not -path "/sys*" -not -path "/dev*" -not -path "/etc/*" -exec stat -c "%n %a %u %g %s %F %Y" {} + | grep -v " directory " | sort'  # noqa: E501


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = Place(tmp_path_factory.mktemp("altered"))
    made.image("app", *LINES)
    return made


def kezuri(place: Place, *argv: str) -> str:
    done = place(*argv)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class TestPrograms:
    def test_they_start_as_the_changed_image_says(self, place: Place) -> None:
        assert kezuri(place, "run", "app") == "from the build"
        kezuri(
            place, "mutate", "app", "-t", "other", "--entrypoint", 'sh -c', "--cmd",
            '["echo $MODE ${KEEP-gone} $(id -u) $(pwd)"]', "--env", "MODE=changed", "--unset", "env=KEEP",
            "--user", "0", "--workdir", "/data",
        )  # fmt: skip
        assert kezuri(place, "run", "other") == "changed gone 0 /data"

    def test_what_a_base_declared_is_gone(self, place: Place) -> None:
        kezuri(place, "mutate", "app", "-t", "bare", "--unset", "entrypoint", "--unset", "cmd", "--unset", "user")
        assert kezuri(place, "run", "bare", "id", "-u") == "0"
        assert "no command" in place.run("bare").stderr.lower()

    @pytest.mark.parametrize("how", ["flatten", "--squash", "--squash-all"])
    def test_the_files_are_the_same(self, place: Place, how: str) -> None:
        name = f"files{how.strip('-')}"
        if how == "flatten":
            kezuri(place, "flatten", "app", "-t", name)
        else:
            context = place.directory / "context-app"
            kezuri(
                place,
                "build",
                "-q",
                how,
                "--build-context",
                f"base=oci-layout://{place.layout}",
                "-t",
                name,
                str(context),
            )
        seen = [
            kezuri(place, "run", "--user", "0", "--entrypoint", "", image, "sh", "-c", LOOK) for image in ("app", name)
        ]
        assert "/data/old/two" in seen[0] and "/removed" not in seen[0]
        assert seen[0] == seen[1]
        (config,) = json.loads(kezuri(place, "inspect", name))
        assert len(config["RootFS"]["Layers"]) == (2 if how == "--squash" else 1)

    def test_a_squashed_build_is_the_same_from_the_cache(self, place: Place) -> None:
        context = str(place.directory / "context-app")
        words = ("build", "-q", "--squash", "--build-context", f"base=oci-layout://{place.layout}", context)
        assert kezuri(place, *words) == kezuri(place, *words)

    def test_a_layer_is_appended_and_rebased(self, place: Place, tmp_path: Path) -> None:
        place.image("newbase", "RUN echo new > /base-is", "ENV BASE=new")
        place.image("oldbase", "RUN echo old > /base-is", "ENV BASE=old")
        (tmp_path / "hello").write_text("#!/bin/sh\necho hello from $BASE $(cat /base-is)\n")
        (tmp_path / "hello").chmod(0o755)
        kezuri(place, "append", "oldbase", str(tmp_path), "-t", "mine")
        kezuri(place, "mutate", "mine", "-t", "mine", "--cmd", "/hello")
        assert kezuri(place, "run", "mine") == "hello from old old"
        kezuri(place, "rebase", "mine", "--old-base", "oldbase", "--new-base", "newbase", "-t", "moved")
        assert kezuri(place, "run", "moved") == "hello from new new"

    def test_an_image_is_a_base_afterwards(self, place: Place) -> None:
        kezuri(place, "flatten", "app", "-t", "flat-base")
        context = place.directory / "on-flat"
        context.mkdir()
        (context / "Dockerfile").write_text(
            "FROM flat-base\nUSER 0\nRUN test ! -e /removed && cat /data/old/two > /again\n"
        )
        kezuri(place, "build", "-q", "-t", "on-flat", str(context))
        assert kezuri(place, "run", "--entrypoint", "cat", "on-flat", "/again") == "two"


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")


def run(*argv: object) -> str:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short path: sockets, and podman, want one."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def walked(root: Path) -> dict[str, tuple[Any, ...]]:
    """Every path below, with what matters of it; hard links by the file that they are."""
    found: dict[str, tuple[Any, ...]] = {}
    first: dict[int, str] = {}
    for directory, names, files in os.walk(root):
        names.sort()
        for name in sorted((*names, *files)):
            path = Path(directory, name)
            status = path.lstat()
            key = str(path.relative_to(root))
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
            link = os.readlink(path) if path.is_symlink() else ""
            same = first.setdefault(status.st_ino, key)
            time = 0 if path.is_symlink() else int(status.st_mtime)
            found[key] = (status.st_mode, status.st_uid, status.st_gid, time, content, link, same)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_stopped_leaves_nothing(place: Place, number: int) -> None:
    source, sink = os.pipe()
    words = [sys.executable, "-m", "kezuri", "append", "app", "-", "-t", "stopped"]
    with subprocess.Popen(
        words,
        env=place.environ,
        stdin=source,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:
        os.close(source)
        os.write(sink, tar_of(("f", bytes(100_000)))[:50_000])
        scratch = place.directory / "store" / "tmp"
        end = time.monotonic() + 60
        while not any(path.name.startswith(f"{child.pid}-append") for path in scratch.iterdir()):
            assert time.monotonic() < end
            time.sleep(0.02)
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
    os.close(sink)
    assert child.returncode == 128 + number, said
    assert not [path for path in scratch.iterdir() if path.name.startswith(f"{child.pid}-")]
    assert "no such image" in place("inspect", "stopped").stderr


def test_memory_does_not_grow_with_the_image(place: Place) -> None:
    place.image("large", "RUN dd if=/dev/urandom of=/large bs=1M count=200 && echo 1 > /one", "RUN rm /one")
    # It says itself how much it took: what the kernel counts for a child begins with what its parent had.
    script = "import sys; from kezuri.cli.main import main; code = main(sys.argv[1:])\n"
    script += "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    script += "sys.exit(code)"
    words = [sys.executable, "-c", script, "flatten", "large", "--compression", "uncompressed"]
    done = subprocess.run(words, env=place.environ, stdout=subprocess.PIPE, check=True)
    most = int(done.stdout.split()[-1])
    assert most < 120 << 10, f"{most >> 10} MiB for a file of 200 MiB"


@needs_registry
def test_a_squashed_build_is_pushed_without_what_it_was_made_of(place: Place, tmp_path: Path) -> None:
    base = f"base=oci-layout://{place.layout}"
    with RegistryServer(tmp_path) as registry:
        name = f"{registry.host}/team/squashed:1"
        context = str(place.directory / "context-app")
        kezuri(place, "build", "-q", "--squash-all", "--push", "--build-context", base, "-t", name, context)
        manifest = json.loads(kezuri(place, "manifest", "inspect", name))
        assert len(manifest["layers"]) == 1
        blobs = [path for path in registry.data.rglob("data") if "blobs" in path.parts]
        assert len(blobs) == 3, "the layer, the config and the manifest"


class TestReaders:
    def test_umoci_unpacks_the_same_files(self, place: Place, tmp_path: Path) -> None:
        need("umoci")
        kezuri(place, "flatten", "app", "-t", "flat")
        seen = []
        for name in ("app", "flat"):
            kezuri(place, "copy", "-q", name, f"oci:{tmp_path / name}:one")
            rootless = ("--rootless",) if os.geteuid() else ()
            run("umoci", "unpack", *rootless, "--image", f"{tmp_path / name}:one", tmp_path / f"{name}-files")
            seen.append(walked(tmp_path / f"{name}-files" / "rootfs"))
        assert seen[0] == seen[1]
        assert "data/old/two" in seen[0]

    def test_skopeo_reads_what_was_set(self, place: Place, tmp_path: Path) -> None:
        need("skopeo")
        kezuri(place, "mutate", "app", "-t", "seen", "--label", "a=b", "--unset", "port=80", "--env", "NEW=1")
        kezuri(place, "copy", "-q", "seen", f"oci:{tmp_path / 'out'}:one")
        config = json.loads(run("skopeo", "inspect", "--config", f"oci:{tmp_path / 'out'}:one"))
        (own,) = json.loads(kezuri(place, "inspect", "seen"))
        assert config["config"] == own["Config"]
        assert config["config"]["Labels"] == {"a": "b", "of": "build"}
        assert [entry.get("created_by") for entry in config["history"]] == [h.get("created_by") for h in own["History"]]
        assert config["rootfs"]["diff_ids"] == own["RootFS"]["Layers"]

    def test_docker_takes_them(self, place: Place, short: Path, tmp_path: Path) -> None:
        reason = missing()
        if reason is not None:
            pytest.skip(reason)
        kezuri(place, "mutate", "app", "-t", "seen", "--label", "a=b", "--health-cmd", "true", "--unset", "user")
        kezuri(place, "flatten", "seen", "-t", "seen-flat")
        kezuri(place, "copy", "-q", "seen-flat", f"docker-archive:{tmp_path / 'archive'}:seen-flat")
        with Dockerd(f"{short}/d") as docker:
            docker.ask("load", "--input", str(tmp_path / "archive"))
            (told,) = json.loads(docker.ask("inspect", "seen-flat"))
        (own,) = json.loads(kezuri(place, "inspect", "seen-flat"))
        for key, value in own["Config"].items():
            assert told["Config"][key] == value
        assert not told["Config"].get("User")
        assert told["RootFS"] == own["RootFS"]

    def test_podman_takes_them(self, place: Place, short: Path, tmp_path: Path) -> None:
        need("podman")
        if os.geteuid():
            pytest.skip("needs root")
        podman = ("podman", "--root", f"{short}/p", "--runroot", f"{short}/r", "--storage-driver", "vfs")
        kezuri(place, "mutate", "app", "-t", "seen", "--label", "a=b", "--entrypoint", '["sh", "-c"]')
        kezuri(place, "flatten", "seen", "-t", "seen-flat")
        trees = []
        for name in ("seen", "seen-flat"):
            kezuri(place, "copy", "-q", name, f"oci:{tmp_path / name}:one")
            identity = run(*podman, "pull", "-q", f"oci:{tmp_path / name}:one").strip()
            (told,) = json.loads(run(*podman, "inspect", identity))
            assert told["Config"]["Labels"]["a"] == "b"
            assert told["Config"]["Entrypoint"] == ["sh", "-c"]
            mounted = run(*podman, "image", "mount", identity).strip()
            trees.append(walked(Path(mounted)))
            run(*podman, "image", "umount", identity)
        assert trees[0] == trees[1]
