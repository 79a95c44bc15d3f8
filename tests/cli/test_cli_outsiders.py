"""What others wrote reaches a terminal or a log only as text: everything that they control, through every command."""

import io
import json
import os
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.build.build_workshop import tar_of, write_layout

from kezuri.cli.console import Console
from kezuri.cli.json_text import json_text
from kezuri.cli.main import call
from kezuri.diagnostics import Diagnostic, SourceText, Span, shown, unsteered, visible
from kezuri.diagnostics.render import render

EVIL = "\x1b]0;PWNED\x07\x1b[31mRED\x1b[8m\u202e\x9b31m\r\x08\u200b\u2066\x7f"
WORD = EVIL.replace("\r", "")  # which separates words
UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
OURS = re.compile(r"\x1b\[(?:[012]|(?:1;)?3[1-6])m")


def evil_layout(directory: Path) -> None:
    """An image with escapes in everything that is text."""
    config = {
        "Env": [f"A{EVIL}={EVIL}"],
        "Labels": {f"l{EVIL}": EVIL},
        "Cmd": [EVIL],
        "Entrypoint": [EVIL],
        "User": EVIL,
        "WorkingDir": f"/w{EVIL}",
        "StopSignal": EVIL,
        "Volumes": {f"/v{EVIL}": {}},
    }
    history = [{"created_by": EVIL, "comment": EVIL, "author": EVIL}]
    write_layout(directory, [tar_of(("a", b"x"), (f"f{EVIL}", b"x"))], config, "evil", history)
    index = json.loads((directory / "index.json").read_text())
    index["manifests"][0]["annotations"][f"n{EVIL}"] = EVIL
    (directory / "index.json").write_text(json.dumps(index))


Kezuri = Callable[..., tuple[int, str]]


@pytest.fixture(params=["log", "colours"])
def kezuri(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kezuri:
    """Calls a command, and looks at everything that it says."""
    evil_layout(tmp_path / "layout")
    (tmp_path / "context").mkdir()
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path), "KEZURI_ROOT": str(tmp_path / "root")}
    if request.param == "colours":
        environ["CLICOLOR_FORCE"] = "1"

    def run(*argv: str, text: str | None = None) -> tuple[int, str]:
        if text is not None:
            (tmp_path / "context" / "Dockerfile").write_bytes(text.encode("utf-8", "surrogateescape"))
        out, err = io.StringIO(), io.StringIO()
        code = call(argv, Console(out, err, environ))
        for said in (out.getvalue(), err.getvalue()):
            left = OURS.sub("", said) if request.param == "colours" else said
            assert not UNSAFE.search(left), (argv, UNSAFE.findall(left), left)
            assert "\x1b[31mRED" not in said and "sorry" not in said
        return code, out.getvalue() + err.getvalue()

    return run


def test_an_image_by_a_stranger(kezuri: Kezuri) -> None:
    base = ("--build-context", "evil=oci-layout://layout:evil", "--progress", "plain")
    (Path("context") / "f").write_text("x")
    code, said = kezuri(
        "build", *base, "-t", "x", "context", text=f"FROM evil\nCOPY f /f{WORD}\nLABEL a{WORD}={WORD}\n"
    )
    assert code == 0, said
    for argv in (
        ("images",),
        ("images", "--no-trunc"),
        ("images", "--format", "json"),
        ("history", "x"),
        ("history", "--no-trunc", "x"),
        ("history", "--format", "json", "--no-trunc", "x"),
        ("history", "--format", "table {{.CreatedBy}}\t{{.Comment}}", "x"),
        ("inspect", "x"),
        ("inspect", "--format", "json", "x"),
        ("inspect", "--format", "{{json .Config}}", "x"),
        ("plan", *base[:2], "context"),
        ("plan", *base[:2], "--format", "json", "context"),
        ("why",),
        ("why", "--format", "json"),
        ("du", "--verbose"),
        ("du", "--verbose", "--format", "json"),
        ("prune", "--all", "--dry-run", "--verbose"),
        ("store", "check"),
        ("build", *base, "--check", "context"),
        ("build", *base, "--call", "outline", "context"),
        ("build", *base, "--call", "outline,format=json", "context"),
        ("build", *base, "--call", "targets", "context"),
        ("tag", "x", "y"),
        ("rmi", "y"),
    ):
        code, said = kezuri(*argv)
        assert code in (0, 1), said
    found = json.loads(kezuri("inspect", "x")[1])
    assert found[0]["Config"]["User"] == EVIL
    (Path("context") / "f").write_text("y")
    kezuri("build", *base, "context", text=f"FROM evil\nCOPY f /g{WORD}\n")
    assert "PWNED" in kezuri("why")[1] or "f" in kezuri("why")[1]
    assert kezuri("prune", "--all", "--force", "--verbose")[0] == 0


@pytest.mark.parametrize(
    "text",
    [
        f"FROM nosuch{EVIL}\n",
        f"FROM scratch\nCOPY nofile{EVIL} /\n",
        f"FROM scratch AS a{EVIL}\n",
        f"FROM scratch\nFOO {EVIL}\n",
        f"FROM scratch\nARG X={EVIL}\nLABEL a=$Y{EVIL}\nCOPY --from={EVIL} a /\n",
        f"FROM scratch\nCOPY fx /\n# {EVIL}",
        f"# syntax={EVIL}\nFROM scratch\n",
        f"FROM scratch\nENV {EVIL}\n",
        f"FROM scratch\nWORKDIR {EVIL}\nEXPOSE {EVIL}\nSTOPSIGNAL {EVIL}\n",
        f"FROM scratch\nADD http://x{EVIL}/ /\n",
        f"FROM scratch\nCOPY --chown={EVIL} f /\n",
        f"FROM scratch\nCOPY --nosuch{EVIL} f /\n",
        f"FROM scratch\nRUN --mount=type={EVIL} x\n",
        "FROM scratch\nCOPY latin\udce9 /\n",
        "FROM scratch\nFOO latin\udce9\n",
        f'FROM scratch\nCOPY "a\\nerror: forged{EVIL}" /\n',
    ],
)
@pytest.mark.parametrize("how", [(), ("--check",), ("--call=outline",), ("--progress=rawjson",)], ids="".join)
@pytest.mark.slow
def test_a_dockerfile_by_a_stranger(kezuri: Kezuri, text: str, how: tuple[str, ...]) -> None:
    (Path("context") / f"f{EVIL}").write_text("x")
    _, said = kezuri("build", *how, "context", text=text)
    kezuri("plan", "context")
    assert "\nerror: forged" not in said
    if "\udce9" in text and how != ("--progress=rawjson",):
        assert "\\udce9" not in said


def test_templates_are_exact_unless_they_reach_a_terminal(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, expected in ((io.StringIO(), f"{EVIL}\n"), (Terminal(), visible(EVIL, "\n\t") + "\n")):
        Console(stream, io.StringIO(), {}).data(EVIL)
        assert stream.getvalue() == expected


def test_what_is_written_out() -> None:
    assert visible("a\x1b[1m\t\n\r\x00\x7f\x85\u202e\ufeff\udce9\U000e0041") == (
        r"a\x1b[1m\t\n\r\x00\x7f\u0085\u202e\ufeff\xe9\U000e0041"
    )
    assert visible("é 日本\u3000\ue0b0 \U0001f600") == "é 日本\u3000\ue0b0 \U0001f600"
    assert unsteered("\x1b[31mr\x1b[0m\t \x1b]8;;http://x\x1b\\l\x07\u202ex\udce9  ") == "r\t lx\\xe9  "
    assert shown("a\x1b[1;31mb\x1b[0m\x1b[8mc\n", True) == "a\x1b[1;31mb\x1b[0m\\x1b[8mc\n"
    assert shown("a\x1b[31mb", False) == r"a\x1b[31mb"


@given(st.text(), st.booleans())
def test_nothing_unsafe_is_shown(text: str, colour: bool) -> None:
    assert not UNSAFE.search(OURS.sub("", shown(text, colour)) if colour else shown(text, colour))
    assert not UNSAFE.search(unsteered(text)) and not UNSAFE.search(visible(text))
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert json.loads(json_text([text])) == [text]
    assert not UNSAFE.search(json_text([text, {text: text}], 2))


def test_a_long_line_is_shown_around_the_place() -> None:
    text = "RUN " + "x" * 30_000 + "HERE" + "y" * 30_000
    at = text.index("HERE")
    said = render(Diagnostic("error", "no", SourceText("Dockerfile", text), Span(at, at + 4)))
    lines = said.split("\n")
    assert f"Dockerfile:1:{at + 1}" in lines[1] and max(map(len, lines)) < 300
    assert lines[4][lines[4].index("^") :] == "^^^^" and lines[3][lines[4].index("^") :].startswith("HERE")
    for span in (Span(0, len(text)), Span(len(text) - 4, len(text)), Span(0, 3)):
        said = render(
            Diagnostic("error", "no" * 50_000, SourceText("Dockerfile", text), span, hint="There is no " + "x" * 50_000)
        )
        assert len(said) < 5_000
        quoted, marks = said.split("\n")[3:5]
        assert len(marks) <= len(quoted)
    whole = "RUN a\n" + "z" * 60_000 + "\nb"
    assert len(render(Diagnostic("error", "no", SourceText("D", whole), Span(0, len(whole))))) < 700


def test_random_bytes_on_standard_input_are_told_in_a_few_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(tmp_path / "bytes", "wb") as file:
        for i in range(3000):
            file.write(sha256(str(i).encode()).digest())
    out, err = io.StringIO(), io.StringIO()
    with open(tmp_path / "bytes") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        code = call(("build", "-"), Console(out, err, {"HOME": "/", "KEZURI_ROOT": str(tmp_path / "root")}))
    said = err.getvalue()
    assert code == 1 and "\\udc" not in said and len(said) < 8_000, len(said)
    assert os.listdir(tmp_path / "root" / "tmp") == []
