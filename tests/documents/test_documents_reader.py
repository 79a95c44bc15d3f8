"""YAML is read into values with places, and hostile YAML ends in an error that has one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.diagnostics import KezuriError, SourceText, Span
from kezuri.documents.comments import comments
from kezuri.documents.reader import DEEPEST, LARGEST, read
from kezuri.documents.value import Lines, Mapping, Scalar, Sequence, Value, walk


def value(text: str) -> Value:
    (document,) = read(SourceText("a.yml", text)).verify().documents
    return document


def mapping(text: str) -> Mapping:
    found = value(text)
    assert isinstance(found, Mapping)
    return found


def wrong(text: str) -> tuple[str, int]:
    """What is wrong with a text, and in which line."""
    source = SourceText("a.yml", text)
    error = read(source).error
    assert error is not None
    (diagnostic,) = error.diagnostics
    assert diagnostic.source is source and diagnostic.span is not None
    return diagnostic.message, source.position(diagnostic.span.start)[0]


def test_values_have_their_places() -> None:
    text = 'a: one # comment\nb:\n  - \'two\'\n  - {c: "th\\"ree"}\nd: |  # four\n  x\n  y\n\n# after\ne:\n'
    found = mapping(text)

    def written(part: Value | None) -> str:
        assert part is not None
        return text[part.span.start : part.span.end]

    assert [entry.key.text for entry in found.entries] == ["a", "b", "d", "e"]
    assert written(found.get("a")) == "one"
    b = found.get("b")
    assert isinstance(b, Sequence)
    assert [written(part) for part in b.values] == ["'two'", '{c: "th\\"ree"}']
    assert written(found.get("d")) == "|  # four\n  x\n  y"
    assert found.text("d") == "x\ny\n"
    assert found.text("e") is None and written(found.get("e")) == ""
    last = found.entry("e")
    assert last is not None and text[last.span.start : last.span.end] == "e:"


@pytest.mark.parametrize("text", ["a: &x !t 'q'\n", "a: !t &x 'q'\n", "a: !t   'q'\n"])
def test_anchors_and_tags_stand_before_a_value(text: str) -> None:
    found = mapping(text).get("a")
    assert isinstance(found, Scalar)
    assert text[found.span.start : found.span.end] == "'q'" and found.text == "q"


def test_aliases_and_merge_keys_are_followed() -> None:
    found = mapping("x: &x {a: 1, b: 2}\ny: &y {c: 3}\nz:\n  <<: [*x, *y]\n  b: 4\nw: *x\n")
    z = found.get("z")
    assert isinstance(z, Mapping)
    assert {entry.key.text: z.text(entry.key.text) for entry in z.all()} == {"b": "4", "a": "1", "c": "3"}
    assert z.own("a") is None
    assert found.text("w", "a") == "1"
    last = found.entries[-1]
    assert last.alias and last.span.end - last.span.start == len("w: *x")


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "\ufeff"])
def test_nothing_is_read_from_nothing(text: str) -> None:
    documents = read(SourceText("a.yml", text)).verify().documents
    assert all(isinstance(d, Scalar) and d.null for d in documents)


def test_byte_order_marks_and_line_endings_move_no_place() -> None:
    text = "\ufeffa: 1\r\nb: |\r\n  x\r\n  y\r\nc: 2\r\n"
    found = mapping(text)
    assert [entry.key.text for entry in found.entries] == ["a", "b", "c"]
    for entry in found.entries:
        assert text[entry.key.span.start : entry.key.span.end] == entry.key.text
    assert found.text("b") == "x\ny\n"


def test_several_documents_are_several_values() -> None:
    assert len(read(SourceText("a.yml", "a: 1\n---\nb: 2\n...\n")).verify().documents) == 2


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\nb: c: d\n", "mapping values", 2),
        ("a: 1\n\tb: 2\n", "", 2),
        ("a: [1, 2\nb: 3\n", "", 2),
        ("a: 1\nb: 'x\n", "", 2),
        ("a: 1\nb: 2\na: 3\n", 'the key "a" stands here twice: first in line 1', 3),
        ("a: *b\n", "&b is not defined before", 1),
        ("a: &b [*b]\n", "&b contains itself", 1),
        ("? [x]\n: 1\n", "a key is no mapping", 1),
        ("a: 1\nb: \udcff\n", "0xff is no UTF-8", 2),
        ("a: 1\nb: \x00\n", "U+0000", 2),
        ('a: "\\UFFFFFFFF"\n', "", 1),
        ('a: "\\q"\n', "escape", 1),
        ("%YAML 9.9.9\n---\na: 1\n", "", 1),
        ("[" * 1000, "nested", 1),
        ("- " * 1000 + "x", "nested", 1),
        ("{a: " * 1000, "nested", 1),
        ("x" * (LARGEST + 1), "characters", 1),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str, line: int) -> None:
    said, at = wrong(text)
    assert message in said
    assert at == line
    assert said.isprintable()


def test_alias_bombs_are_not_followed() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    said, _ = wrong("\n".join(lines))
    assert "values, aliases followed" in said
    deep = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 200)]
    said, at = wrong("\n".join(deep))
    assert "nested" in said and at == DEEPEST


def test_what_was_read_before_an_error_is_kept() -> None:
    result = read(SourceText("a.yml", "a: 1\nb:\n  - c\n  - d: 'x\n"))
    assert result.error is not None
    (document,) = result.documents
    assert isinstance(document, Mapping) and document.text("a") == "1"
    with pytest.raises(KezuriError):
        result.verify()


def test_characters_of_a_scalar_have_places() -> None:
    text = "run: |\n  docker build \\\n    -t x .\n\n  echo\nb: 'one two'\n"
    found = mapping(text)
    run = found.get("run")
    assert isinstance(run, Scalar)
    lines = Lines(SourceText("a.yml", text), run)
    at = run.text.index("-t x")
    span = lines.span(Span(at, at + 4))
    assert lines.exact and text[span.start : span.end] == "-t x"
    at = run.text.index("echo")
    span = lines.span(Span(at, at + 4))
    assert text[span.start : span.end] == "echo"
    quoted = found.get("b")
    assert isinstance(quoted, Scalar)
    span = Lines(SourceText("a.yml", text), quoted).span(Span(4, 7))
    assert text[span.start : span.end] == "two"
    folded = "a: >\n  x\n  y\n"
    part = mapping(folded).get("a")
    assert isinstance(part, Scalar)
    assert Lines(SourceText("a.yml", folded), part).span(Span(0, 1)) == part.span


def test_comments_are_seen_where_they_are_comments() -> None:
    text = "# top\na: 'x # no'  # one\nb: |\n  # no\nc: d#e\nf: [1, # two\n  2]\n   # three\n"
    found = comments(read(SourceText("a.yml", text)))
    assert [(c.text, c.alone) for c in found] == [("top", True), ("one", False), ("two", False), ("three", True)]
    for comment in found:
        assert text[comment.span.start : comment.span.end].lstrip("# ") == comment.text


PIECES = [
    "a",
    "b: ",
    "- ",
    "\n",
    "  ",
    "\n  ",
    "'",
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ": ",
    "? ",
    "&x ",
    "*x",
    "!t ",
    "|",
    ">",
]
PIECES += [
    "\t",
    "# c",
    "---\n",
    "...",
    "%YAML 1.1",
    "<<: ",
    "\\",
    "é",
    "\udc80",
    "\x07",
    "\ufeff",
    "\r\n",
    "\u2028",
    "~",
]


texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=60)


@given(texts)
@settings(max_examples=100, deadline=None)
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    read_or_refused(text)


@pytest.mark.slow
@given(texts)
@settings(max_examples=3000, deadline=None)
def test_many_more_texts_are_read_or_refused_with_a_place(text: str) -> None:
    read_or_refused(text)


def read_or_refused(text: str) -> None:
    source = SourceText("a.yml", text)
    result = read(source)
    for document in result.documents:
        for part in walk(document):
            assert 0 <= part.span.start <= part.span.end <= len(text)
    if result.error is not None:
        for diagnostic in result.error.diagnostics:
            assert diagnostic.source is source and diagnostic.span is not None
            assert "\n" not in diagnostic.message
    comments(result)
