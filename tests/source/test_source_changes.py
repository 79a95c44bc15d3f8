"""Listings compared: each path that differs, and how."""

from hypothesis import given
from hypothesis import strategies as st

from kezuri.explain.changes import Change, What, changes
from kezuri.tree.checksum import Record, text

RECORD = st.one_of(
    st.builds(
        Record,
        st.sampled_from(["0" * 64, "1" * 64]),
        st.sampled_from([0o644, 0o755, 0o4755]),
        st.integers(0, 1),
        st.integers(0, 1),
        st.just("file"),
        st.just(""),
        st.sampled_from(["", "a" * 64, "b" * 64]),
    ),
    st.builds(
        Record,
        st.just("x"),
        st.just(0o777),
        st.just(0),
        st.just(0),
        st.just("symlink"),
        st.text("a %+/2B0\n\udc80", min_size=1, max_size=4),
        st.sampled_from(["", "a" * 64]),
    ),
    st.just(Record("", 0o755, 0, 0, "dir")),
)
PATHS = st.sampled_from(["a", "b b", "c/d", "e\nf", "\\n", "g+h", "\udc80"])
LISTING = st.dictionaries(PATHS, RECORD, max_size=5)


def shown(path: str) -> str:
    return path.replace("\\", "\\\\").replace("\n", "\\n")


@given(LISTING, LISTING)
def test_every_path_that_differs_is_named_and_no_other(one: dict[str, Record], two: dict[str, Record]) -> None:
    found = changes(text(one), text(two))
    differ = {shown(p) for p in one.keys() | two.keys() if one.get(p) != two.get(p)}
    named = {c.path for c in found} | {c.before for c in found if c.what == "renamed"}
    assert named == differ
    assert list(found) == sorted(found)


@given(LISTING)
def test_nothing_differs_from_itself(one: dict[str, Record]) -> None:
    assert changes(text(one), text(one)) == ()


@given(LISTING, LISTING)
def test_going_back_undoes_it(one: dict[str, Record], two: dict[str, Record]) -> None:
    opposite: dict[What, What] = {"new": "gone", "gone": "new"}
    back = {
        Change(c.before if c.what == "renamed" else c.path, opposite.get(c.what, c.what), c.after, c.before)
        for c in changes(text(two), text(one))
    }
    assert back == set(changes(text(one), text(two)))


def test_a_link_tells_where_it_points() -> None:
    one = {"l": Record("x", 0o777, 0, 0, "symlink", "a b+%\n")}
    two = {"l": Record("y", 0o777, 0, 0, "symlink", "c")}
    assert changes(text(one), text(two)) == (Change("l", "link", "a b+%\n", "c"),)


def test_a_rename_is_told_only_where_it_is_clear_which() -> None:
    file, other = Record("1" * 64, 0o644, 0, 0, "file"), Record("2" * 64, 0o644, 0, 0, "file")
    assert changes(text({"a": file}), text({"b": file})) == (Change("b", "renamed", "a", "b"),)
    assert {c.what for c in changes(text({"a": file}), text({"b": file, "c": file}))} == {"gone", "new"}
    assert {c.what for c in changes(text({"a": file}), text({"b": other}))} == {"gone", "new"}
