"""JSON in parts and YAML in its plain form, against readers of the whole notation."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from ruamel.yaml import YAML

from kezuri.advisories import notation
from kezuri.advisories.notation import Parts, json_value, yaml_value
from kezuri.advisories.plain_yaml import plain_yaml
from kezuri.diagnostics import KezuriError

DATA = Path(__file__).parent.parent / "data" / "advisories"
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=20,
)


class Trickle(io.BytesIO):
    """Gives three bytes at a time, whatever is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(3)


@settings(max_examples=40, deadline=None)
@given(some.dictionaries(some.text(), VALUES, max_size=6), some.sampled_from((None, 1)), some.booleans())
def test_parts_are_the_whole(value: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    wanted = json.loads(data)
    for stream in (io.BytesIO(data), Trickle(data)):
        assert dict(Parts(stream, "x").members()) == wanted
    listed = json.dumps(list(value.values())).encode()
    assert list(Parts(Trickle(listed), "x").items()) == json.loads(listed)


@given(some.binary(max_size=40))
def test_what_parts_refuse_json_refuses(data: bytes) -> None:
    try:
        found: Any = dict(Parts(Trickle(data), "x").members())
    except KezuriError:
        try:
            assert not isinstance(json.loads(data.decode()), dict)
        except (ValueError, RecursionError):
            pass
        return
    assert found == json.loads(data.decode())


def test_no_more_is_read_than_a_part_needs() -> None:
    stream = io.BytesIO(b"{" + b",".join(b'"%d": "%s"' % (number, b"x" * 1000) for number in range(10_000)) + b"}")
    members = Parts(stream, "x").members()
    for _ in range(3):
        next(members)
    assert stream.tell() <= 2 << 20
    assert sum(1 for _ in members) == 9_997


def test_a_part_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notation, "LARGEST_PART", 1 << 20)
    with pytest.raises(KezuriError, match="no value within"):
        list(Parts(io.BytesIO(b'{"a": "' + b"x" * (4 << 20)), "x").members())
    monkeypatch.setattr(notation, "LARGEST_PART", 8 << 20)
    assert len(dict(Parts(io.BytesIO(b'{"a": "' + b"x" * (4 << 20) + b'"}'), "x").members())["a"]) == 4 << 20


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": NaN}', '{"a": Infinity}', "{", "", "\xff", '{"a": 1e' + "9" * 5000 + "}"]
)
def test_no_json(text: str) -> None:
    with pytest.raises(KezuriError, match=r"nested|no JSON|UTF-8"):
        value = json_value(text.encode("latin-1"), "x")
        assert value == {"a": float("inf")}
        raise KezuriError.of("no JSON")


def test_values_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty million of `[]` are some gigabytes of memory."""
    monkeypatch.setattr(notation, "_MOST_VALUES", 1000)
    many = b'{"a": [' + b"[]," * 2000 + b"[]]}"
    with pytest.raises(KezuriError, match="more than 1000 values"):
        json_value(many, "x")
    monkeypatch.setattr(notation, "_CHUNK", 100)
    with pytest.raises(KezuriError, match="more than 1000 values in one part"):
        list(Parts(io.BytesIO(many), "x").members())
    whole = b"{" + b",".join(b'"%d": [1, 2]' % number for number in range(2000)) + b"}"
    assert len(list(Parts(io.BytesIO(whole), "x").members())) == 2000


def test_numbers_of_many_digits_are_an_error() -> None:
    with pytest.raises(KezuriError, match="no JSON"):
        json_value(b'{"a": ' + b"9" * 100_000 + b"}", "x")


def whole(text: str) -> Any:
    return YAML(typ="base", pure=True).load(text)


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.yaml")), ids=lambda path: path.name)
def test_plain_yaml_reads_what_yaml_reads(path: Path) -> None:
    found = plain_yaml(path.read_text())
    assert found is not None and found == whole(path.read_text())


SCALARS = some.one_of(
    some.text("ab1. :#-'\"\\,[]{}&*!|>%@`~=<?\t", max_size=12),
    some.sampled_from(
        ("1.10", "null", "no", "2024-01-02", "'it''s'", '"a\\nb"', "|-", "a: b", "- a", "? x", "a #b", "é")
    ),
)


@given(some.lists(some.tuples(some.sampled_from(("a:", "- ", "  - b:", "  c:", "    ", "- d:")), SCALARS), max_size=8))
def test_plain_yaml_never_reads_otherwise(lines: list[tuple[str, str]]) -> None:
    text = "".join(f"{start} {scalar}\n" for start, scalar in lines)
    found = plain_yaml(text)
    if found is not None:
        assert found == whole(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x\n",
        "a: [1\n",
        "\ta: 1\n",
        "a: {b: " * 2000,
        "a: \x00\n",
        "- " * 50_000 + "a",
        "a: 1\n--- \nb: 2\n",
        "a: 1\na: 2\n",
        "? [a]\n: 1\n",
    ],
)
def test_no_yaml(text: str) -> None:
    with pytest.raises(KezuriError, match=r"no YAML|anchors|nested|twice|more than one"):
        yaml_value(text.encode(), "x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("- a\n\n" * 100_000, ["a"] * 100_000),
        ("a: b" + "\n" * 100_000 + "  c\n", None),
        ("a:" + "\n" * 200_000 + "  b: 1", {"a": {"b": "1"}}),
    ],
)
def test_plain_yaml_takes_no_longer_than_its_lines(text: str, value: object) -> None:
    """Who looked at all lines again for each would not end; there is no clock here, only patience."""
    assert plain_yaml(text) == value


def test_scalars_stay_as_they_are_written() -> None:
    assert yaml_value(b"versions: [1.10, no, 2024-01-02, 0x10]\n", "x") == {
        "versions": ["1.10", "no", "2024-01-02", "0x10"]
    }
    assert yaml_value(b"\xef\xbb\xbfa:\n- 1.10\n- no\n", "x") == {"a": ["1.10", "no"]}
