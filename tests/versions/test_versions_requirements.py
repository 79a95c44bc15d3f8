"""Requirements of npm and Cargo: what they take in, by the examples of their documentation."""

import pytest

from kezuri.versions.order import Unordered
from kezuri.versions.ranges import Event, holds
from kezuri.versions.requirements import Ranges, cargo, npm, npm_without, outside_of_cargo


def said(ranges: Ranges) -> list[str]:
    signs = {"introduced": ">=", "fixed": "<", "last_affected": "<=", "limit": "!"}
    return [" ".join(f"{signs[event.kind]}{event.version}" for event in events) for events in ranges]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1.0.0 - 2.9999.9999", [">=1.0.0 <=2.9999.9999"]),
        ("1.2.3 - 2.3", [">=1.2.3 <2.4.0-0"]),
        ("1.2 - 2", [">=1.2.0 <3.0.0-0"]),
        (">=1.0.2 <2.1.2", [">=1.0.2 <2.1.2"]),
        (">1.0.2 <=2.3.4", [">=1.0.3-0 <=2.3.4"]),
        (">1.2", [">=1.3.0-0"]),
        ("<= 1.2", [">=0 <1.3.0-0"]),
        ("2.0.1", [">=2.0.1 <=2.0.1"]),
        ("<1.0.0 || >=2.3.1 <2.4.5 || >=2.5.2 <3.0.0", [">=0 <1.0.0", ">=2.3.1 <2.4.5", ">=2.5.2 <3.0.0"]),
        ("~1.2", [">=1.2.0 <1.3.0-0"]),
        ("~1.2.3", [">=1.2.3 <1.3.0-0"]),
        ("~1", [">=1.0.0 <2.0.0-0"]),
        ("3.3.x", [">=3.3.0 <3.4.0-0"]),
        ("1.x || >=2.5.0 || 5.0.0 - 7.2.3", [">=1.0.0 <2.0.0-0", ">=2.5.0"]),
        ("^1.2.3", [">=1.2.3 <2.0.0-0"]),
        ("^0.2.3", [">=0.2.3 <0.3.0-0"]),
        ("^0.0.3", [">=0.0.3 <0.0.4-0"]),
        ("^0.0", [">=0.0.0 <0.1.0-0"]),
        ("^0.x", [">=0.0.0 <1.0.0-0"]),
        ("^1.2.3-beta.2", [">=1.2.3-beta.2 <2.0.0-0"]),
        ("*", [">=0"]),
        ("", [">=0"]),
        (">=0.0.0", [">=0.0.0"]),
        ("<0.0.0 || >=99.999.99999", [">=0 <0.0.0", ">=99.999.99999"]),
        (">1.0.0-rc.1", [">=1.0.0-rc.1.0"]),
        ("<=v1.2.3", [">=0 <=1.2.3"]),
        (">2 <1", []),
        (">*", []),
    ],
)
def test_ranges_of_npm(text: str, found: list[str]) -> None:
    assert said(npm(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1.2.3", [">=1.2.3 <2.0.0-0"]),
        ("0.2", [">=0.2.0 <0.3.0-0"]),
        ("0", [">=0.0.0 <1.0.0-0"]),
        ("=1.2.3", [">=1.2.3 <=1.2.3"]),
        (">=1.2, <1.5", [">=1.2.0 <1.5.0"]),
        ("~1.2.3", [">=1.2.3 <1.3.0-0"]),
        ("1.2.*", [">=1.2.0 <1.3.0-0"]),
    ],
)
def test_requirements_of_cargo(text: str, found: list[str]) -> None:
    assert said(cargo(text)) == found


def test_what_is_neither_patched_nor_unaffected() -> None:
    assert said(outside_of_cargo([">=1.6.1", "^0.6.14", "<0.6.3"])) == [">=0.6.3 <0.6.14", ">=0.7.0-0 <1.6.1"]
    assert said(outside_of_cargo([">=0.2.23"], ["=0.2.0", "^0.2.1, <0.2.7"])) == [
        ">=0 !0.2.0",
        ">=0.2.1-0 !0.2.1",
        ">=0.2.7 <0.2.23",
    ]
    assert said(outside_of_cargo([])) == [">=0"]
    assert said(outside_of_cargo([">= 0.10.0, < 0.10.5", ">0.10.8"])) == [">=0 <0.10.0", ">=0.10.5 <=0.10.8"]


def test_vulnerable_and_patched_together() -> None:
    assert said(npm_without("<=2.0.0", ">=1.5.0")) == [">=0 <1.5.0"]
    assert said(npm_without("*", "")) == []


def test_ranges_hold_what_they_say() -> None:
    (events,) = npm(">1.0.2 <2.0.0")
    assert [holds("semver", events, each) for each in ("1.0.2", "1.0.3-0", "1.0.3", "2.0.0-rc.1", "2.0.0")] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert events == (Event("introduced", "1.0.3-0"), Event("fixed", "2.0.0"))


@pytest.mark.parametrize(
    "text", ["latest", "1.2.3.4", ">=", "1 - 2 - 3", "1" * 400, "1 " * 20_000, "git://x", "<<1", ">" + " " * 9000 + "y"]
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(Unordered):
        npm(text)
    with pytest.raises(Unordered):
        cargo(text or "")
