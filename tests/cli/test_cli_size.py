"""`kezuri size`: recorded, shown, held against budgets; what is said and written, and with which exit code it ends."""

import errno
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.app.app_shelf import Shelf
from tests.build.build_workshop import tar_of

from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.cli.size_chart import axis, bars, svg
from kezuri.growth.records import FILE, read
from kezuri.growth.values import METRICS, Measurement

HISTORY = [{"created_by": "COPY a a"}, {"created_by": "RUN make | x"}]


class Desk:
    """A directory to work in, with a store that has images."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.shelf = Shelf(place / "store")
        self.put("app", 1000)

    def put(self, name: str, size: int) -> None:
        tars = [tar_of(("a", b"1" * 100)), tar_of(("b", b"2" * size))]
        self.shelf.put(name, tars, history=HISTORY)

    def size(self, *argv: str, code: int = 0, **environ: Any) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        console = Console(out, err, {"HOME": "/nowhere", "KEZURI_ROOT": str(self.shelf.root), **environ})
        got = call(("size", *argv), console)
        assert got == code, (got, out.getvalue(), err.getvalue())
        return out.getvalue(), err.getvalue()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    yield Desk(tmp_path)


def test_recorded_shown_and_gated(desk: Desk) -> None:
    environ: dict[str, Any] = {"GITHUB_SHA": "a" * 40, "GITHUB_REF_NAME": "main"}
    out, err = desk.size("record", "app", "--at", "2026-01-01T00:00:00Z", **environ)
    assert "app (2026-01-01, main, aaaaaaa)" in out and f"appended to {FILE}" in err
    assert "already" in desk.size("record", "app", **environ)[1]

    desk.put("new", 20_000)
    gate = ("gate", "new", "--name", "app")
    out, _ = desk.size(*gate, "-b", "unpacked=+5%", "-b", "layers=2", "--comment", "c.md", code=1, GITHUB_SHA="b" * 40)
    assert re.search(r"!! +unpacked=\+5% .*exceeded by", out) and re.search(r"ok +layers=2 ", out)
    comment = Path("c.md").read_text()
    assert comment.startswith("<!-- kezuri size: app -->\n### Size of `app`: over budget\n")
    assert "| `RUN make \\| x` |  | +20.5kB | 30.7kB |" in comment, comment
    desk.size(*gate, "-b", "unpacked=+30kB", "-b", "unpacked=1MB")
    document = json.loads(desk.size(*gate, "-b", "files=2", "-b", "wasted=+0", "--format", "json")[0])
    assert document["kept"] and document["baseline"]["commit"] == "a" * 40
    assert [budget["limit"] for budget in document["budgets"]] == [2, 0]
    (step,) = document["change"]["steps"]
    assert step["instruction"] == "RUN make | x" and step["more"] == step["after"] - step["before"]

    desk.size("record", "new", "--name", "app", "--at", "2026-02-01T00:00:00Z", "--branch", "b")
    out, _ = desk.size("show", "--chart", "chart.svg")
    assert "RUN make | x" in out and out.count("2026-0") == 3, out
    assert len(ElementTree.parse("chart.svg").findall(".//{*}circle")) == 8
    assert len(json.loads(desk.size("show", "app", "--format", "json", "--branch", "b")[0])) == 1
    head, *rows = desk.size("show", "--format", "csv", "--last", "1")[0].splitlines()
    assert head.startswith("at,name,branch,commit,") and len(rows) == 1
    assert desk.size("show", "--format", "markdown", "-m", "files")[0].count("\n") == 4
    assert [one.figures["files"] for one in read(FILE).measurements] == [2, 2]


def test_figures_have_names_in_japanese(desk: Desk) -> None:
    assert "圧縮後" in desk.size("record", "app", LANG="ja_JP.UTF-8")[0]
    metrics = [word for metric in METRICS for word in ("-m", metric)]
    for form in ("text", "markdown"):
        head = desk.size("show", *metrics, "--format", form, LANG="ja_JP.UTF-8")[0].splitlines()[0]
        assert "無駄" in head and not re.search("[a-z]", head), head
        assert "wire" in desk.size("show", "--format", form)[0].splitlines()[0]
    comment = desk.size("gate", "app", "--format", "markdown", LANG="ja_JP.UTF-8")[0]
    assert "| 残り物 |" in comment and "| wire |" not in comment, comment


def test_against_another_image(desk: Desk) -> None:
    desk.put("new", 1001)
    desk.size("gate", "new", "--against", "app", "-b", "shown=+1")
    out, _ = desk.size("gate", "new", "--against", "app", "-b", "shown=+0", code=1)
    assert "exceeded by 1B" in out
    assert "no such image" in desk.size("gate", "new", "--against", "store:nothing", code=1)[1]


def test_kept_beside_the_image(desk: Desk) -> None:
    """What is attached is found again, and is what an image is compared with."""
    _, err = desk.size("record", "app", "--attach", "--no-file", "--commit", "c")
    assert "attached sha256:" in err and not Path(FILE).exists()
    document = json.loads(desk.size("gate", "app", "--against", "app", "--format", "json")[0])
    assert document["baseline"]["commit"] == "c"


FAULTS: list[tuple[tuple[str, ...], int, str]] = [
    (("gate", "app", "-b", "wire=+5%"), 0, "not judged: wire=+5%: there is no kezuri-sizes.jsonl"),
    (("gate", "app", "-b", "wire=+5%", "--strict"), 1, "not judged"),
    (("gate", "app", "-b", "wire=1"), 1, ""),
    (("gate", "app"), 0, "no budget was given"),
    (("gate", "app", "-b", "wire"), 2, "not a budget"),
    (("gate", "app", "--against", "app", "--file", "x"), 2, "give one of both"),
    (("record", "app", "--no-file"), 2, "records nothing"),
    (("record", "app", "--at", "yesterday"), 2, "is no time"),
    (("record", "store:nothing"), 1, "nothing"),
    (("record", "app", "--file", "/proc/none/x"), 125, "cannot be written"),
    (("show",), 1, "there is no kezuri-sizes.jsonl"),
    (("show", "--metric", "wir"), 2, "did you mean wire?"),
    (("show", "--last", "0"), 2, "is not a number"),
]


def test_what_was_written_before_stays_where_the_new_cannot_be(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.size("record", "app")
    for words, path in ((("gate", "app", "--comment"), Path("c.md")), (("show", "--chart"), Path("chart.svg"))):
        path.write_text("before")
        path.chmod(0o640)
        desk.size(*words, str(path))
        assert path.read_text() != "before" and path.stat().st_mode & 0o777 == 0o640
        kept = path.read_text()

        def full(*args: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as broken:
            broken.setattr("kezuri.export.destination.write_all", full)
            assert "no space left" in desk.size(*words, str(path), code=125)[1]
        assert path.read_text() == kept


def test_what_cannot_be_done(desk: Desk) -> None:
    for words, code, said in FAULTS:
        assert said in desk.size(*words, code=code)[1], words


def test_foreign_words_are_made_safe(desk: Desk) -> None:
    Path(FILE).write_text(
        '{"v":1,"name":"app","at":"2026","branch":"\\u001b[31m","commit":"=cmd()","wire":5,'
        '"steps":[["RUN \\u001b[31m `a` | <b>",9,0]],"owned":[]}\nnonsense\n'
    )
    out, err = desk.size("show")
    assert "\x1b" not in out and f"{FILE}:2: passed over: it is no JSON" in err
    out, _ = desk.size("show", "--format", "csv")
    assert "'=cmd()" in out
    out, _ = desk.size("gate", "app", "--format", "markdown")
    assert "\x1b" not in out and "`RUN \\x1b[31m 'a' \\| <b>` (gone)" in out, out


def at(day: int, value: int) -> Measurement:
    return Measurement("app", f"2026-01-{day:02}T00:00:00Z", "c", "main", "", "", {"wire": value})


def test_charts() -> None:
    """The axis holds every value, and a step of a hundredth is seen."""
    for values in ([1], [0, 0], [5, 5], [100, 101], [0, 10**12], [10**9, 10**9 + 10**7]):
        low, high = axis(values)
        assert 0 <= low <= min(values) and max(values) <= high and low < high
    drawn = bars([at(day, 10**9 + (day > 5) * 10**7) for day in range(1, 11)], "wire", 60)
    assert len({line[12:22] for line in drawn}) > 1 and all(len(line) <= 60 for line in drawn)
    assert bars([at(1, 5)], "wire", 60) == [], "one point is no history"
    assert all(line.isascii() for line in bars([at(1, 5), at(2, 9)], "wire", 60, plain=True))
    hostile = at(1, 5)._replace(branch="</title><script>")
    assert "<script" not in svg([hostile, at(2, 6)], ["wire"], "</title><script>")
