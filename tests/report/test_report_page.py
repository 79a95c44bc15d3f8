"""Pages hold what they are made of, all of it and nothing that runs by itself; both of their languages are whole."""

import base64
import gzip
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.anatomy.test_anatomy_tree import stacks, taken_apart
from tests.report.report_images import HOSTILE, Large, hostile_section
from tests.report.report_pages import scanned
from tests.report.scan_samples import BILL as SAMPLE_BILL
from tests.report.scan_samples import EVERY
from tests.report.scan_samples import REPORT as SAMPLE
from tests.report.test_report_forms import ONE
from tests.report.test_report_forms import told as finding

from kezuri.anatomy.dissection import Dissection
from kezuri.check.told import Sheet
from kezuri.diagnostics import KezuriError, SourceText, visible
from kezuri.layer.entry import Item
from kezuri.report import html, html_scan
from kezuri.report.html_anatomy import anatomy_section
from kezuri.report.html_findings import findings_section
from kezuri.report.html_tree import MOST, tree

Row = tuple[str, str, int, int, str, int, int, str]


def unfolded(columns: dict[str, Any]) -> list[Row]:
    """The rows as the page reads them."""
    paths = [""]
    for name, parent in zip(columns["directories"].split("/")[1:], columns["parent"][1:], strict=True):
        paths.append(f"{paths[parent]}/{name}")
    assert all(parent < number for number, parent in enumerate(columns["parent"]) if number)
    names = columns["names"].split("/") if columns["size"] else []
    rows, number, name = [], 0, ""
    for directory, many in enumerate(columns["counts"]):
        for _ in range(many):
            name = names[number] or name
            row = (columns["kind"][number], columns["size"][number], columns["layer"][number], columns["fate"][number])
            leftover = columns["leftovers"][columns["leftover"][number]]
            rows.append((f"{paths[directory]}/{name}", *row, columns["by"][number], columns["owner"][number], leftover))
            number += 1
    assert number == len(names) == len(columns["size"]) == len(columns["kind"])
    return rows


def told(image: Dissection) -> list[Row]:
    """What the rows must be."""
    kinds = {"file": "f", "symlink": "s", "hardlink": "h", "whiteout": "w", "char": "c", "block": "b", "fifo": "p"}
    fates = {"shown": "0", "removed": "1", "replaced": "2", "rewritten": "3"}
    return [
        (
            "/" + "/".join(map(visible, piece.entry.path.split("/"))),
            kinds[piece.entry.kind],
            piece.size,
            piece.layer,
            fates[piece.fate],
            piece.by,
            piece.owner,
            piece.leftover,
        )
        for piece in image.pieces()
        if piece.entry.kind != "dir"
    ]


def check_columns(layers: list[list[Item]]) -> None:
    try:
        image = taken_apart(layers)
    except KezuriError:
        assume(False)  # nobody could unpack such a layer
    every = told(image)
    assert sorted(unfolded(tree(image, len(every)))) == sorted(every)
    if len(every) > 2:
        few = unfolded(tree(image, len(every), 2))
        assert len([row for row in few if row[1] != "m"]) <= 2
        assert sum(int(row[0].rpartition("/")[2]) if row[1] == "m" else 1 for row in few) == len(every)
        for layer in range(len(layers)):
            for fate in "0123":
                assert sum(r[2] for r in few if (r[3], r[4]) == (layer, fate)) == sum(
                    r[2] for r in every if (r[3], r[4]) == (layer, fate)
                )


@settings(max_examples=10, deadline=None)
@given(stacks)
def test_columns_say_every_entry_and_small_files_together_lose_no_byte(layers: list[list[Item]]) -> None:
    check_columns(layers)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(stacks)
def test_columns_say_every_entry_of_many_images(layers: list[list[Item]]) -> None:
    check_columns(layers)


def data_of(page: bytes) -> Any:
    packed = re.search(rb'id="data">([^<]*)<', page)
    assert packed is not None
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


def test_a_page_holds_its_data_and_no_text_of_others_as_markup() -> None:
    section = hostile_section()
    made = html.page(f"an image {HOSTILE[0]}\x1b", [section], "ja")
    assert made == html.page(f"an image {HOSTILE[0]}\x1b", [section], "ja"), "equal sections give equal bytes"
    assert data_of(made)["sections"] == [json.loads(json.dumps(section))]
    text = made.decode()
    assert text.count("<script") == text.count("</script>") == 3
    assert text.count("taken") == 0 or "&lt;/script&gt;" in text.split("</title>")[0]
    assert '<html lang="ja">' in text and "\x1b" not in text
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", text.split('id="data"')[0])
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', unescape(text))
    assert policy is not None and "default-src 'none'" in policy[1] and "unsafe-eval" not in policy[1]
    scripts = policy[1].split("script-src ")[1].split(";")[0]
    assert scripts.count("sha256-") == 2 and "unsafe" not in scripts
    assert all("ghp_" not in layer["text"] for layer in section["layers"]), "what looks like a secret is blotted out"
    plain = html.page("findings", [findings_section([ONE])])
    assert len(plain) < 150_000 and "plotly" not in plain.decode().split("<script>")[0], "no charts, no library"


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "find_spec", lambda name: None)
    with pytest.raises(KezuriError) as caught:
        html.page("x", [{"kind": "comparison"}])
    assert "kezuri[html]" in caught.value.diagnostics[0].hint
    assert html.page("x", [findings_section([ONE])]), "findings have no charts"


def test_large_images_are_bounded() -> None:
    large = Large(4000)
    section = anatomy_section(large.dissection(), large.anatomy(), most=1000)
    assert len(section["tree"]["size"]) < 1500
    assert sum(section["tree"]["size"]) == sum(piece.size for piece in large.pieces())
    assert MOST >= 100_000


def test_the_words_of_the_page_are_said_in_japanese_and_no_others() -> None:
    program = "\n".join(html.own(name) for name in html.PROGRAM)
    assert sorted(html.PROGRAM) == sorted(
        path.name for path in Path(html.__file__).parent.joinpath("page").glob("*.js")
    )
    words = html.words()
    said = {json.loads(f'"{text}"') for text in re.findall(r'\bt\("((?:[^"\\]|\\.)*)"', program)}
    assert not said - words.keys(), "without Japanese"
    for text in words.keys() - {"ran", "cached", "shared", "not reached", "failed", "canceled"}:
        # Keys of objects need no quotes: `shown`.
        assert json.dumps(text, ensure_ascii=False) in program or re.search(rf"\b{text}:", program), (
            f"nobody says {text}"
        )
    for english, japanese in words.items():
        assert english.count("{") == japanese.count("{"), english


def test_findings_stand_with_their_lines() -> None:
    section = findings_section([ONE], ["not read"], lambda text: f"訳 {text}")
    sheet = section["sheets"][0]
    assert sheet["lines"] == ["FROM scratch", "WORKDIR a", "RUN x \\", "  y", "WORKDIR a"]
    [found] = sheet["told"]
    assert (found["line"], found["span"], found["level"]) == (2, [2, 1, 2, 10], "warning")
    assert found["message_ja"] == "訳 it is relative" and section["told"] == ["not read"]

    key = "\n".join(("-----BEGIN PRIVATE KEY-----", "c2VjcmV0" * 8, "c2VjcmV0" * 8, "-----END PRIVATE KEY-----"))
    token = "ghp_" + "aB3dE5gH7j" * 4
    text = f"FROM scratch\n# {'-' * 385} {token}\nWORKDIR a\n{key}\n"
    text += 'ARG DB_PASSWORD=hunter2\nENV A=b API_TOKEN="hunter2 x" C=$D\nENV PASSWORD=$PASSWORD TOKEN=""\n'
    at = text.index("WORKDIR")
    hidden = finding((at, at + 9), "error", f"{token} stands here", source=SourceText("Dockerfile", text))
    section = findings_section([Sheet(hidden.source, (hidden,))], [f"{token} was not read"])
    assert len(section["sheets"][0]["lines"]) == text.count("\n"), "every line stands at its number"
    assert section["sheets"][0]["lines"][2] == "WORKDIR a"
    assert section["sheets"][0]["lines"][-3:] == [
        "ARG DB_PASSWORD=*****", "ENV A=b API_TOKEN=***** C=$D", 'ENV PASSWORD=$PASSWORD TOKEN=""'
    ]  # fmt: skip
    assert "ghp_" not in json.dumps(section) and "c2VjcmV0" not in json.dumps(section), "not a part of a secret"


@given(st.text())
@settings(max_examples=20, deadline=None)
def test_any_title_is_a_title(title: str) -> None:
    made = html.page(title, [])
    assert b"</title>" in made and made.count(b"<script") == 3


def test_a_scan_is_a_section_in_both_languages() -> None:
    section = scanned(SAMPLE, SAMPLE_BILL)
    assert section["counts"] == {"critical": 4, "high": 2, "medium": 1, "low": 0, "unknown": 1}
    assert section["exploited"] == 1 and len(section["findings"]) == len(SAMPLE.findings)
    assert [each["id"] for each in section["findings"] if each["ignored"]] == ["CVE-2024-4"]
    assert section["findings"][0]["url"].startswith("https://") and section["findings"][1]["where"].endswith(
        "Dockerfile:7"
    )
    assert section["remedies"] and section["remedies"][-1]["none"]
    for report, bill in EVERY:
        found = scanned(report, bill)
        text = json.dumps(found, ensure_ascii=False)
        assert text.isprintable() and all(not each["url"] or each["url"].isascii() for each in found["findings"])
        assert len(html.page("scan", [found])) < 150_000, "no charts, no library"


def test_no_more_findings_than_a_page_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_scan, "MOST", 3)
    section = scanned(SAMPLE, SAMPLE_BILL)
    assert len(section["findings"]) == 3 and section["more"] == len(SAMPLE.findings) - 3
