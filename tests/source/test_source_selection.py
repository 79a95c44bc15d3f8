"""What source words select."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.source.source_trees import make

from kezuri.dockerfile.ignore import Ignore
from kezuri.layer.entry import Entry
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.item_tree import ItemTree
from kezuri.tree.selection import Selection, SourceError, download, heredoc, select


@pytest.fixture
def tree(tmp_path: os.PathLike[str]) -> DirectoryTree:
    root = make(
        f"{tmp_path}/context",
        {
            "app.js": "1",
            "home.txt": "2",
            "home.md": "3",
            "homes/f.txt": "4",
            "src/a.ts": "5",
            "src/lib/b.ts": "6",
            "src/lib/b.test.ts": "7",
            "packages/x/package.json": "8",
            "packages/x/src/i.ts": "9",
            "packages/y/package.json": "10",
            "packages/z/README": "11",
            "current": "-> src/lib",
            "link.js": "-> app.js",
            "out": "-> /../../../etc/passwd",
            "src/up": "-> ../homes",
            "dangling": "-> nowhere",
            "we[ird": "12",
        },
    )
    return DirectoryTree(root, owner=(0, 0), name="the build context")


def shown(selection: Selection) -> list[tuple[str, list[str]]]:
    return [
        (root.name, [item.path + ("?" if item.implied else "") for item in root.items] if root.directory else ["="])
        for root in selection
    ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("app.js", [("app.js", ["="])]),
        ("/app.js", [("app.js", ["="])]),
        ("../../app.js", [("app.js", ["="])]),
        ("src/../app.js", [("app.js", ["="])]),
        ("app.js/", [("app.js", ["="])]),
        ("src/lib", [("lib", ["b.test.ts", "b.ts"])]),
        ("src/lib/.", [("lib", ["b.test.ts", "b.ts"])]),
        ("src", [("src", ["a.ts", "lib", "lib/b.test.ts", "lib/b.ts", "up"])]),
        ("current", [("current", ["b.test.ts", "b.ts"])]),
        ("current/b.ts", [("b.ts", ["="])]),
        ("src/up/f.txt", [("f.txt", ["="])]),
        ("link.js", [("link.js", ["="])]),
        ("*.zip", []),
        ("home*", [("home.md", ["="]), ("home.txt", ["="]), ("homes", ["f.txt"])]),
        ("h?me.[mt]*", [("home.md", ["="]), ("home.txt", ["="])]),
        ("*/a.ts", [("a.ts", ["="])]),
        ("current/*.ts", [("b.test.ts", ["="]), ("b.ts", ["="])]),
        ("packages/*/package.json", [("package.json", ["="]), ("package.json", ["="])]),
        ("*/lib/b.ts", [("b.ts", ["="])]),
        ("*/up/f.txt", []),
        ("we[[]ird", [("we[ird", ["="])]),
        ("packages/*/nothing", []),
    ],
)
def test_words(tree: DirectoryTree, word: str, expected: list[tuple[str, list[str]]]) -> None:
    assert shown(select(tree, [word])) == expected


def test_whole_context(tree: DirectoryTree) -> None:
    for word in (".", "/", "./", "*/.."):
        (root,) = select(tree, [word])
        assert [item.path for item in root.items if "/" not in item.path] == sorted(os.listdir(tree.root))


def test_links_below_a_directory_stay_links(tree: DirectoryTree) -> None:
    (root,) = select(tree, ["src"])
    up = root.items[-1]
    assert (up.path, up.entry.kind, up.entry.link) == ("up", "symlink", "../homes")


def test_followed_source_keeps_its_own_name(tree: DirectoryTree) -> None:
    (root,) = select(tree, ["link.js"])
    assert (root.name, root.top.entry.path, root.top.entry.kind) == ("link.js", "app.js", "file")


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("ap.js", '"ap.js" was not found in the build context', 'Did you mean "app.js"?'),
        ("src/lib/c.ts", '"src/lib/c.ts" was not found', 'Did you mean "src/lib/b.ts"?'),
        ("srx/lib/b.ts", '"srx/lib/b.ts" was not found', 'Did you mean "src/lib/b.ts"?'),
        ("app.js/x", '"app.js/x" was not found', '"app.js" is not a directory.'),
        ("quite/different", "was not found", 'There is no "quite" in the build context.'),
        ("missing/*.txt", '"missing/*.txt" was not found', 'There is no "missing" in the build context.'),
        ("out", '(a link to "etc/passwd") was not found', 'There is no "etc"'),
        ("dangling", '"dangling" (a link to "nowhere") was not found', 'There is no "nowhere"'),
        (
            "../secret",
            "was not found",
            '".." cannot leave the build context; the path that was looked for is "secret".',
        ),
    ],
)
def test_missing(tree: DirectoryTree, word: str, message: str, hint: str) -> None:
    with pytest.raises(SourceError) as error:
        select(tree, ["app.js", word])
    assert message in str(error.value)
    assert hint in error.value.diagnostics[0].hint
    assert error.value.word == 1


def test_hidden_by_a_rule(tmp_path: os.PathLike[str]) -> None:
    root = make(f"{tmp_path}/c", {"dist/app.js": "", "f": ""})
    rules = Ignore.parse("# a\n\ndist\n", "prod.Dockerfile.dockerignore")
    tree = DirectoryTree(root, rules, (0, 0), name="the build context")
    with pytest.raises(SourceError) as error:
        select(tree, ["dist/app.js"])
    assert str(error.value) == (
        '"dist/app.js" cannot be copied from the build context: '
        'the rule "dist" on line 3 of prod.Dockerfile.dockerignore excludes it'
    )
    assert '"!dist/app.js"' in error.value.diagnostics[0].hint
    assert select(tree, ["dist*"]) == ()


PACKAGES = ["x", "x/package.json", "x/src", "x/src/i.ts", "y", "y/package.json", "z", "z/README"]


@pytest.mark.parametrize(
    ("words", "excludes", "expected"),
    [
        (["src"], ["*.ts"], [("src", ["lib", "lib/b.test.ts", "lib/b.ts", "up"])]),
        (["src"], ["**/*.test.ts"], [("src", ["a.ts", "lib", "lib/b.ts", "up"])]),
        (["src"], ["lib"], [("src", ["a.ts", "up"])]),
        (["src"], ["lib", "!lib/b.ts"], [("src", ["a.ts", "lib?", "lib/b.ts", "up"])]),
        (["src"], ["lib", "!lib/zz"], [("src", ["a.ts", "up"])]),
        (["home*"], ["*.txt"], [("home.md", ["="]), ("homes", [])]),
        (["home.txt"], ["*.txt"], [("home.txt", ["="])]),
        (["homes*", "pack*"], ["homes"], [("packages", PACKAGES)]),
        (["homes*", "pack*"], ["packages", "*.txt"], [("homes", [])]),
        (["homes"], ["homes"], [("homes", ["f.txt"])]),
        (["hom*s", "c*t"], ["**"], []),
        (["hom*s"], ["*s", "!*.txt"], [("homes", ["f.txt"])]),
        (["hom*s"], ["*", "!*.txt"], [("homes", ["f.txt"])]),
        (["p*/*"], ["x", "y"], [("z", ["README"])]),
    ],
)
def test_excludes(
    tree: DirectoryTree, words: list[str], excludes: list[str], expected: list[tuple[str, list[str]]]
) -> None:
    """What a wildcard matched is held against the patterns by its name (as documented), what was named is not."""
    assert shown(select(tree, words, excludes=excludes)) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("src/a.ts", ["src?", "src/a.ts"]),
        ("src/lib", ["src?", "src/lib", "src/lib/b.test.ts", "src/lib/b.ts"]),
        (
            "packages/*/package.json",
            ["packages?", "packages/x?", "packages/x/package.json", "packages/y?", "packages/y/package.json"],
        ),
        ("src/./lib/b.ts", ["lib?", "lib/b.ts"]),
        ("src/lib/./b.ts", ["b.ts"]),
        ("current/./b.ts", ["b.ts"]),
        (
            "**/package.json",
            ["packages?", "packages/x?", "packages/x/package.json", "packages/y?", "packages/y/package.json"],
        ),
        ("packages/./**/i.ts", ["x?", "x/src?", "x/src/i.ts"]),
        ("**/*.zip", []),
        ("*.zip", []),
        ("link.js", ["link.js"]),
    ],
)
def test_parents(tree: DirectoryTree, word: str, expected: list[str]) -> None:
    ((_, items),) = shown(select(tree, [word], parents=True))
    assert items == expected


def test_parents_walks_only_what_can_match(tree: DirectoryTree, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[str] = []
    scan = DirectoryTree.scan

    def watch(self: DirectoryTree, path: str) -> object:
        walked.append(path)
        return scan(self, path)

    monkeypatch.setattr(DirectoryTree, "scan", watch)
    select(tree, ["packages/x/src"], parents=True)
    assert walked == ["", "packages", "packages/x", "packages/x/src"]
    walked.clear()
    select(tree, ["src/lib/b.ts", "app.js"])
    assert walked == []


@pytest.mark.parametrize("word", ["src/zz.ts", "nothing", "src/./zz"])
def test_parents_missing(tree: DirectoryTree, word: str) -> None:
    with pytest.raises(SourceError, match="was not found in the build context"):
        select(tree, [word], parents=True)


def test_a_wildcard_before_the_pivot_passes_over_files(tree: DirectoryTree) -> None:
    assert shown(select(tree, ["home*/./f.txt"], parents=True)) == [("homes", ["f.txt"])]
    assert select(tree, ["home.*/./f.txt"], parents=True) == ()
    with pytest.raises(SourceError, match="is not a directory"):
        select(tree, ["home.txt/./f.txt"], parents=True)


def test_parents_follows_no_links_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "f").touch()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(SourceError) as caught:
        select(DirectoryTree(str(tmp_path)), ["link/f"], parents=True)
    (said,) = caught.value.diagnostics
    assert (said.message, said.hint) == (
        '"link/f" leads through a link, and --parents follows none',
        'Write "real/f" instead.',
    )


def test_parents_with_excludes(tree: DirectoryTree) -> None:
    assert shown(select(tree, ["src/lib"], parents=True, excludes=["**/*.test.ts"])) == [
        ("", ["src?", "src/lib", "src/lib/b.ts"])
    ]
    assert shown(select(tree, ["src/a.ts"], parents=True, excludes=["src/a.ts"])) == [("", [])]


def test_made_sources() -> None:
    root = heredoc("etc/motd", b"hi\n", 5)
    assert (root.name, root.top.content) == ("motd", b"hi\n")
    assert root.top.entry[1:7] == ("file", 0o644, 0, 0, 3, 5)
    root = download("", "/tmp/x", 3, 9)
    assert (root.name, root.top.entry.mode, root.top.entry.mtime) == ("__unnamed__", 0o600, 9)


names = st.text("abc-.", min_size=1, max_size=3).filter(lambda n: n not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@given(st.lists(paths, max_size=12, unique=True))
@settings(max_examples=60, deadline=None)
def test_selection_does_not_depend_on_order(all_paths: list[str]) -> None:
    files = [p for p in all_paths if not any(q.startswith(p + "/") for q in all_paths)]
    items = [(Entry(path, "file", size=1), b"x") for path in files]
    one = select(ItemTree(items, "t"), ["."])
    two = select(ItemTree(list(reversed(items)), "t"), ["."])
    assert one == two
    listed = [item.path for item in one[0].items]
    for index, path in enumerate(listed):
        parent = path.rpartition("/")[0]
        assert not parent or parent in listed[:index]
    assert len(set(listed)) == len(listed)


def test_nothing_is_suggested_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "esc").symlink_to("file")
    (tmp_path / "abs").symlink_to("/etc/hostname")
    (tmp_path / "dir").mkdir()
    for word in ("abs", "fil/x", "di/x"):
        with pytest.raises(SourceError) as error:
            select(DirectoryTree(str(tmp_path), name="the build context"), [word])
        assert "Did you mean" not in error.value.diagnostics[0].hint
