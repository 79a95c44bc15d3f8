"""`kezuri analyze`: what is printed of an image, in which form, and with which exit code it ends."""

import io
import json
import os
import re
import tarfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.anatomy.anatomy_images import packed
from tests.cli.cli_terminal import Terminal

from kezuri.anatomy.advice import advise
from kezuri.anatomy.values import (
    APPLICATION,
    NOBODY,
    Anatomy,
    Duplicate,
    Heap,
    LayerShare,
    Leftover,
    Maker,
    Owner,
    OwnerShare,
    Waste,
)
from kezuri.check.image.rule import ExampleLayer, Made
from kezuri.cli.analyze_text import AnalyzeText
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.cli.screen_text import width

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "analyze.schema.json").read_text())
LAYERS: tuple[ExampleLayer, ...] = (
    {"bin/sh": Made(b"s" * 9000, 0o755), "etc/passwd": Made(b"root:x:0:0:\n")},
    {"app/data": Made(b"d" * 20_000), "app/copy": Made(b"d" * 20_000), "tmp/big": Made(b"t" * 50_000)},
    {"tmp/big": Made(kind="whiteout"), "app/data": Made(b"d" * 20_000, uid=7), "\x1b[31mé\udce9": Made(b"?")},
)


def archive(path: Path, layers: Sequence[ExampleLayer] = LAYERS) -> str:
    """An archive as `docker save` makes it; the name to analyse it by."""
    tars = [packed(layer) for layer in layers]
    instructions = ("FROM base", "COPY . /app", "RUN chown -R 7 /app; rm /tmp/big")
    history = [{"created_by": each} for each in instructions]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "history": history[: len(layers)],
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(tar).hexdigest()}" for tar in tars]},
        }
    ).encode()
    names = [f"{number}/layer.tar" for number in range(len(tars))]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["app:1"], "Layers": names}]).encode()
    with tarfile.open(path, "w") as out:
        for name, data in (("manifest.json", manifest), ("config.json", config), *zip(names, tars)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return f"docker-archive:{path}"


@pytest.fixture
def analyze(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    image = archive(tmp_path / "image.tar")

    def run(*argv: str, out: io.StringIO | None = None, **environ: str) -> tuple[int, str, str]:
        out, err = out or io.StringIO(), io.StringIO()
        known = {"HOME": f"{tmp_path}", "KEZURI_ROOT": f"{tmp_path}/root", **environ}
        code = call(("analyze", *argv, image), Console(out, err, known))
        return code, out.getvalue(), err.getvalue()

    return run


def test_a_person_reads_what_could_go(analyze: Any) -> None:
    code, out, err = analyze()
    assert (code, err) == (0, "")
    blocks = [block.split("\n") for block in out.split("\n\n")]
    assert blocks[0][1].endswith(" on the wire, in 3 layers") and "unpacked" in blocks[0][1]
    assert "49kB useful, 70kB wasted" in out and "of the wasted, 20kB are there again" in out
    assert blocks[1][0].split() == ["#", "SIZE", "USEFUL", "WASTED", "ON", "THE", "WIRE", "MADE", "BY"]
    assert [line.split()[0] for line in blocks[1][1:]] == ["2", "3", "1"], "the largest first"
    advice = out[out.index("WHAT COULD GO") :]
    assert "of layer 2, removed by layer 3, which only hides it" in advice and "/tmp/big" in advice
    assert "FilesStoredTwice: set owner and mode as the files come in" in advice
    assert advice.index("removed by layer 3") < advice.index("stored again") < advice.index("the same content")
    assert "\x1b" not in out


def test_the_json_is_as_the_schema_says(analyze: Any) -> None:
    code, out, err = analyze("--format", "json", "--ci", "--highest-wasted-bytes", "60kB", "--ignore", "tmp")
    said = json.loads(out)
    assert (code, err) == (1, "")
    invalid(said, SCHEMA)
    sizes = said["sizes"]
    assert sizes["tar"] == sizes["useful"] + sizes["wasted"] + sizes["metadata"]
    assert sizes["wasted"] == 70_000 and said["ignored"] == ["tmp"]
    assert [each["fate"] for each in said["waste"]] == ["rewritten"], "what is ignored is not among what could go"
    assert [(each["rule"], each["state"]) for each in said["rules"]] == [
        ("lowestEfficiency", "fail"),
        ("highestWastedBytes", "pass"),
        ("highestUserWastedPercent", "fail"),
    ]


def invalid(value: Any, schema: Mapping[str, Any], where: str = "$") -> None:
    """AssertionError where a value is not as its schema says; a property that the schema does not have is none, too."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    known: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float)}
    known |= {"boolean": (bool,), "null": (type(None),), "object": (dict,), "array": (list,)}
    types = schema.get("type", [])
    if types:
        types = [types] if isinstance(types, str) else types
        assert any(isinstance(value, known[each]) for each in types), f"{where}: {value!r} is not of {types}"
    assert value in schema.get("enum", [value]) and value == schema.get("const", value), where
    assert not isinstance(value, int) or value >= schema.get("minimum", value), where
    if isinstance(value, dict):
        assert value.keys() == schema["properties"].keys() == set(schema["required"]), where
        for name, each in value.items():
            invalid(each, schema["properties"][name], f"{where}.{name}")
    if isinstance(value, list):
        for number, each in enumerate(value):
            invalid(each, schema["items"], f"{where}[{number}]")


def test_markdown_shows_what_others_wrote_and_means_nothing_by_it(analyze: Any) -> None:
    code, out, _ = analyze("--format", "markdown", "--ci")
    assert code == 1 and out.startswith("### `docker-archive:")
    tables = [line for line in out.split("\n") if line.startswith("|")]
    assert "| fails | lowestEfficiency | 0.4118, at least 0.9 |" in tables
    assert any("<br>`RUN chown -R 7 /app; rm /tmp/big`" in line for line in tables)
    assert "\x1b" not in out and "| 1 | " in out


def test_dive_is_asked_for_its_numbers(analyze: Any) -> None:
    code, out, _ = analyze("--compat", "dive")
    assert code == 0 and out.startswith(
        "Analysis:\n  efficiency:        41.18 %\n  wastedBytes:       90000 bytes (90 kB)\n"
    )
    assert "  2      50 kB         /tmp/big" in out and "Evaluation" not in out
    code, out, _ = analyze("--compat", "dive", CI="true")
    assert code == 1 and "FAIL  lowestEfficiency (image efficiency is too low (efficiency=0.41 < threshold=0.9))" in out
    code, out, _ = analyze("--compat=dive", "--ci", "--lowestEfficiency=0.1", "--highestUserWastedPercent", "disabled")
    assert code == 0 and out.endswith("PASS [pass:1 skip:2]\n")
    code, out, _ = analyze("--compat", "dive", "--format", "json", "--ignore", "/tmp/*")
    assert code == 0 and json.loads(out)["image"]["inefficientBytes"] == 40_000
    code, _, err = analyze("--compat", "dive", "--json", "out.json")
    assert code == 2 and "--format json > FILE" in err
    code, _, err = analyze("--compat", "dive", "--format", "markdown")
    assert code == 2 and "dive has no Markdown" in err


def test_dive_ci_is_read_where_rules_are_asked(analyze: Any, tmp_path: Path) -> None:
    file = tmp_path / ".dive-ci"
    file.write_text("rules:\n  lowestEfficiency: 0.2\n  highestWastedBytes: 1MB\n  highestUserWastedPercent: 0.9\n")
    assert analyze()[0] == 0 and "lowestEfficiency" not in analyze()[1]
    for environ in ({"CI": "true"}, {"CI": "1"}):
        code, out, _ = analyze(**environ)
        assert code == 0 and out.count("passes") == 3
    assert analyze("--ci=false", CI="true")[1].count("passes") == 0
    assert analyze("--ci", "--lowest-efficiency", "0.9")[0] == 1, "the command line has the last word"
    file.write_text("rules:\n  lowestEfficiency: disabled\nignore:\n  - tmp/**\n  - '**/data'\nother: 1\n")
    code, out, _ = analyze("--ci")
    assert code == 0 and "off" in out and "removed by" not in out
    assert analyze("--ci-config", "none")[0] == 2
    assert analyze("--highest-wasted-bytes", "1")[0] == 1, "a limit alone is a rule"
    assert analyze("--highest-wasted-bytes", "1GB")[0] == 0


def test_what_is_wrong_with_a_dive_ci_is_said_where_it_stands(analyze: Any, tmp_path: Path) -> None:
    file = tmp_path / ".dive-ci"
    for text, said in (
        ("rules:\n  lowestEfficency: 0.2\n", "unknown rule 'lowestEfficency' in .dive-ci"),
        ("rules:\n  lowestEfficiency: 95\n", "lowestEfficiency cannot be '95'"),
        ("rules:\n  highestWastedBytes: [1]\n", "highestWastedBytes is one value"),
        ("- rules\n", ".dive-ci is no table of keys"),
        ("ignore: {a: b}\n", "ignore is a list of patterns"),
        ("ignore: ['[']\n", ""),
        ("rules: {", ""),
        ("a" * 600_000, ""),
        ("\0\udc80", ""),
    ):
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        code, out, err = analyze("--ci")
        assert code == 2 and not out and err.startswith("error: ") and said in err, (text[:40], err)
    file.write_text("")
    assert analyze("--ci")[0] == 1, "an empty file leaves dive's own limits"
    file.unlink()
    os.mkfifo(file)
    code, _, err = analyze("--ci")
    assert code == 2 and ".dive-ci is no file" in err
    for option in (
        "--ignore=[",
        "--lowest-efficiency=2",
        "--highest-wasted-bytes=lots",
        "--highest-user-wasted-percent=-1",
    ):
        assert analyze(option)[0] == 2


def test_what_cannot_be_read_is_said(analyze: Any, tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    environ = {"HOME": f"{tmp_path}", "KEZURI_ROOT": f"{tmp_path}/root"}
    assert call(("analyze", "nothing:here", "--platform", "linux/none"), Console(out, err, environ)) != 0
    assert call(("analyze", f"docker-archive:{tmp_path}"), Console(out, err, environ)) != 0
    (tmp_path / "image.tar").write_bytes(b"no tar")
    assert analyze()[0] != 0 and "Traceback" not in analyze()[2] + err.getvalue()


def test_no_rule_is_asked_of_a_part_of_an_image(analyze: Any, tmp_path: Path) -> None:
    file = tmp_path / "image.tar"
    file.write_bytes(file.read_bytes().replace(b"t" * 50_000, b"T" * 50_000))
    code, out, _ = analyze()
    assert code == 0 and "layer 2 could not be read" in out and re.search(r"^2 +[?] +[?] +[?] +\S", out, re.MULTILINE)
    code, out, _ = analyze("--format", "json")
    said = json.loads(out)
    invalid(said, SCHEMA)
    assert code == 0 and said["layers"][1]["unread"] and said["told"]
    assert "| 2 | ? | ? | ? |" in analyze("--format", "markdown")[1]
    for argv in (("--ci",), ("--lowest-efficiency", "0"), ("--compat", "dive")):
        code, out, err = analyze(*argv)
        assert code == 125 and not out and "layer 2 could not be read" in err


def large() -> Anatomy:
    """An image of many layers, owners and files with names that nobody should have."""
    evil = "e\x1b]0;x\x07vil\u202e/\udce9/" + "長い名前" * 40
    makers = [Maker("RUN a\x1b[2J" + "b" * 300, f"/src/{evil}/Dockerfile", n + 1) for n in range(24)]
    makers[0] = Maker("ADD x", of_base=True, base=evil)
    layers = tuple(LayerShare(n, "", m, 3000, 1000, 1000, 1000, 10, 5, 9, 700) for n, m in enumerate(makers))
    many = [OwnerShare(Owner("language", "npm", f"{evil}{n}", "1"), 10**6 - n, 5, 3) for n in range(30)]
    many += [
        OwnerShare(APPLICATION, 5, 0, 1),
        OwnerShare(NOBODY, 0, 9, 0),
        OwnerShare(Owner("system", "deb", "x"), 9, 0, 1),
    ]
    heap = Heap(9, 50_000, ((9000, evil), (8000, "b"), (7000, "c"), (6000, "d")))
    waste = (*(Waste("removed", n, n + 1, heap) for n in range(20)), Waste("superseded", 3, 3, Heap(1, 9000)))
    left = (Leftover("apt-lists", 1, heap, ""), Leftover("unheard-of", 2, heap))
    return Anatomy(
        evil, "sha256:" + "a" * 64, "linux/amd64", layers, tuple(many), waste, left,
        tuple(Duplicate("sha256:1", 9000 - n, 3, (evil, "y")) for n in range(30)), (), 99, 9, (f"{evil} is not known",),
    )  # fmt: skip


@pytest.mark.parametrize("columns", [20, 40, 80, 300])
def test_pages_fit_into_a_terminal(columns: int) -> None:
    image = large()
    page = AnalyzeText(columns=columns).page(image, advise(image))
    assert page.count("--all shows them") == 3 and all(line.isprintable() for line in page.split("\n"))
    tables = page.split("\n\n")[1:-1]
    narrow = max(columns, 62)
    assert all(width(line) <= narrow for table in tables for line in table.split("\n"))
    whole = AnalyzeText(columns=columns, colour=True).page(image, advise(image), everything=True)
    assert "--all" not in whole and whole.count("of layer") >= 20
    screen = Terminal(300, 900)
    screen.write(whole.replace("\n", "\r\n"))


def test_the_base_can_be_named(analyze: Any, tmp_path: Path) -> None:
    base = archive(tmp_path / "base.tar", LAYERS[:2])
    for given in ("2", base):
        said = json.loads(analyze("--format", "json", "--base", given)[1])
        assert [layer["ofBase"] for layer in said["layers"]] == [True, True, False]
        assert [each["kind"] for each in said["advice"] if each["ofBase"]] == ["removed"], "what it removes was there"
    assert "came with the base, docker-archive:" in analyze("--base", base)[1]
    other = archive(tmp_path / "other.tar", LAYERS[1:])
    code, _, err = analyze("--base", other)
    assert code == 1 and "layer 1 is another one" in err
    assert analyze("--base", "4")[0] == 2 and analyze("--base", "docker-archive:" + "9" * 5000)[0] != 0
    code, out, _ = analyze("--base", "2", "--highest-wasted-bytes", "20kB")
    assert code == 0 and "20kB, at most 20kB" in out, "what the last layer stores again is its own"


def test_japanese(analyze: Any) -> None:
    code, out, _ = analyze("--ci", LANG="ja_JP.UTF-8")
    assert code == 1 and "減らせるもの" in out and "不合格" in out and "所有者とモードは" in out
    assert "WASTED" not in out and "removed" not in out
