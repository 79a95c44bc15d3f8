"""Edits of YAML texts change what they mean to, and every other byte stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.diagnostics import SourceText
from kezuri.documents.difference import differences
from kezuri.documents.edits import (
    TextEdit,
    insert_after,
    insert_item,
    plain,
    remove_entry,
    replace_scalar,
)
from kezuri.documents.reader import read
from kezuri.documents.value import Mapping, Scalar, Sequence, Value


def root(text: str) -> tuple[SourceText, Mapping]:
    source = SourceText("a.yml", text)
    (document,) = read(source).verify().documents
    assert isinstance(document, Mapping)
    return source, document


def after(source: SourceText, edit: TextEdit | None) -> str:
    assert edit is not None
    return source.text[: edit.span.start] + edit.text + source.text[edit.span.end :]


def value(text: str) -> Value:
    return read(SourceText("a.yml", text)).verify().documents[0]


@pytest.mark.parametrize(
    ("text", "key", "result"),
    [
        ("version: '3'\n\nservices: {}\n", "version", "services: {}\n"),
        ("# top\nversion: '3' # old\n\n# below\nservices: {}\n", "version", "# top\n# below\nservices: {}\n"),
        ("\ufeffversion: 3\r\nservices: {}\r\n", "version", "\ufeffservices: {}\r\n"),
        ("a: 1\nversion: |\n  x\n  y\n\nb: 2\n", "version", "a: 1\n\nb: 2\n"),
        ("a: 1\n\nb:\n  - c\n\nd: 2\n", "b", "a: 1\n\nd: 2\n"),
        ("a: 1\nb: 2", "b", "a: 1\n"),
    ],
)
def test_a_key_goes_with_its_lines(text: str, key: str, result: str) -> None:
    source, mapping = root(text)
    entry = mapping.own(key)
    assert entry is not None
    assert after(source, remove_entry(source, mapping, entry)) == result
    assert differences(mapping, value(result)) == ((key,),)


@pytest.mark.parametrize("text", ["{version: 3, a: 1}\n", "version: 3\n"])
def test_what_cannot_go_alone_stays(text: str) -> None:
    source, mapping = root(text)
    entry = mapping.own("version")
    assert entry is not None and remove_entry(source, mapping, entry) is None


def test_the_first_key_of_an_item_keeps_its_dash() -> None:
    source, mapping = root("a:\n  - b: 1\n    c: 2\n")
    items = mapping.get("a")
    assert isinstance(items, Sequence)
    first = items.items[0].value
    assert isinstance(first, Mapping)
    assert remove_entry(source, first, first.entries[0]) is None
    assert after(source, remove_entry(source, first, first.entries[1])) == "a:\n  - b: 1\n"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a:\n    b: 1  # c\n    # d\nz: 2\n", "a:\n    b: 1  # c\n    new: x\n    # d\nz: 2\n"),
        ("a:\r\n  b: |\r\n    x\r\n\r\nz: 2\r\n", "a:\r\n  b: |\r\n    x\r\n  new: x\r\n\r\nz: 2\r\n"),
        ("a:\n  b: 1", "a:\n  b: 1\n  new: x"),
        ("a: &x\n  b: &y\n    c: 1\nz: *x\n", "a: &x\n  b: &y\n    c: 1\n  new: x\nz: *x\n"),
    ],
)
def test_a_key_is_put_behind_another(text: str, result: str) -> None:
    source, mapping = root(text)
    inner = mapping.get("a")
    assert isinstance(inner, Mapping)
    assert after(source, insert_after(source, inner, inner.entries[-1], ("new: x",))) == result
    found = value(result)
    assert isinstance(found, Mapping) and found.text("a", "new") == "x"


@pytest.mark.parametrize("text", ["a: {b: 1}\n", "a:\n  b: |\n    x"])
def test_nothing_is_put_where_it_would_mean_something_else(text: str) -> None:
    source, mapping = root(text)
    inner = mapping.get("a")
    assert isinstance(inner, Mapping)
    assert insert_after(source, inner, inner.entries[-1], ("new: x",)) is None


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a:\n  - b: 1\n    c: 2\n  - d\n", "a:\n  - b: 1\n    c: 2\n  - x: 1\n    y: 2\n  - d\n"),
        ("a:\n-   b\nz: 1\n", "a:\n-   b\n-   x: 1\n    y: 2\nz: 1\n"),
    ],
)
def test_an_item_is_put_behind_another(text: str, result: str) -> None:
    source, mapping = root(text)
    items = mapping.get("a")
    assert isinstance(items, Sequence)
    assert after(source, insert_item(source, items, items.items[0], ("x: 1", "y: 2"))) == result
    value(result)


@pytest.mark.parametrize(
    ("text", "new", "result"),
    [
        ("a: b # c\n", "d", "a: d # c\n"),
        ("a: 'b'\n", "it's", "a: 'it''s'\n"),
        ('a: "b"\n', 'q"\\', 'a: "q\\"\\\\"\n'),
        ("a: b\n", "true", 'a: "true"\n'),
        ("a: b\n", "x: y", 'a: "x: y"\n'),
        ("a: b\n", "012", 'a: "012"\n'),
    ],
)
def test_a_scalar_is_replaced_in_its_quotes(text: str, new: str, result: str) -> None:
    source, mapping = root(text)
    scalar = mapping.get("a")
    assert isinstance(scalar, Scalar)
    assert after(source, replace_scalar(source, scalar, new)) == result
    found = value(result)
    assert isinstance(found, Mapping) and found.text("a") == new


@given(st.text(max_size=20))
@settings(max_examples=60, deadline=None)
def test_what_may_stand_plain_is_read_back_as_the_same_text(text: str) -> None:
    read_back_as_the_same(text)


@pytest.mark.slow
@given(st.text(max_size=20))
@settings(max_examples=2000, deadline=None)
def test_many_more_texts_that_may_stand_plain_are_read_back(text: str) -> None:
    read_back_as_the_same(text)


def read_back_as_the_same(text: str) -> None:
    source, mapping = root("a: b # c\nd: 1\n")
    scalar = mapping.get("a")
    assert isinstance(scalar, Scalar)
    edit = replace_scalar(source, scalar, text)
    if edit is None:
        assert not text.isprintable()
        return
    found = value(after(source, edit))
    assert isinstance(found, Mapping) and found.get("a") is not None
    read_back = found.get("a")
    assert isinstance(read_back, Scalar) and read_back.text == text and found.text("d") == "1"
    assert not plain(text) or read_back.style == "plain"


def test_differences_are_paths() -> None:
    one = value("a: {b: [1, 2], c: 3}\nd: '1'\ne: x\n")
    assert differences(one, value("# other\nd: '1'\ne: x\na:\n  c: 3\n  b: [1, 2]\n")) == ()
    assert differences(one, value("a: {b: [1, 4], c: 3}\nd: 1\ne: x\nf: 1\n")) == (("a", "b", 1), ("d",), ("f",))
    assert differences(one, None) == ((),)
    assert differences(value("a: !x b\n"), value("a: b\n")) == (("a",),)
