"""Booleans, sizes and durations as Go reads them. The accepted and refused texts are those of Go's own tests."""

import pytest

from kezuri.scalars import parse_bool
from kezuri.scalars.durations import parse_duration
from kezuri.scalars.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("1", "t", "T", "true", "TRUE", "True")),
        *((text, False) for text in ("0", "f", "F", "false", "FALSE", "False")),
        *((text, None) for text in ("", "asdf", "tRUE", "yes", "on", "01", " true", "true ")),
    ],
)
def test_booleans(text: str, value: bool | None) -> None:
    assert parse_bool(text) is value


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("32", 32),
        ("32b", 32),
        ("32B", 32),
        ("32k", 32 << 10),
        ("32K", 32 << 10),
        ("32kb", 32 << 10),
        ("32Kib", 32 << 10),
        ("32 kb", 32 << 10),
        ("32mB", 32 << 20),
        ("32.5kB", 33_280),
        ("0.3 K", 307),
        (".3kB", 307),
        ("0.", 0),
        ("1e3", 1000),
        ("7P", 7 << 50),
        ("32 ", 32),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        *("", "hello", ".", ". ", " ", "  ", " .", "-32", "+3", "32  kb", " 32", "32m b", "32bm", "32kbb", "1ki"),
        *("1_000", "１２", "٣k", "nan", "inf", "1e400", "9000000p", "32x", "32mm"),
    ],
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


def test_days_count_where_they_are_asked_for() -> None:
    assert parse_duration("2d12h", days=True) == 60 * 3_600_000_000_000
    with pytest.raises(ValueError, match='unknown unit "d"'):
        parse_duration("2d")
