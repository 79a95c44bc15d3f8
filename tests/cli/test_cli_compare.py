"""`kezuri compare`: its forms of the table, what argv is refused, and the whole of it on two small Dockerfiles."""

import csv
import io
import json
import os
from pathlib import Path

import pytest

from kezuri.cli import compare_text
from kezuri.cli.console import Console
from kezuri.cli.figures import percent
from kezuri.cli.main import call
from kezuri.cli.phrase import plainly
from kezuri.comparison.rows import figure
from kezuri.comparison.values import Comparison, Conditions, Reading, Side

SIDES = (Side("old|`x`", "dockerfile", "sha256:" + "a" * 64, "linux/amd64"), Side("new", "image"))
TABLE = Comparison(
    *SIDES,
    (
        figure("size.unpacked", (Reading((1_200_000_000,)), Reading((180_000_000,)))),
        figure("build.cold", (Reading((510.0, 500.0, 520.0)), Reading((225.0, 224.0, 226.0)))),
        figure("build.unchanged", (Reading((0.2, 0.3)), Reading((0.25, 0.21)))),
        figure("build.edit", (Reading((1.0,)), Reading(absent="no source file of the context is read"))),
        figure("context", (Reading((450_000_000,)), Reading((2_000_000,)))),
        figure("pull", (Reading((135.0, 135.5)), Reading((25.0, 25.1)))),
        figure("user", (Reading(text="root"), Reading(text="=cmd|<b>"))),
        figure("setid", (Reading((13,)), Reading((0,)))),
        figure("packages.system", (Reading((0,)), Reading((7,)))),
    ),
    Conditions(100_000_000, 0.02, "docker-registry", 3, 2, "Linux", ("src/index.js", "src/index.js")),
)


def compare(*argv: str, **environ: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = call(("compare", *argv), Console(out, err, {"HOME": "/nowhere", "KEZURI_ROOT": "/proc/nowhere", **environ}))
    return code, out.getvalue(), err.getvalue()


def test_the_table_as_text_says_what_may_be_chance() -> None:
    text = compare_text.text(TABLE, plainly, False)
    rows = {line.split("  ")[0]: line for line in text.splitlines()}
    assert rows["Size unpacked"].split()[-3:] == ["1.2GB", "180MB", "85%"]
    assert "8 min 30 s (8 min 20 s – 8 min 40 s)" in rows["Build, cold"]
    assert rows["Build, cold"].endswith("56%")
    assert rows["Build, nothing changed"].endswith("~8%")
    assert rows["Build context"].endswith("99.6%")
    assert rows["Pull"].endswith("81%")
    assert rows["Set-id files"].endswith("100%")
    assert rows["System packages"].split()[-3:] == ["0", "7", "-"]
    assert "~: the runs of both sides overlap" in text
    assert "over a line of 100 Mbit/s with a round trip of 20 ms." in text
    assert "comment in src/index.js." in text
    assert "Build after a one-line edit: no source file of the context is read" in text
    assert "\x1b[32m85%\x1b[0m" in compare_text.text(TABLE, plainly, True)


def test_the_table_as_markdown_is_that_of_articles() -> None:
    page = compare_text.markdown(TABLE, plainly)
    assert page.startswith("| Item ")
    assert "| Size unpacked " in page
    # Nothing that an image says ends a cell or begins a tag.
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {5}
    assert "<b>" not in page
    console = Console(io.StringIO(), io.StringIO(), {"LANG": "ja_JP.UTF-8"})
    japanese = compare_text.markdown(TABLE, console.phrase)
    head = [cell.strip() for cell in japanese.splitlines()[0].strip("|").split("|")]
    assert head == ["項目", "改善前", "改善後", "削減率"]
    assert "| イメージサイズ（展開後）" in japanese
    assert "| 8 分 30 秒 | 3 分 45 秒 | 56%" in " ".join(japanese.split())


def test_the_table_for_programs_has_every_run() -> None:
    rows = list(csv.DictReader(io.StringIO(compare_text.csv(TABLE))))
    assert [row["key"] for row in rows] == [each.key for each in TABLE.figures]
    assert rows[1]["runs_before"] == "510 500 520"
    assert rows[1]["saved"] == "0.5588"
    assert rows[2]["certain"] == "false"
    assert rows[6]["after"] == "'=cmd|<b>", "no formula for a spreadsheet, and nothing is lost"
    assert json.loads(json.dumps(TABLE.to_json()))["figures"][3]["after"] == {
        "absent": "no source file of the context is read"
    }


def test_what_was_saved_is_written_again(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(json.dumps(TABLE.to_json()))
    assert Comparison.parse(json.loads(file.read_text())) == TABLE
    outputs = [word for ending in ("md", "csv", "txt", "json") for word in ("-o", f"{tmp_path}/again.{ending}")]
    code, out, err = compare("--saved", f"{file}", *outputs)
    assert (code, err) == (0, "")
    assert out == compare_text.text(TABLE, plainly, False) + "\n"
    assert (tmp_path / "again.md").read_text() == compare_text.markdown(TABLE, plainly) + "\n"
    assert (tmp_path / "again.csv").read_text() == compare_text.csv(TABLE) + "\n"
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(file.read_text())
    said = TABLE.to_json()
    for wrong in (
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({**said, "schema": 2}),
        json.dumps({**said, "figures": [{}]}),
        json.dumps(said).replace("510", '"x"'),
        json.dumps(said).replace("510", "NaN"),
        json.dumps(said).replace("510", "1e999"),
        json.dumps({**said, "conditions": {}}),
        json.dumps({**said, "before": None}),
    ):
        file.write_text(wrong)
        code, out, err = compare("--saved", f"{file}")
        assert (code, out) == (1, ""), wrong[:50]
        assert "is no comparison" in err
    assert compare("--saved", f"{tmp_path}/none")[0] == 1
    assert compare("--saved", f"{file}", "a", "b")[0] == 2
    assert compare("-o", "table.pdf", "a", "b")[0] == 2
    code, _, err = compare("-o", f"{file}/table.md", "a", "b")
    assert code
    assert f"{file}/table.md" in err, "said before anything is measured"


def test_parts_as_percent() -> None:
    told = {
        0.85: "85%",
        0.995: "99.5%",
        0.9999: "100%",
        1.0: "100%",
        0.0: "0%",
        0.004: "0.4%",
        -0.12: "-12%",
        -3: "-300%",
    }
    assert {part: percent(part) for part in told} == told


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    for words, said in (
        (("a",), "needs two images"),
        ((), "needs two images"),
        (("--runs", "0", "a", "b"), "--runs"),
        (("--runs", "many", "a", "b"), "--runs"),
        (("--bandwidth", "fast", "a", "b"), "--bandwidth"),
        (("--bandwidth", "1", "a", "b"), "--bandwidth"),
        (("--rtt", "1h", "a", "b"), "--rtt"),
        (("--rtt", "-1ms", "a", "b"), "--rtt"),
        (("--secret", "id=a,src=-", "a", "b"), "standard input"),
        (("--platform", "linux/amd64,linux/arm64", "a", "b"), "--platform"),
    ):
        code, out, err = compare(*words)
        assert (code, out) == (2, ""), words
        assert said in err
    (tmp_path / "empty").mkdir()
    code, _, err = compare(f"{tmp_path}/empty", "b", KEZURI_ROOT=f"{tmp_path}/store")
    assert code == 2
    assert f"there is no Dockerfile in {tmp_path}/empty" in err
    assert not (tmp_path / "store").exists(), "it is told before anything is made"


@pytest.mark.slow
def test_two_dockerfiles_are_built_and_pulled(tmp_path: Path) -> None:
    from tests.integration.integration_command import Kezuri

    context = tmp_path / "context"
    (context / "src").mkdir(parents=True)
    (context / "big").write_bytes(os.urandom(300_000))
    (context / "src" / "main.py").write_text("print(1)\n")
    (context / "before").write_text("FROM scratch\nCOPY . /app/\n")
    (context / "after").write_text("FROM scratch\nCOPY src /app/src/\nUSER 7\n")
    (context / "after.dockerignore").write_text("big\n")
    kezuri = Kezuri(tmp_path / "store", tmp_path)
    words = ("--runs", "2", "--bandwidth", "80M", "--rtt", "1ms", "--progress", "plain", "--format", "json")
    answer = kezuri("compare", *words, f"{context}/before", f"{context}/after")
    assert answer.code == 0, answer.text
    said = json.loads(answer.out)
    rows = {row["key"]: row for row in said["figures"]}
    assert rows["size.wire"]["saved"] > 0.9
    assert rows["files"]["after"]["median"] == 1
    assert rows["context"]["saved"] > 0.9
    assert rows["user"]["after"] == {"text": "7"}
    for key in ("build.cold", "build.unchanged", "build.edit", "pull"):
        assert all(len(rows[key][side]["runs"]) == 2 for side in ("before", "after")), key
        assert all(run > 0 for side in ("before", "after") for run in rows[key][side]["runs"])
    assert said["conditions"]["edited"] == ["src/main.py", "src/main.py"]
    assert said["conditions"]["bandwidth"] == 80_000_000
    assert (context / "src" / "main.py").read_text() == "print(1)\n", "the edit is in a copy"
    # The user's store has neither images nor results of it, nor is anything left.
    assert kezuri("images", "-q").out == ""
    assert os.listdir(tmp_path / "store" / "tmp") == []
    own = kezuri("compare", *words, "--no-build-times", "--no-check", f"{context}/before", f"{context}/after",
                 environ={"PATH": "/nowhere"})  # fmt: skip
    assert own.code == 0, own.text
    assert json.loads(own.out)["conditions"]["registry"] == "kezuri's own"

    (context / "before").write_text("FROM scratch\nCOPY nothing /\n")
    broken = kezuri("compare", *words, f"{context}/before", f"{context}/after")
    assert broken.code
    assert f"{context}/before:2:6" in broken.err, "it points into the user's own file"
    assert f"({context})" in broken.err and "store/tmp" not in broken.err, "nor does it name our copy of the context"
    assert "build, cold" not in broken.err, "nothing is built for it"
    (context / "before").write_text('FROM scratch\nRUN ["/nothing"]\n')
    broken = kezuri("compare", *words, f"{context}/before", f"{context}/after")
    assert broken.code and f"error: {context}/before cannot be built" in broken.err
    assert os.listdir(tmp_path / "store" / "tmp") == []


def test_a_name_that_can_be_none_is_told_before_anything_is_built(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\n")
    code, _, err = compare(str(dockerfile), "Dockerfile.old", KEZURI_ROOT=str(tmp_path / "root"))
    assert code == 2 and "Dockerfile.old" in err and "build context" not in err
