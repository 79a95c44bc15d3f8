"""One build under the states in which a caller may start it: the layers are the same, byte for byte."""

import ctypes
import io
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.build.build_busybox import AS_OTHERS, busybox_layout, busybox_tar
from tests.sandbox.conftest import user_with_subordinate_ids

from kezuri.linux import userns

SOURCES = str(Path(__file__).parents[2] / "src")

pytestmark = AS_OTHERS

DOCKERFILE = """
FROM scratch AS empty
FROM base AS other
RUN umask 022 && mkdir /made && echo 1 > /made/file
FROM base
WORKDIR /work/deep
COPY . /copied/
RUN --mount=from=other,source=/made,target=/bound/deep --mount=type=cache,target=/cached/deep,id=CACHE \\
    --mount=type=tmpfs,target=/temporary/deep --mount=type=secret,id=s,target=/secret/deep \\
    --mount=target=/context/deep --mount=from=empty,target=/nothing \\
    mkdir /ran && cd /ran && touch file && mkdir directory && touch /cached/deep/x \\
    && ls -lanR /bound /secret /context /nothing /cached | awk '/^total/ {next} {print $1, $3, $4, $NF}' > looks \\
    && stat -c '%a %u %g %n' / /cached /temporary /temporary/deep /dev/shm /etc/hosts > modes \\
    && env > env && umask > umask && pwd > pwd && id > id && uname -m > machine && ls -l /proc/self/fd | wc -l > open \\
    && grep -E '^(Umask|Sig...|ShdPnd|Cap...|Groups|Seccomp|NoNewPrivs|THP_enabled):' /proc/self/status > status \\
    && tty > terminal || true
RUN cat /proc/self/personality /proc/self/timerslack_ns > /kernel 2>&1 || true
USER app
RUN id > /tmp/id
"""


def ignore_and_block() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGALRM, signal.SIGQUIT})


def other_machine() -> None:
    libc = ctypes.CDLL(None)
    libc.personality(0x0040000 | 0x0200000)  # ADDR_NO_RANDOMIZE, ADDR_COMPAT_LAYOUT
    libc.prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE
    libc.prctl(29, 1_000_000, 0, 0, 0)  # PR_SET_TIMERSLACK
    os.nice(3)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, 4000))


def hand_on_descriptors() -> None:
    for _ in range(30):
        os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)


def strict() -> None:
    os.umask(0o077)
    ignore_and_block()
    other_machine()
    hand_on_descriptors()


def loose() -> None:
    os.umask(0)
    os.setsid()


ENVIRON = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "POSIXLY_CORRECT": "1", "HOME": "/nowhere", "ENV": "/etc/hosts"}
ENVIRON |= {"LANGUAGE": "ja", "COLUMNS": "20"}


def default_acl(directory: Path) -> None:
    """Let uid 1234 and the group write whatever is made below: version 2, then (tag, permissions, id) each."""
    everybody = ((1, 7, -1), (2, 7, 1234), (4, 7, -1), (16, 7, -1), (32, 7, -1))
    entries = b"".join(struct.pack("<HHi", *entry) for entry in everybody)
    os.setxattr(directory, "system.posix_acl_default", struct.pack("<I", 2) + entries)


Layers = list[dict[str, object]]


def build(work: Path, uid: int, prepare: Callable[[], object], environ: dict[str, str]) -> tuple[bytes, Layers]:
    """What a build in a new store gives: the config, and all entries of each layer of its own."""

    def before() -> None:
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        prepare()

    base, context = work.parent / "base", work.parent / "context"
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": SOURCES, "SECRET": "x", "SOURCE_DATE_EPOCH": "1"}
    clean |= {
        "KEZURI_ROOT": str(work / "store"),
        "TMPDIR": str(work),
        "HOME": str(work),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    arguments = ["build", "--progress=plain", "--secret=id=s,env=SECRET", f"--build-context=base=oci-layout://{base}"]
    arguments += [f"--output=type=oci,dest={work}/out,tar=false", str(context)]
    done = subprocess.run(
        [sys.executable, "-m", "kezuri", *arguments],
        env=clean | environ,
        cwd=work,
        preexec_fn=before,
        close_fds=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    def blob(descriptor: dict[str, str]) -> bytes:
        return (work / "out" / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")).read_bytes()

    (entry,) = json.loads((work / "out" / "index.json").read_bytes())["manifests"]
    manifest = json.loads(blob(entry))
    layers: Layers = []
    for descriptor in manifest["layers"][1:]:
        with tarfile.open(fileobj=io.BytesIO(blob(descriptor))) as tar:
            layers.append(
                {
                    member.name: (member.get_info(), member.pax_headers, (f := tar.extractfile(member)) and f.read())
                    for member in tar
                }
            )
    return blob(manifest["config"]), layers


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that other users may enter (pytest's own lets nobody in)."""
    with tempfile.TemporaryDirectory(prefix="kezuri-test-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.parametrize("who", ["root", "user"])
def test_the_callers_state_reaches_no_layer(open_path: Path, who: str) -> None:
    uid = user_with_subordinate_ids() if who == "user" else 0
    if who == "user" and not (uid and userns.find_program("newuidmap")):
        pytest.skip("no user here has subordinate ids")
    busybox_layout(open_path / "base", busybox_tar())
    context = open_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)

    def work_in(name: str) -> Path:
        work = open_path / name
        work.mkdir()
        os.chown(work, uid, uid)
        return work

    plain = build(work_in("plain"), uid, lambda: os.umask(0o022), {})
    assert len(plain[1]) == 5
    acl = work_in("acl")
    default_acl(acl)
    assert build(acl, uid, strict, {}) == plain
    group = work_in("group")
    os.chown(group, uid, 1234)
    group.chmod(0o2777)
    assert build(group, uid, loose, ENVIRON) == plain
