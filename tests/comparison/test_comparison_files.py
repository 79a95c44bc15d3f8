"""Root file systems of two images compared: by hand, and against what plain mappings say."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.comparison.comparison_images import File, Layer, image, shown

from kezuri.comparison.difference import FileChange
from kezuri.comparison.files import FileChanges, compared


def told(found: FileChanges) -> dict[str, str]:
    return {change.path: change.what for change in found.files}


def change(found: FileChanges, path: str) -> FileChange:
    return next(each for each in found.files if each.path == path)


def test_each_kind_of_change_is_told_once() -> None:
    before = {
        "etc": File(directory=True),
        "etc/same": File(b"same"),
        "etc/bytes": File(b"abcd"),
        "etc/grown": File(b"abc"),
        "etc/gone": File(b"gone"),
        "etc/mode": File(b"m"),
        "etc/link": File(link="a"),
        "etc/kind": File(b"k"),
        "etc/time": File(b"t", mtime=1),
        "etc/empty": File(),
    }
    after = {
        **{path: file for path, file in before.items() if path != "etc/gone"},
        "etc/bytes": File(b"abce"),
        "etc/grown": File(b"abcdef"),
        "etc/mode": File(b"m", 0o4755, 7),
        "etc/link": File(link="b"),
        "etc/kind": File(directory=True),
        "etc/kind/new": File(b"new"),
        "etc/time": File(b"t", mtime=2),
    }
    found = compared(image(before), image(after))
    assert told(found) == {
        "etc/bytes": "content",
        "etc/gone": "gone",
        "etc/grown": "content",
        "etc/kind": "kind",
        "etc/kind/new": "new",
        "etc/link": "content",
        "etc/mode": "metadata",
    }
    assert change(found, "etc/mode").details == (("mode", "0644", "4755"), ("owner", "0:0", "7:0"))
    assert change(found, "etc/link").details == (("target", "a", "b"),)
    assert change(found, "etc/kind").grown == -1
    tally = found.tally
    assert (tally.new, tally.gone, tally.changed, tally.metadata) == (1, 1, 4, 1)
    assert (tally.size_new, tally.size_gone, tally.grown) == (3, 4, 3 - 4 + 3 - 1)
    assert dict(found.directories)["etc"] == tally
    assert "etc/time" in told(compared(image(before), image(after), times=True))


def test_what_other_layers_hide_does_not_count() -> None:
    before = image({"a": File(b"old"), "b": File(b"b")}, {"a": File(b"new"), "b": None})
    after = image({"a": File(b"new")})
    assert not compared(before, after).files


def test_a_file_with_several_names_weighs_once() -> None:
    before = image({"a": File(b"12345"), "b": File(hard="a")})
    found = compared(before, image({}))
    assert told(found) == {"a": "gone", "b": "gone"}
    assert found.tally.size_gone == 5
    # A name whose first one is gone is the same file still.
    after = image({"a": File(b"12345"), "b": File(hard="a")}, {"a": None})
    assert told(compared(before, after)) == {"a": "gone"}
    assert told(compared(before, image({"a": File(b"12345"), "b": File(b"12345")}))) == {}
    assert told(compared(before, image({"a": File(b"12345"), "b": File(b"12346")}))) == {"b": "content"}


def test_the_base_image_has_its_share() -> None:
    before = image({"libc": File(b"1"), "old": File(b"o")}, {"app": File(b"1")}, base=1)
    after = image({"libc": File(b"22"), "more": File(b"abc")}, {"app": File(b"2"), "own": File(b"x")}, base=1)
    origins = dict(compared(before, after).origins)
    assert (origins["base"].new, origins["base"].gone, origins["base"].changed) == (1, 1, 1)
    assert (origins["own"].new, origins["own"].gone, origins["own"].changed) == (1, 0, 1)
    # What has no bytes has an origin, too.
    before = image({"etc": File(directory=True), "etc/link": File(link="a"), "etc/empty": File()}, base=1)
    origins = dict(compared(before, image({"new": File(link="b")})).origins)
    assert (origins["base"].gone, origins["own"].new) == (3, 1)
    assert compared(image({"a": File(b"1")}), image({})).origins == (), "nobody knows a base"


def test_only_the_weightiest_are_kept() -> None:
    after = {f"f{number}": File(bytes(number)) for number in range(50)}
    found = compared(image({}), image(after), most=3)
    assert [each.path for each in found.files] == ["f47", "f48", "f49"]
    assert found.tally.new == 50
    assert found.tally.grown == sum(range(50))


def test_names_that_are_no_utf8_are_compared() -> None:
    found = compared(image({"\udcff\udcfe": File(b"1")}), image({"\udcff\udcfe": File(b"2"), "é": File()}))
    assert sorted(told(found).values()) == ["content", "new"]


paths = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/f", "g/h"])
files = st.tuples(st.sampled_from([b"", b"1", b"2", b"22"]), st.sampled_from([0o644, 0o755])).map(
    lambda both: File(*both)
)
layers = st.lists(st.dictionaries(paths, st.none() | files, max_size=5), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(layers, layers)
def test_it_is_what_mappings_say(before: list[Layer], after: list[Layer]) -> None:
    found = compared(image(*before), image(*after))
    old, new = shown(before), shown(after)
    # Directories come with what lies in them: only files are looked at.
    said = {path: what for path, what in told(found).items() if path in old or path in new}
    expected = {}
    for path in old.keys() | new.keys():
        one, two = old.get(path), new.get(path)
        if one is None or two is None:
            expected[path] = "new" if one is None else "gone"
        elif one.data != two.data:
            expected[path] = "content"
        elif one.mode != two.mode:
            expected[path] = "metadata"
    assert said == expected
    assert found.tally.grown == sum(len(f.data) for f in new.values()) - sum(len(f.data) for f in old.values())
    back = compared(image(*after), image(*before))
    mirrored = {"new": "gone", "gone": "new"}
    assert told(back) == {path: mirrored.get(what, what) for path, what in told(found).items()}
    assert not compared(image(*before), image(*before)).files
