"""Keys that may turn out to be the same are of one family, so that only these need to be compared."""

from hypothesis import given
from hypothesis import strategies as st

from kezuri.forecast.unseen import family, is_unseen, may_be_equal

UNSEEN = "not known yet "
KNOWN = st.tuples(st.sampled_from(["kind", "state before", "destination", "mode"]), st.sampled_from("ab"))
FILES = st.tuples(st.sampled_from(["files", "files 2", "url"]), st.sampled_from(["a", "b", UNSEEN + "x", UNSEEN + "y"]))
KEYS = st.lists(KNOWN | FILES, max_size=4).map(tuple)


@given(KEYS, KEYS)
def test_only_keys_of_one_family_may_be_equal(
    one: tuple[tuple[str, str], ...], other: tuple[tuple[str, str], ...]
) -> None:
    if may_be_equal(one, other):
        assert family(one) == family(other)
    assert may_be_equal(one, one) and family(one) == family(one)


@given(KEYS)
def test_what_is_not_known_yet_may_be_anything(key: tuple[tuple[str, str], ...]) -> None:
    other = tuple((name, "seen" if is_unseen(value) else value) for name, value in key)
    assert may_be_equal(key, other) and family(key) == family(other)


def test_what_is_known_tells_families_apart() -> None:
    key = (("kind", "COPY"), ("state before", "s"), ("files", UNSEEN + "x"), ("destination", "/a"))
    for position, value in ((0, "ADD"), (1, "t"), (3, "/b")):
        changed = tuple((name, value if i == position else old) for i, (name, old) in enumerate(key))
        assert family(changed) != family(key) and not may_be_equal(changed, key)
