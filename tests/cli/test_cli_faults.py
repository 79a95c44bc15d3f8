"""Every command, on a machine that refuses something, ends with an error that names the thing, and never with an
apology."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kezuri.advisories.values import Signal
from kezuri.advisories.writing import write
from kezuri.cli.commands import MODULES
from kezuri.sandbox import probe

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]

WORDS: dict[str, tuple[str, ...]] = {
    "build": ("-q", "-t", "new", "{context}"),
    "plan": ("{context}",),
    "check": ("{context}",),
    "fmt": ("--check", "{context}"),
    "reproduce": ("{context}",),
    "profile": ("{context}",),
    "context": ("{context}",),
    "size record": ("probe", "--file", "{out}-sizes"),
    "size gate": ("probe", "--file", "{out}-sizes"),
    "run": ("--rm", "probe"),
    "inspect": ("probe",),
    "history": ("probe",),
    "analyze": ("probe",),
    "scan": ("--scanners", "licence", "probe"),
    "sbom": ("probe",),
    "diff": ("probe", "probe"),
    "compare": ("--no-build-times", "--no-pull", "probe", "{context}"),
    "base": ("{context}",),
    "explore": ("probe",),
    "tag": ("probe", "other"),
    "pull": ("-q", "127.0.0.1:1/none"),
    "push": ("-q", "probe", "127.0.0.1:1/none"),
    "prune": ("-f", "-a"),
    "image prune": ("-f",),
    "bases": ("--out", "{out}", "nothing:1"),
    "completion": ("bash",),
    "__complete": ("bash", "1", "kezuri", ""),
    "append": ("probe", "{context}", "-t", "longer"),
    "attach": ("probe", "--artifact-type", "a/b", "{context}/Dockerfile"),
    "cat": ("probe:/program",),
    "copy": ("-q", "probe", "oci:{out}-layout"),
    "cp": ("-q", "probe:/program", "{out}-file"),
    "digest": ("probe",),
    "discover": ("probe",),
    "export": ("-o", "{out}-root.tar", "probe"),
    "flatten": ("probe", "-t", "flat"),
    "imagetools inspect": ("127.0.0.1:1/none",),
    "import": ("-q", "{archive}", "imported"),
    "load": ("-q", "-i", "{archive}"),
    "logout": ("127.0.0.1:1",),
    "ls": ("-l", "probe:/"),
    "manifest create": ("list", "store:probe"),
    "manifest inspect": ("probe",),
    "mutate": ("probe", "-t", "changed", "--label", "a=b"),
    "rebase": ("probe", "--old-base", "probe", "--new-base", "probe", "-t", "moved"),
    "save": ("-q", "-o", "{out}-saved.tar", "probe"),
    "tags": ("127.0.0.1:1/none",),
    "volume create": ("data",),
    "volume prune": ("-f",),
    "db update": ("--db-origin", "kev=http://127.0.0.1:1/kev.json", "kev"),
    "db import": ("{context}/../kev.json",),
    "db rm": ("kev",),
    "rmi": ("probe",),
}
"""What each command is asked: one that is not here is asked for nothing. `rmi` comes last."""
COMMANDS = [*sorted(set(MODULES) - {"rmi", "demo"}), "rmi"]
"""`demo` builds on a base image: what of it can fail here are `build` and `run`."""

ASKED = [
    *((command, WORDS.get(command, ())) for command in COMMANDS),
    ("build", ("-q", "-o", "type=oci,dest={out}.tar", "{context}")),
    ("build", ("-q", "-o", "{out}", "{context}")),
    ("build", ("-q", "--no-cache", "--iidfile", "{out}.id", "{context}")),
    ("build", ("--check", "{context}")),
    ("check", ("--format", "json", "{context}")),
]

FAULTS = [
    *(("created", number) for number in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO)),
    *(("created", number) for number in (errno.ENAMETOOLONG, errno.ELOOP)),
    *(("removed", number) for number in (errno.EIO, errno.EACCES)),
    ("synced", errno.EIO),
    ("locked", errno.ENOLCK),
    *(("owned", number) for number in (errno.EPERM, errno.EIO)),
    ("listed", errno.EIO),
    ("opened", errno.EMFILE),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a context, and a store that holds an image of it, with its cache."""
    made = tmp_path_factory.mktemp("faults")
    probe.lay_out(f"{made}/context")
    with open(made / "context/Dockerfile", "a") as file:
        file.write('CMD ["/program"]\n')
    words = [sys.executable, "-m", "kezuri", "--root", f"{made}/store", "build", "-q", "-t", "probe", f"{made}/context"]
    subprocess.run(words, check=True, capture_output=True)
    saved = [*words[:5], "save", "-q", "-o", f"{made}/archive.tar", "probe"]
    subprocess.run(saved, check=True, capture_output=True)
    write(f"{made}/store/advisories.db", Signal("CVE-2020-1", "2020-01-01"))
    faults = [{"cveID": "CVE-2020-1", "dateAdded": "2020-01-01"}]
    kev = {"catalogVersion": "1", "dateReleased": "2020-01-01T00:00:00Z", "count": 1, "vulnerabilities": faults}
    (made / "kev.json").write_text(json.dumps(kev))
    return made


@pytest.fixture(scope="module")
def usual(built: Path, tmp_path_factory: pytest.TempPathFactory) -> set[int]:
    """Which commands fail where nothing is refused: those that are asked for what there is not."""
    return walk(built, tmp_path_factory.mktemp("usual"), ["-m", "kezuri"])


def walk(built: Path, tmp_path: Path, start: Sequence[str], **given: Callable[[], None]) -> set[int]:
    """Ask every command on copies of the store; the places in ASKED of those that have failed. What a bad machine may
    not lead to is looked for in all that they say. They run in a directory of their own, for what cannot be removed
    stays there."""
    failed = set()
    here = tmp_path / "here"
    here.mkdir(exist_ok=True)
    for number, (command, words) in enumerate(ASKED):
        store = tmp_path / f"store{number}"
        shutil.copytree(built / "store", store, symlinks=True)
        places = {"context": f"{built}/context", "out": f"{tmp_path}/out{number}"}
        places["archive"] = f"{built}/archive.tar"
        asked = [*command.split(), *(word.format(**places) for word in words)]
        done = subprocess.run(
            [sys.executable, *start, *asked],
            capture_output=True,
            text=True,
            errors="replace",
            cwd=here,
            env={
                **os.environ,
                "KEZURI_ROOT": f"{store}",
                "KEZURI_DB": f"{store}/advisories.db",
                "PYTHONPATH": f"{PROJECT}/src:{PROJECT}",
            },
            timeout=120,
            check=False,
            **given,  # type: ignore[call-overload]
        )
        said = f"{command}: {done.returncode}: {done.stdout}{done.stderr}"
        assert "sorry" not in done.stderr and "Traceback" not in done.stderr, said
        assert done.returncode in (0, 1, 2, 17, 125), said
        assert done.returncode in (0, 17) or done.stderr or done.stdout, said
        if done.returncode not in (0, 17):
            failed.add(number)
        shutil.rmtree(store)
    return failed


@pytest.mark.parametrize(("kind", "number"), FAULTS, ids=lambda value: errno.errorcode.get(value, value))
def test_what_the_kernel_refuses(kind: str, number: int, built: Path, usual: set[int], tmp_path: Path) -> None:
    if os.uname().machine not in ("x86_64", "aarch64"):
        pytest.skip("the filter knows the flags of openat on these machines")
    assert walk(built, tmp_path, ["-m", "tests.cli.cli_faults", str(number), kind]) > usual


@pytest.mark.parametrize("most", [16, 64])
def test_few_descriptors(most: int, built: Path, usual: set[int], tmp_path: Path) -> None:
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    failed = walk(built, tmp_path, ["-m", "kezuri"], preexec_fn=limit)
    if most == 64:
        assert failed <= usual


@pytest.mark.parametrize("size", [0, 200_000])
def test_small_files_only(size: int, built: Path, tmp_path: Path) -> None:
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    walk(built, tmp_path, ["-m", "kezuri"], preexec_fn=limit)


def test_the_current_directory_is_gone(built: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    def leave() -> None:
        os.chdir(gone)
        gone.rmdir()

    for command, words in ASKED:
        gone.mkdir(exist_ok=True)
        places = {"context": ".", "out": f"{tmp_path}/out", "archive": f"{built}/archive.tar"}
        done = subprocess.run(
            [sys.executable, "-m", "kezuri", *command.split(), *(word.format(**places) for word in words)],
            capture_output=True,
            text=True,
            errors="replace",
            env={
                **os.environ,
                "KEZURI_ROOT": f"{built}/store",
                "KEZURI_DB": f"{built}/store/advisories.db",
                "PYTHONPATH": f"{PROJECT}/src",
            },
            preexec_fn=leave,
            check=False,
            timeout=120,
        )
        assert "sorry" not in done.stderr and "Traceback" not in done.stderr, (command, done.stderr)
        if command in ("build", "plan"):
            assert "the current directory was removed" in done.stderr, (command, done.stderr)
