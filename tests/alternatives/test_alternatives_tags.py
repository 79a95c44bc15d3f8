"""Tags taken apart: versions, distributions, what a variant is for."""

import pytest

from kezuri.alternatives.tags import Tag, parse_tag


@pytest.mark.parametrize(
    ("text", "number", "distribution", "release", "slim", "flavours", "early"),
    [
        ("18-alpine3.19", (18,), "alpine", "3.19", False, (), False),
        ("20.11.1-bookworm-slim", (20, 11, 1), "debian", "12", True, (), False),
        ("3.12-slim-bookworm", (3, 12), "debian", "12", True, (), False),
        ("21-jre-alpine-3.22", (21,), "alpine", "3.22", False, ("jre",), False),
        ("21.0.12_8-jdk-noble", (21, 0, 12, 8), "ubuntu", "24.04", False, (), False),
        ("8u502-b07-jre-jammy", (8,), "ubuntu", "22.04", False, ("jre",), False),
        ("21-jre-ubi9-minimal", (21,), "rhel", "9", True, ("jre",), False),
        ("8.3-fpm-alpine", (8, 3), "alpine", "", False, ("fpm",), False),
        ("8.3-cli", (8, 3), "", "", False, (), False),
        ("3.15.0rc1-trixie", (3, 15, 0), "debian", "13", False, (), True),
        ("28-ea-11-jdk-slim-trixie", (28,), "debian", "13", True, (), True),
        ("lts-slim", (), "", "", True, (), False),
        ("sid-slim", (), "debian", "sid", True, (), True),
        ("v1.2.3", (1, 2, 3), "", "", False, (), False),
        ("latest", (), "", "", False, (), False),
    ],
)
def test_tags(
    text: str,
    number: tuple[int, ...],
    distribution: str,
    release: str,
    slim: bool,
    flavours: tuple[str, ...],
    early: bool,
) -> None:
    tag = parse_tag(text)
    assert (tag.number, tag.distribution, tag.release) == (number, distribution, release)
    assert (tag.slim, tag.flavours, tag.early, tag.windows) == (slim, flavours, early, False)


def test_the_c_library_follows_from_the_distribution() -> None:
    libraries = [parse_tag(text).libc for text in ("20-alpine", "20-bookworm", "20")]
    assert libraries == ["musl", "glibc", ""]


def test_windows_and_dates_are_told() -> None:
    assert parse_tag("25-jdk-nanoserver-ltsc2022").windows
    assert parse_tag("bookworm-20260803-slim").dated and parse_tag("20260805").dated


def test_whatever_a_tag_is_it_can_be_taken_apart() -> None:
    for text in ("", "-", "--", "1" * 128, "1." * 64, "a-" * 64, "9" * 5000, "alpine-", "3.-", "\x1b[31m", "１２"):
        assert isinstance(parse_tag(text), Tag)
    assert parse_tag("1" * 128).number == ()
