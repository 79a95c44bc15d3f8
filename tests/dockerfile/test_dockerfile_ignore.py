"""Ignore files (section 1.6)."""

import os
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile import Folder, Ignore, Patterns, find_ignore
from kezuri.dockerfile.pathpattern import PathPattern, clean


@pytest.mark.parametrize(
    ("pattern", "hit", "missed"),
    [
        ("foo", ["foo", "foo/x", "foo/x/y"], ["x/foo", "foox", "xfoo"]),
        ("/foo", ["foo"], ["x/foo"]),
        ("./a/../foo/", ["foo", "foo/x"], []),
        ("a/b", ["a/b", "a/b/c"], ["a", "a/bc", "x/a/b"]),
        ("*", ["a", "a/b", ".a"], []),
        ("*.md", ["a.md", ".md", "a.md/x"], ["x/a.md", "amd", "a.mdx"]),
        ("*/*.md", ["x/a.md"], ["a.md", "x/y/a.md"]),
        ("a?c", ["abc", "a.c", "aéc"], ["ac", "a/c", "abbc"]),
        ("a[b-d]e", ["ace"], ["aae", "ae"]),
        ("a[^b-d]e", ["aze"], ["ace"]),
        ("**", ["a", "a/b"], []),
        ("**/", ["a", "a/b"], []),
        ("**/x", ["x", "a/x", "a/b/x", "a/x/c"], ["ax", "a/xb"]),
        ("**x", ["x", "ax", "a/x", "a/bx", "x/y"], ["xa", "a/xb"]),
        ("**/x/y", ["x/y", "a/x/y", "a/x/y/z"], ["x", "ax/y"]),
        ("x/**", ["x/a", "x/a/b"], ["x", "xa", "a/x/b"]),
        ("x**", ["x", "xa", "x/a", "xa/b"], ["ax", "a/x"]),
        ("**/x/**", ["x/a", "b/x/a"], ["x", "b/x"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b", "a/b/c"], ["a", "a/xb", "ab"]),
        ("a**/b", ["a/b", "ab", "ax/b", "a/x/b"], ["b", "xa/b"]),
        ("**/*.py[co]", ["a.pyc", "x/a.pyo"], ["a.py", "a.pycx"]),
        ("**/**/*.txt", ["a.txt", "a/b/c.txt"], ["a.txt2"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a(b)|{c}+$", ["a(b)|{c}+$"], ["ab"]),
        ("\\*", ["*"], ["a"]),
        ("a\\?b", ["a?b"], ["axb"]),
        ("\\!a", ["!a"], ["a"]),
        ("a\\\\b", ["a\\b"], ["ab"]),
        ("\\[x\\]", ["[x]"], ["x"]),
        ("[*]", ["]", "[]", "^[]"], ["*", "a"]),  # as moby has it: a class of three, `[^/`, any times, and a `]`
        ("\\d", ["7", "7/x"], ["d", "77"]),  # as moby has it: an escaped letter is Go's class
        ("a b", ["a b"], ["a"]),
        (".", [], ["a", ".", "a/b"]),
        ("é*", ["éa"], ["e"]),
    ],
)
def test_a_pattern(pattern: str, hit: list[str], missed: list[str]) -> None:
    ignore = Ignore.parse(pattern, ".dockerignore")
    assert [path for path in hit if not ignore.matches(path)] == []
    assert [path for path in missed if ignore.matches(path)] == []
    for path in hit + missed:
        assert walked(ignore, path) == ignore.matches(path), path


def walked(patterns: Patterns, path: str) -> bool:
    """Whether a walk would not come to the path."""
    folder: Folder | None = patterns.walk()
    *above, name = path.split("/")
    for directory in above:
        assert folder is not None
        folder = folder.enter(directory)
        if folder is None:
            return True
    assert folder is not None
    if path in (".", ""):
        return False
    return folder.excluded(name)


@pytest.mark.parametrize(
    ("text", "excluded", "included"),
    [
        ("*.md\n!README.md", ["a.md"], ["README.md", "a"]),
        ("!README.md\n*.md", ["README.md"], ["a"]),
        ("*.md\n!README*.md\nREADME-secret.md", ["README-secret.md", "a.md"], ["README.md"]),
        ("docs\n!docs/README.md", ["docs", "docs/a"], ["docs/README.md", "docs/README.md/x"]),
        ("*\n!src", ["a", "b/src"], ["src", "src/x/y"]),
        ("**\n!a/b\na/b/c", ["x", "a", "a/b/c", "a/b/c/d"], ["a/b", "a/b/x"]),
        ("! /abs/x", [], ["abs/x"]),
        ("*\n!  /x", ["y"], ["x"]),
        ("a\n!**/b", ["a", "a/c"], ["a/b", "a/x/y/b"]),
    ],
)
def test_the_last_match_decides(text: str, excluded: list[str], included: list[str]) -> None:
    ignore = Ignore.parse(text, ".dockerignore")
    assert [path for path in excluded if not ignore.matches(path)] == []
    assert [path for path in included if ignore.matches(path)] == []
    for path in excluded + included:
        assert walked(ignore, path) == ignore.matches(path), path


def test_lines() -> None:
    text = "\ufeff# comment\r\n\r\n  a  \r\n #b\r\nc#d\r\n\t\r\n!\td \r\n"
    ignore = Ignore.parse(text, ".dockerignore")
    assert ignore.matches("a") and ignore.matches("#b") and ignore.matches("c#d")
    assert not ignore.matches("# comment") and not ignore.matches("d")
    assert ignore.has_negations
    assert ignore.rule("a/x") == ("a", 3)
    assert ignore.rule("#b") == ("#b", 4)
    assert ignore.rule("x") is None


def test_the_rule_that_excluded_is_the_last_one() -> None:
    ignore = Ignore.parse("*\n!a\na/secret*\n", ".dockerignore")
    assert ignore.rule("b/c") == ("*", 1)
    assert ignore.rule("a/b") is None
    assert ignore.rule("a/secret.txt/x") == ("a/secret*", 3)


@pytest.mark.parametrize(
    "bad", ["!", "! ", "!/", "[", "a[", "[]a]", "[a-]", "[-a]", "[^]", "a\\", "[z-a]", "\\y", "x/[a"]
)
def test_a_malformed_pattern_is_named_with_its_line(bad: str) -> None:
    with pytest.raises(KezuriError) as caught:
        Ignore.parse(f"good\n{bad}\nfine\n[\n", "app/.dockerignore")
    first, second = caught.value.diagnostics
    assert first.source is not None and first.span is not None and second.span is not None
    assert first.source.name == "app/.dockerignore"
    assert first.source.position(first.span.start)[0] == 2
    assert first.source.position(second.span.start)[0] == 4
    assert "pattern" in first.message


@pytest.mark.parametrize(
    ("text", "directory", "wanted"),
    [
        ("a", "a", False),
        ("a", "b", True),
        ("a\n!b", "a", False),
        ("a\n!a/b", "a", True),
        ("a\n!a/b", "a/c", False),
        ("a\n!a/b/c", "a/b", True),
        ("a\n!a/*/c", "a/x", True),
        ("a\n!a/*/c", "a/x/y", False),
        ("a\n!b*/c", "a", False),
        ("a\n!**/c", "a/x/y", True),
        ("a\n!a/**/c", "a/x", True),
        ("a\n!b/**/c", "a", False),
        ("a\n!a/x/**", "a", True),
        ("a\n!a/x/**", "a/y", False),
        ("!a/b\na", "a", False),
        ("a\n!a/b\na", "a", True),
        ("*\n!src/main", "node_modules", False),
        ("*\n!src/main", "src", True),
        ("*\n!*.txt", "src", False),
    ],
)
def test_which_directories_can_be_passed_over(text: str, directory: str, wanted: bool) -> None:
    folder: Folder | None = Ignore.parse(text, ".dockerignore").walk()
    for name in directory.split("/"):
        folder = folder.enter(name) if folder is not None else None
    assert (folder is not None) is wanted


def test_a_walk_passes_over_excluded_directories() -> None:
    walk = Ignore.parse("node_modules\n**/*.log\n!keep/**/a.log\nkeep/b", ".dockerignore").walk()
    assert walk.kept(["node_modules", "a.log", "src", "keep"]) == ["src", "keep"]
    assert walk.enter("node_modules") is None
    keep = walk.enter("keep")
    assert keep is not None
    assert keep.kept(["a.log", "b.log", "b"]) == ["a.log"]
    assert keep.enter("b") is None


def test_patterns_of_exclude_flags() -> None:
    patterns = Patterns.of(["*.md", "!a.md", "**/tmp"])
    assert [p for p in ("a.md", "b.md", "x/b.md", "x/tmp/y") if patterns.matches(p)] == ["b.md", "x/tmp/y"]
    assert not Patterns.of([])
    assert Patterns.of([]).walk().kept(["a"]) == ["a"]
    with pytest.raises(KezuriError, match="syntax error in pattern"):
        Patterns.of(["["])


@pytest.mark.parametrize("pattern", ["*a*a*a*a*a*a*a*a*b", "**/a/**/a/**/a/**/a/**/a/b", "**/*a*/**/*a*/**/*a*/b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    ignore = Ignore.parse(pattern, ".dockerignore")
    for path in ("a" * 250, "/".join(["a"] * 250), "/".join(["a" * 20] * 40)):
        assert not ignore.matches(path)
        assert not walked(ignore, path)
    assert ignore.matches("a/a/a/a/a/b" if "/" in pattern else "aaaaaaaab")


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["[\\W]C", "**a", "a|b*", "*a/", "[é-日]", "x{1000}?"])
def test_no_long_pattern_takes_long(piece: str) -> None:
    ignore = Ignore.parse(piece * (60_000 // len(piece.encode())), ".dockerignore")
    for path in ("a" * 250, "/".join(["a"] * 250)):
        assert ignore.matches(path) == (piece == "a|b*")  # its first side is an `a`, and not tied to the end
        walked(ignore, path)


def test_TRAP_a_line_of_more_than_65535_bytes_is_an_error() -> None:
    Ignore.parse("a" * 65535 + "\nb", ".dockerignore")
    for text in ("b\n" + "a" * 65536, "b\n" + "é" * 32768 + "\n", "b\n" + "a" * 65535 + "\r\n"):
        with pytest.raises(KezuriError, match="greater than max allowed size of 65535") as caught:
            Ignore.parse(text, ".dockerignore")
        (found,) = caught.value.diagnostics
        assert found.source is not None and found.span is not None
        assert found.source.position(found.span.start) == (2, 1)


@pytest.mark.parametrize("pattern", ["a*b*c*d", "**/a*b*/c*", "a/**/b/**/c*d", "[ab]*[^c]*d*e", "**/*.a*b*c/**"])
def test_both_ways_to_match_agree(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = ["a", "b", "c", "d", "/", "."]
    paths = ["abcd", "a/b/c/cd", "axbyczd", "x/ab/cc", "a.abc/x", "bxde", "a/b.abc/d/e", "acd", "a//d"]
    paths += [x + y + z + w for x in letters for y in letters for z in letters for w in letters]
    quick = PathPattern(pattern)
    slow = PathPattern(pattern)
    monkeypatch.setattr(PathPattern, "_is_slow", lambda self, path: self is slow)
    for path in paths:
        assert quick.hits(path) == slow.hits(path), path
        assert quick.covers(path) == slow.covers(path), path


def test_find_ignore(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    dockerfile = tmp_path / "app.Dockerfile"
    assert find_ignore(str(dockerfile), str(context)) is None
    (context / ".dockerignore").write_text("a")
    assert find_ignore(str(dockerfile), str(context)) == str(context / ".dockerignore")
    assert find_ignore(None, str(context)) == str(context / ".dockerignore")
    own = tmp_path / "app.Dockerfile.dockerignore"
    own.write_text("")
    assert find_ignore(str(dockerfile), str(context)) == str(own)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("", "."),
        ("a//b/./c/..", "a/b"),
        ("../a", "../a"),
        ("/../a", "/a"),
        ("//a", "/a"),
        ("a/../..", ".."),
        ("/", "/"),
    ],
)
def test_clean(path: str, wanted: str) -> None:
    assert clean(path) == wanted
    assert os.path.normpath(path).lstrip("/") == wanted.lstrip("/")
