"""The caller's surroundings are no input: the same files and the same words give the same image, whatever they are."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.store.store import Store

SOURCE = Path(__file__).parents[2] / "src"
DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM scratch AS one
ARG GIVEN
WORKDIR /wé
COPY <<EOF /café.txt
$GIVEN
EOF
ADD packed.tar /packed/
FROM scratch
ARG GIVEN
COPY --exclude=*.é . /app/
COPY --from=one / /日本/
LABEL name="é" given=$GIVEN
ENV É=é
"""
NAMES = ("a", "B", "é", "日本", "z.é", "ß", "\udcff", "sub/ü", "sub/.x", "Z")
BYTES = {"LC_ALL": "C", "PYTHONUTF8": "0"}
"""A locale in which Python's file names are not UTF-8, on every machine."""


def lay(directory: Path, names: tuple[str, ...]) -> Path:
    """A context; the order in which its files are made is the order of `names`."""
    (directory / "sub").mkdir(parents=True)
    (directory / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    (directory / ".dockerignore").write_text("ß\n", encoding="utf-8")
    for name in names:
        (directory / name).write_text(name, encoding="utf-8", errors="surrogateescape")
    os.link(directory / "a", directory / "hard")
    with tarfile.open(directory / "packed.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("in/é"))
    for base, directories, files in os.walk(directory):
        for name in (*directories, *files, "."):
            os.utime(os.path.join(base, name), (1_500_000_000, 1_500_000_000))
    return directory


def built(place: Path, context: Path, cwd: Path, environ: dict[str, str], *before: str) -> str:
    """The digest of the image, made in a store of its own."""
    base = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE),
        "HOME": str(place),
        "SOURCE_DATE_EPOCH": "1600000000",
    }
    base |= {"KEZURI_ROOT": str(place / "store")}
    command = [*before, sys.executable, "-m", "kezuri", "build", "--progress", "none", "--build-arg", "GIVEN=ä"]
    command += ["--metadata-file", str(place / "metadata"), str(context)]
    # The bytes of the words are those of UTF-8, as a terminal would send them.
    words = [word.encode("utf-8", "surrogateescape") for word in command]
    done = subprocess.run(words, env={**base, **environ}, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return str(json.loads((place / "metadata").read_bytes())["containerimage.digest"])


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("ordinary")
    return built(place, lay(place / "context", NAMES), place, {"LC_ALL": "C.UTF-8"})


def test_the_locale(tmp_path: Path, ordinary: str) -> None:
    context = lay(tmp_path / "contéxt", NAMES)
    assert built(tmp_path, context, tmp_path, {**BYTES, "PYTHONIOENCODING": "utf-16", "LANGUAGE": "ja"}) == ordinary


def test_the_order_of_directories_and_the_number_of_processors(tmp_path: Path, ordinary: str) -> None:
    context = lay(tmp_path / "context", NAMES[::-1])
    assert built(tmp_path, context, tmp_path, {"PYTHONHASHSEED": "7"}, "taskset", "-c", "0") == ordinary


def test_who_calls_from_where(tmp_path: Path, ordinary: str) -> None:
    lay(tmp_path / "elsewhere" / "context", NAMES)
    who = {"HOME": "/nowhere", "USER": "somebody", "LOGNAME": "somebody", "TZ": "Asia/Kathmandu", "COLUMNS": "3"}
    where = {"TMPDIR": str(tmp_path / "elsewhere"), "PWD": "/", "XDG_CONFIG_HOME": "/nowhere", "TERM": "dumb"}
    assert built(tmp_path, Path("context"), tmp_path / "elsewhere", {**who, **where}) == ordinary


def test_variables_that_other_programs_heed(tmp_path: Path, ordinary: str) -> None:
    context = lay(tmp_path / "context", NAMES)
    heeded = {"GZIP": "-9", "TAR_OPTIONS": "--owner=9", "ZSTD_CLEVEL": "19", "POSIXLY_CORRECT": "1", "GIVEN": "no"}
    heeded |= {"http_proxy": "http://127.0.0.1:9", "GIT_DIR": "/nowhere", "PYTHONOPTIMIZE": "2"}
    assert built(tmp_path, context, tmp_path, heeded) == ordinary


def test_bytes_that_are_no_text_stay_in_arguments(tmp_path: Path) -> None:
    (tmp_path / "context-\udcff").mkdir()
    (tmp_path / "context-\udcff" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    built(tmp_path, Path("context-\udcff"), tmp_path, BYTES)


def test_what_is_printed_is_utf8(tmp_path: Path) -> None:
    environ = {**os.environ, **BYTES, "PYTHONPATH": str(SOURCE), "KEZURI_ROOT": str(tmp_path / "store")}
    command = [sys.executable, "-m", "kezuri", "build", "--file", "no-such-é", "."]
    done = subprocess.run([w.encode() for w in command], env=environ, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode != 0 and "no-such-é".encode() in done.stderr


def test_a_library_in_another_encoding_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    with pytest.raises(KezuriError, match="iso8859-1"), Store(str(tmp_path / "store")):
        pass
    assert not (tmp_path / "store").exists()
