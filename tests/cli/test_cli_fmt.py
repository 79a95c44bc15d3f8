"""`kezuri fmt`: which files are written, what is said, and with which exit code it ends."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kezuri.cli.console import Console
from kezuri.cli.main import call

PROJECT = Path(__file__).parents[2]
UNTIDY = "from a as b\nrun   x \\\n    && y  \n\n\n\ncmd [ 'a' ]\n"
TIDY = "FROM a AS b\nRUN x \\\n    && y\n\nCMD [ 'a' ]\n"


def fmt(*argv: str, **environ: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = call(("fmt", *argv), Console(out, err, {"HOME": "/nowhere", **environ}))
    return code, out.getvalue(), err.getvalue()


def piped(data: bytes, *argv: str) -> tuple[int, bytes, bytes]:
    """`kezuri fmt` as a process of its own, with this standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "kezuri", "fmt", *argv],
        input=data,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": f"{PROJECT}/src"},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_file_is_laid_out_once(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(UNTIDY)
    assert fmt(f"{file}") == (0, "", f"changed {file}\n1 changed\n")
    assert file.read_text() == TIDY
    before = file.stat()
    assert fmt(f"{file}") == (0, "", "1 in the style\n")
    assert file.stat() == before, "what is in the style is not written again"


def test_check_and_diff_write_nothing(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(UNTIDY)
    assert fmt("--check", f"{file}") == (1, "", f"would change {file}\n1 would change\n")
    code, out, err = fmt("--diff", f"{file}")
    assert (code, err) == (1, "1 would change\n")
    assert "\n-from a as b\n" in out and "\n+FROM a AS b\n" in out
    assert file.read_text() == UNTIDY
    file.write_text(TIDY)
    assert fmt("--check", f"{file}") == (0, "", "1 in the style\n")
    assert fmt("--diff", f"{file}") == (0, "", "1 in the style\n")


@pytest.mark.parametrize("text", [UNTIDY, UNTIDY.rstrip("\n"), UNTIDY.replace("\n", "\r\n"), "from é\n\n\n# c"])
def test_a_diff_is_one_that_patch_applies(text: str, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_bytes(text.encode())
    _, out, _ = fmt("--diff", f"{file}")
    done = subprocess.run(
        ["patch", "--binary", "-s", f"{file}"], input=out.encode(), capture_output=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stdout
    patched = file.read_bytes()
    file.write_bytes(text.encode())
    fmt(f"{file}")
    assert file.read_bytes() == patched


def test_mode_links_and_line_endings_stay(tmp_path: Path) -> None:
    real = tmp_path / "real.txt"
    real.write_bytes(b"\xef\xbb\xbf" + UNTIDY.replace("\n", "\r\n").encode() + b"LABEL a=\xe9 ")
    real.chmod(0o640)
    link = tmp_path / "Dockerfile"
    link.symlink_to("real.txt")
    assert fmt(f"{link}")[0] == 0
    assert link.is_symlink() and real.stat().st_mode & 0o7777 == 0o640
    assert real.read_bytes() == b"\xef\xbb\xbf" + TIDY.replace("\n", "\r\n").encode() + b"LABEL a=\xe9\r\n"
    assert sorted(os.listdir(tmp_path)) == ["Dockerfile", "real.txt"]


def test_a_directory_means_the_dockerfiles_in_it(tmp_path: Path) -> None:
    for name in (
        "Dockerfile",
        "Dockerfile.web",
        "api.Dockerfile",
        "Containerfile",
        "notes.txt",
        "Dockerfile.dockerignore",
    ):
        (tmp_path / name).write_text("from  a\n")
    code, _, err = fmt(f"{tmp_path}")
    assert code == 0 and "4 changed" in err
    assert (tmp_path / "notes.txt").read_text() == "from  a\n"
    assert (tmp_path / "Dockerfile.dockerignore").read_text() == "from  a\n"


def test_files_with_errors_are_left_alone_and_the_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("from a b\n")
    (tmp_path / "Dockerfile.good").write_text("from  a\n")
    code, _, err = fmt(f"{tmp_path}")
    assert code == 1
    assert "FROM requires either one or three arguments" in err and "1 changed, 1 with errors" in err
    assert (tmp_path / "Dockerfile").read_text() == "from a b\n"
    assert (tmp_path / "Dockerfile.good").read_text() == "FROM a\n"


def test_what_is_no_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"FROM a\n\0\0")
    (tmp_path / "giant").write_bytes(b"#" * (17 << 20))
    (tmp_path / "pipe").mkdir()
    for name, said in (
        ("binary", "no text"),
        ("giant", "larger than 16 MiB"),
        ("gone", "there is no file"),
        ("pipe", "nothing to check"),
    ):
        code, _, err = fmt(f"{tmp_path}/{name}")
        assert code == 1 and said in err, err


def test_standard_input_goes_to_standard_output() -> None:
    assert piped(UNTIDY.encode(), "-") == (0, TIDY.encode(), b"")
    odd = b"\xef\xbb\xbffrom \xe9\r\ncmd  x"
    assert piped(odd, "-") == (0, b"\xef\xbb\xbfFROM \xe9\r\nCMD x\r\n", b"")
    assert piped(UNTIDY.encode(), "--check", "-") == (1, b"", b"")
    code, out, _ = piped(UNTIDY.encode(), "--diff", "-")
    assert code == 1 and out.startswith(b"--- a/-\n+++ b/-\n")
    code, out, err = piped(b"from a b\n", "-")
    assert (code, out) == (1, b"") and b" --> -:1:1" in err
    assert fmt("-", "-")[0] == 2


def test_a_file_that_changes_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kezuri.app import formatting

    file = tmp_path / "Dockerfile"
    file.write_text(UNTIDY)
    laid_out = formatting._laid_out

    def slowly(text: str, name: str, reindent: bool) -> object:
        file.write_text("FROM other\n")
        return laid_out(text, name, reindent)

    monkeypatch.setattr(formatting, "_laid_out", slowly)
    code, _, err = fmt(f"{file}")
    assert code == 1 and "has changed while it was checked" in err
    assert file.read_text() == "FROM other\n"


def test_a_layout_that_would_build_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kezuri.app import formatting
    from kezuri.format.formatter import Formatted

    file = tmp_path / "Dockerfile"
    file.write_text("FROM a\nRUN  x\n")
    monkeypatch.setattr(formatting, "formatted", lambda dockerfile: Formatted("FROM a\nRUN y\n", ()))
    code, _, err = fmt(f"{file}")
    assert code == 125 and "would not be the same build (command)" in err
    assert file.read_text() == "FROM a\nRUN  x\n"


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "Dockerfile").write_text(UNTIDY)
    tmp_path.chmod(0o500)
    code, _, err = fmt(f"{tmp_path}/Dockerfile")
    tmp_path.chmod(0o700)
    assert code == 125 and "cannot write" in err
    assert (tmp_path / "Dockerfile").read_text() == UNTIDY


def test_what_could_not_be_written_is_not_counted_as_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kezuri.app import formatting
    from kezuri.diagnostics import KezuriError

    def refuse(styled: object) -> None:
        raise KezuriError.of("cannot write it")

    monkeypatch.setattr(formatting, "write", refuse)
    (tmp_path / "Dockerfile").write_text(UNTIDY)
    assert fmt(f"{tmp_path}") == (1, "", "error: cannot write it\n1 with errors\n")


def test_a_diff_has_the_bytes_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(b"from a\nrun   \xff\n")
    code, out, _ = piped(b"", "--diff", f"{tmp_path}")
    assert code == 1 and b"\n+RUN \xff\n" in out
