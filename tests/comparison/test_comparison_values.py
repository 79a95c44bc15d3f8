"""Figures of a comparison: medians, spread, what is saved, what is certain."""

import json

from kezuri.comparison.values import Comparison, Conditions, Figure, Reading, Side


def seconds(before: tuple[float, ...], after: tuple[float, ...]) -> Figure:
    return Figure("pull", "Pull", "seconds", Reading(before), Reading(after))


def test_medians_of_odd_even_and_none() -> None:
    assert Reading((3.0, 1.0, 2.0)).median == 2
    assert Reading((4.0, 1.0, 2.0, 3.0)).median == 2.5
    assert Reading(text="root").median is None
    assert Reading((3.0, 1.0, 2.0)).spread == 2
    assert not Reading(absent="no such image").known
    assert Reading((0.0,)).known


def test_saved_is_a_part_of_what_was_there() -> None:
    assert seconds((100,), (15,)).saved == 0.85
    assert seconds((100,), (150,)).saved == -0.5
    assert seconds((0,), (15,)).saved is None
    assert Figure("user", "User", "text", Reading(text="root"), Reading(text="app")).saved is None
    assert Figure("x", "X", "bytes", Reading(absent="why"), Reading((1,))).saved is None


def test_a_difference_is_certain_where_runs_lie_apart() -> None:
    assert seconds((10, 11), (1, 2)).certain
    assert seconds((1, 2), (10, 11)).certain
    assert not seconds((1, 3), (2, 4)).certain
    assert not seconds((1,), (2,)).certain, "one run says nothing about chance"
    assert Figure("size", "Size", "bytes", Reading((10,)), Reading((9,))).certain


def test_the_document_has_every_run() -> None:
    figures = (
        seconds((1.5, 2.0, 1.0), (0.25,)),
        Figure("user", "User", "text", Reading(text="0"), Reading(absent="?")),
    )
    both = Comparison(Side("a", "image"), Side("Dockerfile", "dockerfile"), figures, Conditions(100_000_000, 0.02))
    said = json.loads(json.dumps(both.to_json()))
    assert said["figures"][0]["before"] == {"median": 1.5, "runs": [1.5, 2, 1], "spread": 1}
    assert said["figures"][0]["saved"] == 0.8333
    assert said["figures"][1]["before"] == {"text": "0"}
    assert said["figures"][1]["after"] == {"absent": "?"}
    assert said["conditions"]["bandwidth"] == 100_000_000
    assert both.figure("user") is figures[1]
    assert both.figure("none") is None
