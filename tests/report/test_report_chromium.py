"""The report in a real Chromium: drawn by itself, used by mouse and keyboard, asking nobody, running no name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.report import report_chromium
from tests.report.report_chromium import Chromium
from tests.report.report_images import HOSTILE
from tests.report.report_pages import write_pages

from kezuri.cli.figures import percent, seconds
from kezuri.cli.phrase import plainly
from kezuri.cli.quantities import duration, size

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not report_chromium.found(), reason="there is no chromium with a driver"),
]

LARGE = 100_000


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the pages."""
    made = tmp_path_factory.mktemp("pages")
    write_pages(made, LARGE)
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with report_chromium.chromium(tmp_path_factory.mktemp("chromium")) as window:
        yield window


@pytest.fixture
def window(browser: Chromium) -> Iterator[Chromium]:
    """The browser as it was; nothing may be in its console afterwards, and nothing was asked of anybody."""
    browser.size(1280, 900)
    browser.scheme("light")
    yield browser
    assert browser.logged() == []
    asked = [address for address in browser.asked() if not address.startswith(("data:", "blob:"))]
    assert all(re.fullmatch(r"file:///.*/\w+\.html", address) for address in asked), asked


def active(window: Chromium) -> str:
    """The name in the row that is chosen in the first tree."""
    return window.text(".tree .row.active .mono").lstrip("▸▾ ").strip()


def tile(window: Chromium, label: str) -> tuple[int, int]:
    """The middle of the heading of a tile of the treemap."""
    window.drawn()
    window.run("document.querySelector('.chart.map').scrollIntoView({block: 'center'})")
    place = window.until(
        """const found = [...document.querySelectorAll('.chart.map g.slice')]
               .find((slice) => slice.querySelector('text')?.textContent.startsWith(arguments[0]));
           const text = found?.querySelector('text').getBoundingClientRect();
           return text && text.width ? [text.x + text.width / 2, text.y + Math.min(8, text.height / 2)] : null""",
        label,
    )
    return int(place[0]), int(place[1])


def crumbs(window: Chromium) -> str:
    return window.text(".crumbs")


def test_names_of_files_are_shown_and_run_nothing(window: Chromium, pages: Path) -> None:
    window.open(pages / "all.html").drawn()
    assert window.run("return document.title") == "a page </title><script>"
    window.choose("[data-filter=group]", "layer")
    window.choose("[data-filter=group]", "path")
    for name in HOSTILE:
        shown = name.replace("/", "\\").replace("\n", "\\n").replace("\x1b", "\\x1b")
        shown = shown.replace("\u202e", "\\u202e").replace("\udce9", "\\xe9")
        window.run("kezuri.page.states[0].explorer.filter({sought: arguments[0]})", shown)
        assert window.run("return kezuri.page.states[0].explorer.root.many") >= 15, name
    assert window.run("return document.title") == "a page </title><script>"
    assert window.run("return document.querySelectorAll('main script, main img, .chart a, main iframe').length") == 0
    # A script that gets into the page all the same is not run, which the console tells.
    window.run(
        "const s = document.createElement('script'); s.textContent = 'window.taken = 1'; document.body.append(s)"
    )
    assert window.run("return window.taken ?? 0") == 0
    assert any("Content Security Policy" in line for line in window.logged())


def test_the_treemap_is_entered_and_left_by_the_mouse(window: Chromium, pages: Path) -> None:
    window.open(pages / "all.html")
    before = crumbs(window)
    window.click_at(*tile(window, "usr/"))
    window.until("return document.querySelector('.crumbs').innerText.includes('usr/')")
    assert window.run("return document.querySelector('.tree .row [role=gridcell]').innerText").count("script") > 0
    window.click_at(*tile(window, "<b>bold<\\b>/"))
    window.until("return document.querySelector('.crumbs').innerText.includes('bold')")
    window.click_at(*tile(window, "<b>bold<\\b>/"))  # the heading of all leads out again
    window.until("return !document.querySelector('.crumbs').innerText.includes('bold')")
    window.click(".crumbs button")
    assert crumbs(window) == before
    # A file is chosen in the tree, which opens as far as that; what is known of it is told.
    window.click_at(*tile(window, "two"))
    window.until("return document.querySelector('.detail').innerText.includes('/app/two')")
    assert active(window) == "two"


def test_the_tree_is_used_by_the_keyboard_alone(window: Chromium, pages: Path) -> None:
    window.open(pages / "all.html").drawn()
    window.press("/")
    assert window.run("return document.activeElement.dataset.filter") == "sought"
    window.press(*"/P.ONE$/")
    window.until("return document.querySelector('.bar [role=status]').innerText.startsWith('2 files')")
    window.press("Down")  # out of the field into the tree
    window.press("Down")
    assert active(window) == "one"
    detail = window.text(".detail")
    assert "Dockerfile:4" in detail and "covers 5kB of layer 1" in detail and "ghp_" not in detail
    window.press("Down")
    assert "written again, the same bytes, by layer 2" in window.text(".detail")
    window.press("/")
    window.press("Escape")
    window.until("return document.querySelector('.bar [role=status]').innerText.startsWith('234 files')")
    window.run("document.querySelector('.tree').focus()")
    window.press("Home", "Right", "Down")
    assert active(window) != "usr/"
    window.press("Left")
    assert active(window) == "usr/"
    window.press("Left", "Enter")
    window.until("return document.querySelector('.crumbs').innerText.includes('usr/')")
    window.press("Backspace")
    assert "usr/" not in crumbs(window) and active(window) == "usr/"
    window.press("End")
    assert active(window) != "usr/"


def test_filters_and_tables_lead_to_each_other(window: Chromium, pages: Path) -> None:
    window.open(pages / "all.html").drawn()
    window.choose("[data-filter=view]", "wasted")
    assert "3 files, 25.7kB" in window.text(".bar [role=status]")
    window.choose("[data-filter=view]", "removals")
    assert "1 files, 0B" in window.text(".bar [role=status]")
    window.choose("[data-filter=view]", "changed")
    assert "2 files, 5.9kB" in window.text(".bar [role=status]")
    window.choose("[data-filter=view]", "image")
    window.click(".bar button")
    assert window.run("return document.querySelector('[data-filter=view]').value") == "all"
    window.click("#layers tbody tr:nth-child(2) button")
    assert window.run("return document.querySelector('[data-filter=layer]').value") == "1"
    assert "2 files, 9kB" in window.text(".bar [role=status]")
    window.run("kezuri.page.states[0].explorer.filter({sought: '/(/', layer: -1})")
    assert window.text(".bar [role=status]") == "no regular expression"


def test_both_languages_and_both_themes(window: Chromium, pages: Path) -> None:
    window.scheme("dark")
    window.open(pages / "all.html").drawn()
    assert window.run("return document.documentElement.dataset.theme") == "dark"
    dark = window.run("return getComputedStyle(document.body).backgroundColor")
    window.press("t")
    assert window.run("return getComputedStyle(document.body).backgroundColor") != dark
    window.click("#language")
    window.drawn()
    assert window.run("return document.documentElement.lang") == "ja"
    said = window.text("main")
    for text in (
        "改善前",
        "改善後",
        "削減率",
        "レイヤー",
        "訳 size.wire",
        "訳 far below",
        "新しい",
        "ビルドのタイムライン",
    ):
        assert text in said, text
    window.choose("[data-filter=group]", "owner")
    window.choose("[data-filter=view]", "wasted")
    assert window.run("return [...kezuri.unsaid]") == [], "sentences without Japanese"
    window.run("document.activeElement.blur()")
    window.press("L")
    assert window.run("return document.documentElement.lang") == "en"
    assert window.run("return document.querySelector('[data-filter=view]').value") == "wasted", "filters stay"


def test_findings_stand_below_their_lines(window: Chromium, pages: Path) -> None:
    window.open(pages / "check.html")
    lines = window.text(".sheet .lines")
    assert lines.index("WORKDIR a") < lines.index("it is relative") < lines.index("RUN x")
    assert window.run("return document.querySelector('.lines u').textContent") == "WORKDIR a"
    assert "⋯ 17 lines" in window.text("main") or "lines" in window.text(".gap")
    many = window.run("return document.querySelectorAll('.lines .line').length")
    window.click(".gap button")
    assert window.run("return document.querySelectorAll('.lines .line').length") > many
    window.click("[data-level=error]")
    assert window.run("return document.querySelectorAll('.finding.error').length") == 0
    window.click("input")
    window.press(*"nowhere")
    assert "0 of" in window.text(".bar [role=status]")


def test_findings_of_a_scan_are_filtered_sorted_and_said_in_japanese(window: Chromium, pages: Path) -> None:
    window.open(pages / "scan.html")
    rows = "return [...document.querySelectorAll('#section-0 table:has(.badge) tbody tr')].map((row) => row.innerText)"
    assert len(window.run(rows)) == 8 and "ransomware" in window.run(rows)[0]
    window.click("#section-0 .bar [data-level=warning]")
    assert len(window.run(rows)) == 7
    window.run("document.querySelector('#section-0 table:has(.badge) th button').click()")
    assert window.run(rows)[0].startswith("critical") and window.run(rows)[-1].startswith("unknown")
    window.click("#section-0 input")
    window.press(*"scope/x")
    assert [row.split()[0] for row in window.run(rows)] == ["critical"] * 3
    assert "3 of 8" in window.text("#section-0 .bar [role=status]")
    window.run("document.querySelector('#language').click()")
    assert window.run("return document.documentElement.lang") == "ja"
    assert window.run("return [...window.kezuri.unsaid]") == []
    assert "<b>" in window.text("#section-2"), "names of others are text"


def test_tables_are_sorted_and_shown_whole(window: Chromium, pages: Path) -> None:
    window.open(pages / "all.html").drawn()
    first = "return document.querySelector('#layers tbody tr').cells[0].innerText"
    useful = "#layers th:nth-child(4) button"
    assert window.run(first) == "1"
    window.click(useful)
    window.click(useful)
    assert window.run("return document.querySelector('#layers th:nth-child(4)').ariaSort") == "ascending"
    assert window.run(first) == "3"
    window.click(useful)
    assert window.run(first) == "1"
    rows = "return document.querySelector('.more').previousElementSibling.querySelectorAll('tbody tr').length"
    many = window.run(rows)
    window.run("window.more = document.querySelector('.more').previousElementSibling")
    window.click(".more")
    assert window.run("return window.more.querySelectorAll('tbody tr').length") > many


def test_the_table_says_what_was_saved_and_what_grew(window: Chromium, pages: Path) -> None:
    window.open(pages / "all.html").drawn()
    rows = window.run("return [...document.querySelectorAll('#comparison tbody tr')].map((row) => row.innerText)")
    assert rows[0].split("\t")[:4] == ["Size on the wire", "1.2GB", "180MB", "85%"]
    assert "3 runs, 8.0 s to 10 s" in rows[1] and "within the spread" in rows[1]
    assert "-80%" in rows[2] and "<b>app</b>" in rows[4]
    assert window.run("return document.querySelectorAll('#comparison .bad').length") == 1
    numbers = (1125, 12_250, 13_500_500, 999_499, 1, 0)
    assert window.run("return arguments[0].map(size)", numbers) == [size(number) for number in numbers]
    times = (0, 0.004, 0.126, 0.5, 2.34, 10.5, 59.4, 60, 3 * 3600 + 60)
    assert window.run("return arguments[0].map(duration)", times) == [duration(time) for time in times]
    assert window.run("return arguments[0].map(measured)", times) == [seconds(time, plainly) for time in times]
    parts = (0.85, 0.996, 0.99, 1, 0.004, -0.05, -0.8, -40, 0)
    assert window.run("return arguments[0].map(gone)", parts) == [percent(part) for part in parts]
    ids = window.run("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids)), "no two elements have one id"
    text = window.text("#profile")
    assert "RUN <b>make</b>" in text and "1 of 2" in text and "it was new" in text


def test_an_image_of_nothing_has_a_page(window: Chromium, pages: Path) -> None:
    window.open(pages / "nothing.html").drawn()
    assert "nothing fits" in window.text(".tree") and "0 files, 0B" in window.text(".bar [role=status]")
    window.run("document.querySelector('.tree').focus()")
    window.press("Down", "Right", "Enter", "Backspace", "End")


def test_small_screens_and_paper(window: Chromium, pages: Path) -> None:
    window.size(390, 844)
    window.open(pages / "all.html").drawn()
    assert window.run("return document.documentElement.scrollWidth") <= 390
    after = "return document.querySelector('#comparison th:nth-child(4)').getBoundingClientRect().right"
    assert window.run(after) <= 390, "before, after and what was saved are seen at once"
    window.size(1280, 900)
    window.press("t")
    paper = window.printed()
    assert paper.startswith(b"%PDF") and 3 < len(re.findall(rb"/Type\s*/Page\b", paper)) < 30
    window.until("return document.documentElement.dataset.theme === 'dark'")


def test_a_hundred_thousand_files_are_no_more_than_what_one_sees(window: Chromium, pages: Path) -> None:
    window.open(pages / "large.html").drawn()
    assert window.run("return kezuri.page.states[0].files.length") == LARGE * 11 // 10
    elements = "return document.querySelectorAll('*').length"
    assert window.run(elements) < 6000
    window.choose("[data-filter=group]", "owner")
    window.choose("[data-filter=group]", "path")
    window.run("kezuri.page.states[0].explorer.filter({sought: 'file-7'})")
    window.run("kezuri.page.states[0].explorer.filter({sought: ''})")
    window.run("document.querySelector('.tree').focus()")
    window.press("Right", "Down", "Right", "Down", "Right", "End", "Home", "PageDown")
    assert window.run("return document.querySelectorAll('.tree .row').length") < 60
    assert window.run(elements) < 6000
    assert window.run("return document.querySelectorAll('.chart.map g.slice').length") < 2500
