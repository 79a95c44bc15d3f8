"""`--html`: a page beside what a command prints, in the reader's language, or an error before anything is done."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.report import html

DOCKERFILE = "FROM scratch\nWORKDIR a\n"


def kezuri(*argv: str, **environ: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = call(argv, Console(out, err, {"HOME": "/nowhere", **environ}))
    return code, out.getvalue(), err.getvalue()


def test_a_page_stands_beside_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, page = tmp_path / "Dockerfile", tmp_path / "below/page.html"
    file.write_text(DOCKERFILE)
    plain = kezuri("check", f"{file}")
    code, out, err = kezuri("check", f"{file}", "--html", f"{page}")
    assert (code, out) == plain[:2] and err == plain[2] + f"report: {page}\n"
    assert page.read_bytes().startswith(b'<!doctype html>\n<html lang="en">')
    kezuri("check", f"{file}", "--html", f"{page}", LANG="ja_JP.UTF-8")
    assert b'<html lang="ja">' in page.read_bytes()[:60]

    command = [sys.executable, "-m", "kezuri", "check", f"{file}", "--html", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == plain[0] and done.stdout.startswith(b"<!doctype html>") and not done.stderr
    assert done.stdout.endswith(b"</html>\n"), "the page, and nothing else"

    done = subprocess.run([*command, "-o", f"{tmp_path}/found"], capture_output=True, check=False)
    assert done.stdout.endswith(b"</html>\n") and "WorkdirRelativePath" in Path(f"{tmp_path}/found").read_text()

    assert kezuri("analyze", "nothing", "--compat", "dive", "--html", f"{page}")[0] == 2
    code, _, err = kezuri("check", f"{file}", "--fix", "--html", f"{page}")
    assert code == 2 and "--html" in err
    for command_name in ("check", "analyze"):
        assert kezuri(command_name, f"{file}", "--html=")[0] == 2
    code, _, err = kezuri("check", f"{file}", "--html", f"{tmp_path}")
    assert code == 125 and "is a directory" in err and "--html=" in err, "1 would be findings"

    monkeypatch.setattr(html, "find_spec", lambda name: None)
    for words in (("analyze", "nothing"), ("compare", "nothing", "neither"), ("profile",)):
        code, _, err = kezuri(*words, "--html", f"{page}", KEZURI_ROOT=f"{tmp_path}/root")
        assert code == 125 and "kezuri[html]" in err, words


def test_leftovers_are_called_in_japanese_what_the_text_calls_them() -> None:
    from kezuri.anatomy.leftovers import KINDS
    from kezuri.cli.html_page import _named

    section = _named({"kinds": {kind: {} for kind in KINDS}})
    said = {kind: each["words_ja"] for kind, each in section["kinds"].items()}
    assert (
        said["tests"] == "テスト"
        and said["temporary"] == "一時ファイル"
        and said["apt-lists"] == "apt のパッケージリスト"
    )
    assert all(not text.isascii() for text in said.values()), said
