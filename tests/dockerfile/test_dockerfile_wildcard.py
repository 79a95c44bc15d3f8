"""Go's `filepath.Match`, its quoting and its durations."""

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile import has_wildcard, json_form, match, quote
from kezuri.scalars.durations import parse_duration


@pytest.mark.parametrize(
    ("pattern", "name", "wanted"),
    [
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("", "", True),
        ("", "a", False),
        ("*", "abc", True),
        ("*", "", True),
        ("*", "a/b", False),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*", "ab/c", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("**", "ab", True),
        ("**/x", "a/b/x", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("[!a]", "b", False),
        ("[!a]", "!", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "axb", False),
        ("a?b", "aéb", True),
        ("a[^a]b", "a☺b", True),
        ("a???b", "a☺b", False),
        ("a?b", "a/b", False),
        ("a[^x]b", "a/b", True),
        ("[a-ζ]*", "α", True),
        ("*[a-ζ]", "A", False),
        ("[\\]a]", "]", True),
        ("[\\-]", "-", True),
        ("[x\\-]", "-", True),
        ("[z-a]", "m", False),
        ("[^z-a]", "m", True),
        ("*x", "xxx", True),
        ("[*]", "*", True),
        ("a[/]b", "a/b", True),
        ("a{b}(c)|$^.+", "a{b}(c)|$^.+", True),
        ("a\nb*", "a\nbc", True),
        ("?", "\n", True),
    ],
)
def test_match(pattern: str, name: str, wanted: bool) -> None:
    assert match(pattern, name) is wanted


@pytest.mark.parametrize(
    "pattern",
    [
        "[]a]",
        "[-]",
        "[x-]",
        "[-x]",
        "[a-b-c]",
        "[",
        "[^",
        "[^bc",
        "a[",
        "a\\",
        "*[",
        "zzz[",
        "[a",
        "[a-",
        "[\\",
    ],
)
def test_malformed_patterns_are_errors_whatever_the_name(pattern: str) -> None:
    for name in ("a", "", "ab", "zzz"):
        with pytest.raises(KezuriError, match="syntax error in pattern"):
            match(pattern, name)


def test_what_is_wrong_behind_a_star_is_seen_when_the_name_gets_there() -> None:
    assert not match("x*[-]", "a")
    with pytest.raises(KezuriError, match="syntax error in pattern"):
        match("x*[-]", "xa")


def test_no_pattern_takes_long() -> None:
    assert not match("*a" * 50 + "b", "a" * 5000)
    assert match("*a" * 50 + "*", "a" * 5000)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a*", True),
        ("a?", True),
        ("[a", True),
        ("a", False),
        ("a\\*", False),
        ("\\[a]", False),
        ("\\\\*", True),
        ("a\\", False),
    ],
)
def test_has_wildcard(text: str, wanted: bool) -> None:
    assert has_wildcard(text) is wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", '""'),
        ("npm start", '"npm start"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("\a\b\f\n\r\t\v", '"\\a\\b\\f\\n\\r\\t\\v"'),
        ("\x00\x1b\x7f", '"\\x00\\x1b\\x7f"'),
        ("é ☺ 日本", '"é ☺ 日本"'),
        ("\u00a0\u200b\ufeff", '"\\u00a0\\u200b\\ufeff"'),
        ("\U000e0001", '"\\U000e0001"'),
        ("\udcff", '"\\xff"'),
        ("it's", '"it\'s"'),
    ],
)
def test_quote(text: str, wanted: str) -> None:
    assert quote(text) == wanted


def test_json_form() -> None:
    assert json_form(["npm", "run", 'a "b"']) == '["npm" "run" "a \\"b\\""]'
    assert json_form([]) == "[]"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", 0),
        ("0s", 0),
        ("5s", 5_000_000_000),
        ("1h15m30.918s", 4_530_918_000_000),
        (".5s", 500_000_000),
        ("5.s", 5_000_000_000),
        ("-1.5h", -5_400_000_000_000),
        ("+5ms", 5_000_000),
        ("1us2µs3μs4ns", 6_004),
        ("0.1ns", 0),
    ],
)
def test_duration(text: str, wanted: int) -> None:
    assert parse_duration(text) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("s", 'time: invalid duration "s"'),
        (".s", 'time: invalid duration ".s"'),
        ("3", 'time: missing unit in duration "3"'),
        ("3d", 'time: unknown unit "d" in duration "3d"'),
        ("1h x", 'time: unknown unit "h x" in duration "1h x"'),
        ("99999999h", 'time: invalid duration "99999999h"'),
        ("9" * 5000 + "s", None),
    ],
)
def test_bad_durations(text: str, message: str | None) -> None:
    with pytest.raises(ValueError) as caught:
        parse_duration(text)
    if message is not None:
        assert str(caught.value) == message
