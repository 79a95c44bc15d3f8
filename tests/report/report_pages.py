"""One page of each kind, from values that are made here."""

from pathlib import Path
from typing import Any

from tests.anatomy.anatomy_images import dissected
from tests.report.report_images import Large, hostile_section
from tests.report.scan_samples import EVERY
from tests.report.test_report_forms import CLEAN, ONE, SPREAD, told

from kezuri.anatomy.summary import summarise
from kezuri.cache.journal import Asked, Heading
from kezuri.check.told import Sheet
from kezuri.cli.language import Language, catalogue
from kezuri.cli.phrase import plainly
from kezuri.cli.scan_words import ScanWords
from kezuri.comparison.values import Comparison, Conditions, Figure, Reading, Side
from kezuri.diagnostics import SourceText
from kezuri.explain.answers import Explanation
from kezuri.explain.profile import BaseCost, InstructionCost, Occasion, Profile
from kezuri.report.html import page
from kezuri.report.html_anatomy import anatomy_section
from kezuri.report.html_comparison import comparison_section
from kezuri.report.html_findings import findings_section
from kezuri.report.html_profile import profile_section
from kezuri.report.html_scan import scan_section
from kezuri.sbom.values import Bill
from kezuri.scan.remedies import remedies
from kezuri.scan.values import Report

LINES = "".join(f"RUN line {number}\n" for number in range(40))


def comparison() -> Comparison:
    """Every sort of figure: bytes, times with their spread, counts, texts, what grew, what was not measured."""
    figures = (
        Figure("size.wire", "Size on the wire", "bytes", Reading((12e8,)), Reading((18e7,)), "what travels"),
        Figure("build.cold", "Build, cold", "seconds", Reading((8.0, 9.0, 10.5)), Reading((7.0, 8.5, 9.0))),
        Figure("layers", "Layers", "count", Reading((5,)), Reading((9,))),
        Figure("setid", "Set-id files", "count", Reading((13,)), Reading((0,))),
        Figure("user", "User", "text", Reading(text="root"), Reading(text="<b>app</b>"), "", "neither"),
        Figure("pull", "Pull", "seconds", Reading(absent="not asked for"), Reading(absent="not asked for")),
    )  # fmt: skip
    conditions = Conditions(100_000_000, 0.02, "registry", 3, 2, "Linux")
    return Comparison(
        Side("a </title>", "image"), Side("b", "image"), figures, conditions, ("something was not measured",)
    )


def profile() -> Profile:
    """Two stages; one step ran, one was found, one failed."""
    heading = Heading(3, Asked("/context", "/context/Dockerfile", "", (), "/"), 0.0, 0.0)
    times = (Occasion(3, 0.0, "ran", 12.0, ()), Occasion(2, 0.0, "cached", 0.0, ()))
    steps = (
        InstructionCost(1, 0, "build", "3", "RUN", "RUN <b>make</b>", 3, "ran", 0.5, 12.0, 1000, 500, 0, False, times),
        InstructionCost(2, 0, "build", "4", "COPY", "COPY . .", 4, "cached", -1, 0.0, -1, -1, -1, False, times[1:]),
        InstructionCost(3, 1, "", "6", "RUN", "RUN false", 6, "failed", 12.5, 3.0, 0, 0, 0, True, times[:1]),
    )
    bases = (BaseCost(0, "build", "golang", 5000, 0.0, 0.5), BaseCost(1, "", "", -1, -1, 0.0))
    why = Explanation(heading, 15.5, "", (), (), False, 0, ())
    return Profile(heading, 15.5, "RUN false: exit code 1", bases, steps, (heading,), False, why)


def scanned(report: Report, bill: Bill) -> dict[str, Any]:
    """A scan as a section of a page, as `kezuri scan --html` makes it."""
    language = Language(catalogue("ja"))
    japanese = ScanWords(lambda text, *gaps: language.phrase(text, gaps), language)
    return scan_section(
        report._replace(remedies=remedies(bill, report.findings)), ScanWords(plainly), japanese, language
    )


def write_pages(directory: Path, large: int) -> None:
    """`all.html`, whose first section is the hostile image, `check.html`, `nothing.html` of an image without
    layers and, with so many files, `large.html`."""
    every = (told(span, level, f"message of {level}: <b>") for span, level in SPREAD)
    long = told((11 * 20, 11 * 20 + 8), "error", "far below", source=SourceText("long", LINES))
    sheets = [ONE, CLEAN, Sheet(SourceText("Dockerfile", ONE.source.text), tuple(every)), Sheet(long.source, (long,))]
    findings = findings_section(sheets, ["x was not read"], lambda text: f"訳 {text}")
    compared = comparison_section(
        comparison(), lambda figure: (figure.title, f"訳 {figure.key}"), lambda text: f"訳 {text}"
    )
    cost = profile_section(profile(), lambda step: ("it was new\nand more", "新しい\nほか"))
    sections = [hostile_section("Before"), hostile_section("After"), compared, cost, findings]
    (directory / "all.html").write_bytes(page("a page </title><script>", sections))
    (directory / "scan.html").write_bytes(page("scan", [scanned(report, bill) for report, bill in EVERY]))
    (directory / "check.html").write_bytes(page("check", [findings]))
    nothing = dissected()
    (directory / "nothing.html").write_bytes(page("nothing", [anatomy_section(nothing, summarise(nothing))]))
    many = Large(large)
    (directory / "large.html").write_bytes(page("large", [anatomy_section(many.dissection(), many.anatomy())]))
