"""Budgets: what they mean, which are none, and that a limit is kept to the byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.suites.suites_folded import folded

from kezuri.diagnostics import KezuriError
from kezuri.growth.budgets import judged, parse_budget
from kezuri.growth.values import BYTES


@folded(
    [
        ("wire=200MB", None, 200_000_000),
        ("wire=200 MiB", None, 200 << 20),
        ("wire=1.5k", None, 1500),
        ("layers=12", 99, 12),
        ("wire=+5%", 1000, 1050),
        ("wire=+0.1%", 999, 999),
        ("wire=+3MB", 10, 3_000_010),
        ("wasted=+0", 7, 7),
        ("layers=+1", 4, 5),
        ("files=+10%", 15, 16),
        ("wire=+5%", None, None),
        (" wire = +5 % ", 100, 105),
    ],
    lambda case: case[0],
)
def test_limits(case: tuple[str, int | None, int | None]) -> None:
    text, before, limit = case
    assert parse_budget(text).limit(before) == limit


@folded(
    [
        ("wire", "write METRIC=LIMIT"),
        ("wir=5MB", "did you mean wire?"),
        ("nonsense=5", "metrics are"),
        ("wire=5%", r"wire=\+5%"),
        ("wire=-5%", "a limit is"),
        ("wire=", "a limit is"),
        ("wire=5XB", "a limit is"),
        ("layers=5MB", "have no unit"),
        ("wire=\u0665MB", "a limit is"),
        ("wire=" + "9" * 400, "a limit is"),
    ],
    lambda case: case[0][:20],
)
def test_what_is_no_budget(case: tuple[str, str]) -> None:
    text, hint = case
    with pytest.raises(KezuriError) as caught:
        parse_budget(text)
    assert caught.value.exit_code == 2
    import re

    assert re.search(hint, caught.value.diagnostics[0].hint)


@given(st.sampled_from(BYTES), st.integers(0, 1 << 50), st.integers(0, 1000))
def test_a_share_is_exact(metric: str, before: int, tenths: int) -> None:
    """Growth by the share is kept, and one byte more is not."""
    budget = parse_budget(f"{metric}=+{tenths / 10}%")
    most = before + before * tenths // 1000
    for value, kept in ((most, True), (most + 1, False)):
        (verdict,) = judged([budget], {metric: value}, {metric: before})
        assert verdict.kept is kept and verdict.judged


def test_what_cannot_be_judged_is_not_exceeded() -> None:
    relative, absolute = parse_budget("wire=+5%"), parse_budget("wire=5")
    alone, known = judged([relative, absolute], {"wire": 9}, None)
    assert (alone.judged, alone.kept) == (False, True)
    assert (known.judged, known.kept) == (True, False)
    (unmeasured,) = judged([absolute], {}, None)
    assert (unmeasured.judged, unmeasured.kept) == (False, True)
