"""How old data is: by when it was asked for last, its own date, and a clock that may be wrong."""

import pytest

from kezuri.advisories.age import WEEK, instant, remarks, seconds
from kezuri.advisories.values import DataSet

NOW = 1_796_000_000.0
DAY = 86400


def data(name: str, date: float | None = None, checked: float | None = None, fetched: float = NOW) -> DataSet:
    def text(when: float | None) -> str:
        return "" if when is None else instant(when)

    return DataSet(name, "", text(date), text(fetched), 1, checked=text(checked))


def said(*sets: DataSet, limit: int | None = None, now: float = NOW) -> list[str]:
    return [remark.message for remark in remarks(sets, now, limit)]


def test_what_is_new_needs_no_word() -> None:
    assert said(data("kev", NOW - WEEK + 60), data("osv/PyPI", NOW + 3600)) == []


def test_what_its_server_still_has_is_not_old() -> None:
    assert said(data("osv/crates.io", NOW - 90 * DAY, checked=NOW - DAY)) == []
    assert said(data("osv/crates.io", NOW - DAY, checked=NOW - 9 * DAY)) != []


def test_old_data_is_named_the_oldest_first() -> None:
    (told,) = said(*(data(f"s{n}", NOW - (10 + n) * DAY) for n in range(5)), data("new", NOW))
    assert told == f"the advisories of s4, s3, s2 (+2) are old: of {instant(NOW - 14 * DAY)[:10]}, 14 days ago"
    assert said(data("s", NOW - 10 * DAY), limit=11 * DAY) == []
    assert said(data("s", NOW - 2 * DAY), limit=DAY) != []


def test_a_clock_that_is_wrong_hides_no_age() -> None:
    """A machine that believes that it is 1970 would else find every database new."""
    (told,) = said(data("kev", NOW), now=0.0)
    assert "this machine's clock says 1970-01-01: how old they are is not known" in told


def test_when_data_was_brought_here_says_nothing_of_its_age() -> None:
    assert said(data("alpine/v3.20/main")) == ["how old the advisories of alpine/v3.20/main are is not known"]


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "9" * 5000, "0000-00-00", "2024-01-01T99:00:00Z"])
def test_what_is_no_time(text: str) -> None:
    assert seconds(text) is None


def test_times_with_and_without_a_zone() -> None:
    assert seconds("2024-01-01") == seconds("2024-01-01T00:00:00Z") == seconds("2024-01-01T09:00:00+09:00")


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_the_ends_of_all_time(text: str) -> None:
    """A catalogue that says it is of then is no reason to fail in every scan from now on."""
    assert len(said(DataSet("kev", "", text, text, 1))) == 1
