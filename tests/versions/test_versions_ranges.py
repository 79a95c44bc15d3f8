"""Ranges of events, as the schema of OSV evaluates them."""

import pytest

from kezuri.versions.order import Scheme, Unordered
from kezuri.versions.ranges import Event, Kind, holds, mending

_KINDS: dict[str, Kind] = {">=": "introduced", "<": "fixed", "<=": "last_affected", "!": "limit"}


def events_of(text: str) -> list[Event]:
    return [Event(_KINDS[sign], version) for sign, _, version in (word.partition(" ") for word in text.split(", "))]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">= 0", "0.0.0-0 0.0.1 99.0.0", ""),
        (">= 0, < 1.2.0", "0.0.1 1.1.9 1.2.0-rc.1", "1.2.0 1.2.1"),
        (">= 1.0.0, <= 1.2.0", "1.0.0 1.2.0", "0.9.0 1.2.1-0 1.2.1"),
        (">= 1.0.0, <= 1.0.0", "1.0.0", "0.9.9 1.0.1"),
        ("< 1.2.0, >= 0", "0.0.1", "1.2.0"),
        (">= 1.0.0, < 1.2.0, >= 2.0.0, < 2.1.0", "1.0.0 2.0.0 2.0.9", "1.2.0 1.9.0 2.1.0"),
        (">= 2.0.0, < 2.1.0, >= 1.0.0, < 1.2.0", "1.0.0 2.0.0 2.0.9", "1.2.0 1.9.0 2.1.0"),
        (">= 1.0.0, < 2.0.0, >= 2.0.0, < 3.0.0", "1.5.0 2.0.0 2.5.0", "3.0.0"),
        (">= 1.0.0, < 1.2.0, < 2.1.0", "1.1.0", "1.2.0 1.9.0 2.0.0"),
        (">= 0, ! 1.0.0", "0.9.0", "1.0.0 2.0.0"),
        (">= 0, ! 1.0.0, ! 2.0.0", "1.5.0", "2.0.0"),
        (">= 0, ! *", "1.5.0", ""),
        ("< 1.0.0", "", "0.1.0 1.0.0"),
    ],
)
def test_events(text: str, inside: str, outside: str) -> None:
    events = events_of(text)
    assert [each for each in inside.split() if not holds("semver", events, each)] == []
    assert [each for each in outside.split() if holds("semver", events, each)] == []


def test_zero_comes_before_all_that_a_scheme_knows() -> None:
    schemes: list[tuple[Scheme, str]] = [
        ("dpkg", "0~rc1"),
        ("rpm", "~"),
        ("apk", "0_alpha"),
        ("pep440", "0.dev0"),
        ("gem", "0.a"),
    ]
    for scheme, version in schemes:
        assert holds(scheme, [Event("introduced", "0")], version), scheme


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(Unordered):
        holds("semver", events_of(">= 0"), "latest")
    with pytest.raises(Unordered):
        holds("semver", events_of(">= 0, < soon"), "1.0.0")


def test_the_nearest_version_that_mends_comes_first() -> None:
    ranges = [events_of(">= 20.0.0, < 20.1.0"), events_of(">= 0, < 18.2.0"), events_of(">= 1.0.0, < 9.0.0")]
    assert mending("semver", ranges, "18.1.0") == ("18.2.0", "20.1.0")
    assert mending("semver", [events_of(">= 0, < 2.0.0-0")], "1.0.0") == ("2.0.0",)
    assert mending("semver", [events_of(">= 0")], "1.0.0") == ()
