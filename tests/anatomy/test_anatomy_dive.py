"""dive's numbers, by what dive itself said about the same layers, and what its report and its rules say."""

import json
import math

import pytest
from tests.anatomy.anatomy_dive import RECORDED, ours
from tests.anatomy.anatomy_images import dissected
from tests.suites.suites_folded import folded

from kezuri.anatomy.dive import DiveFigures, DiveFile, DiveLayer, dive_figures
from kezuri.anatomy.summary import summarise
from kezuri.anatomy.thresholds import Limit, Measured, Thresholds, amount, judge, of_anatomy, of_dive, ratio
from kezuri.anatomy.values import Maker
from kezuri.check.image.rule import Made
from kezuri.layer.listing import Listing
from kezuri.report.dive import humanized, text

OFF = Limit(None, "disabled")


@folded(json.loads(RECORDED.read_text()))
def test_it_says_what_dive_said(case: dict[str, object]) -> None:
    assert ours(case["layers"]) == case["dive"]  # type: ignore[arg-type]


def test_paths_can_be_ignored() -> None:
    image = dissected({"a/x": Made(b"1" * 10), "b": Made(b"2" * 5)}, {"a/x": Made(b"3" * 10)})
    assert dive_figures(image).wasted == 20
    figures = dive_figures(image, lambda path: path.startswith("a/"))
    assert (figures.wasted, figures.efficiency, figures.files) == (0, 1.0, ())


def figures(*sizes: int, wasted: int = 0, efficiency: float = 1.0) -> DiveFigures:
    empty = Listing({}, frozenset(), {}, {})
    layers = tuple(DiveLayer(number, "", size, "", empty) for number, size in enumerate(sizes))
    return DiveFigures(layers, sum(sizes), wasted, efficiency, (DiveFile(2, wasted, "/x"),) if wasted else ())


def test_shares_of_nothing_are_as_in_go() -> None:
    assert math.isnan(figures(10).user_wasted) and figures(10, wasted=4).user_wasted == math.inf
    assert figures(10, 8, wasted=4).user_wasted == 0.5
    limits = Thresholds(OFF, OFF, ratio("0.1"))
    assert [each.state for each in judge(limits, of_dive(figures(10)))] == ["skip", "skip", "pass"]
    # What is exactly at its limit passes.
    exact = Thresholds(ratio("0.75"), amount("4B"), ratio("0.5"))
    found = of_dive(figures(10, 8, wasted=4, efficiency=0.75))
    assert [each.state for each in judge(exact, found)] == ["pass"] * 3
    assert [each.state for each in judge(exact, found._replace(efficiency=0.74))] == ["fail", "pass", "pass"]
    assert [each.state for each in judge(limits, of_dive(figures(10, wasted=4)))] == ["skip", "skip", "fail"]
    assert "userWastedPercent: +Inf %" in text(figures(10, wasted=4), ())
    assert "(%-user-wasted-bytes=+Inf > threshold=0.1)" in text(
        figures(10, wasted=4), judge(limits, of_dive(figures(10, wasted=4)))
    )


def test_the_report_reads_like_that_of_dive() -> None:
    found = figures(120_768_066, 4_000_000, wasted=357_906, efficiency=0.99965)
    verdicts = judge(Thresholds(ratio("0.9999"), OFF, ratio("0.5")), of_dive(found))
    assert text(found, verdicts).split("\n") == [
        "Analysis:",
        "  efficiency:        99.97 %",
        "  wastedBytes:       357906 bytes (358 kB)",
        "  userWastedPercent: 8.95 %",
        "",
        "Inefficient Files:",
        "  Count  Wasted Space  File Path",
        "  2      358 kB        /x",
        "",
        "Evaluation:",
        "  PASS  highestUserWastedPercent (0.5)",
        "  SKIP  highestWastedBytes (disabled)",
        "  FAIL  lowestEfficiency (image efficiency is too low (efficiency=1.00 < threshold=0.9999))",
        "",
        "FAIL [pass:1 fail:1 skip:1]",
    ]
    assert text(figures(10), ()).endswith(
        "  wastedBytes:       0 bytes \n  userWastedPercent: 0 %\n\nInefficient Files: (None)"
    )


def test_sizes_are_written_and_read_in_the_units_of_dive() -> None:
    written = {0: "0 B", 9: "9 B", 10: "10 B", 999: "999 B", 1000: "1.0 kB", 1717: "1.7 kB", 18_210: "18 kB"}
    written |= {82_854_982: "83 MB", 9_960_000: "10 MB", 10**9: "1.0 GB"}
    assert {size: humanized(size) for size in written} == written
    read = {"20MB": 20_000_000, "1.5 kB": 1500, "1KiB": 1024, "2mi": 2 << 20, "1,000": 1000, "0": 0, "7B": 7}
    assert {each: amount(each).value for each in read} == read
    assert [each.value for each in map(ratio, ("disabled", " OFF ", "", "false", "0", "1", "0.25"))] == [
        *(None,) * 4, 0, 1, 0.25,
    ]  # fmt: skip
    for reader, wrong in (
        (amount, "MB"),
        (amount, "-1"),
        (amount, "1XB"),
        (amount, "1e3"),
        (ratio, "95"),
        (ratio, "x"),
    ):
        with pytest.raises(ValueError):
            reader(wrong)
    for wrong in ("nan", "inf", "-0.1"):
        with pytest.raises(ValueError):
            ratio(wrong)


def test_the_base_is_not_blamed_for_what_it_holds() -> None:
    """Of a base's bytes those count that the image stores again, since its own layer holds them."""
    base, own = Maker("FROM x", of_base=True), Maker("RUN y")
    layers = (
        {"etc/passwd": Made(b"p" * 10), "opt/big": Made(b"b" * 100), "lib": Made(b"l" * 40)},
        {"etc/passwd": Made(b"q" * 12), "tmp/x": Made(b"x" * 30), "opt/big": Made(kind="whiteout")},
        {"tmp/x": Made(kind="whiteout"), "lib": Made(b"l" * 40, uid=7)},
    )
    image = summarise(dissected(*layers, makers=(base, own, own)))
    assert image.wasted == 10 + 100 + 40 + 30
    assert of_anatomy(image) == Measured(52 / (52 + 70), 70, 70 / 82)
    alone = summarise(dissected(*layers))
    assert of_anatomy(alone) == Measured(52 / (52 + 180), 180, 180 / 232)
    nothing = summarise(dissected({}))
    assert of_anatomy(nothing) == Measured(1.0, 0, 0.0)
