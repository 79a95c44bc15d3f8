"""Which words are remote, and what they say: the forms that BuildKit takes."""

import pytest

from kezuri.diagnostics import KezuriError, SourceText, Span
from kezuri.dockerfile.instructions import Node
from kezuri.plan.inputs import GitSource, UrlSource
from kezuri.plan.remote import Words, git_source, is_secure_shell, remote_context, remote_words, url_source

SHA = "5456a7cc83ed7129d9c5ca3706f67f0f4edf35ba"
SUM = "sha256:" + "0" * 64


def words(*sources: str, keyword: str = "ADD", checksum: str | None = None, keep: bool | None = None) -> object:
    spans = tuple(Span(i, i + 1) for i in range(len(sources)))
    node = Node(keyword, keyword, Span(0, 99), Span(0, 3), "", (), 0, SourceText("Dockerfile", "x" * 99))
    return remote_words(Words(node, sources, spans), checksum, keep)


def git(text: str) -> GitSource:
    found = git_source(text)
    assert found is not None
    return found[0]


class TestNames:
    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("https://h/a/f.txt?x=1", "f.txt"),
            ("https://h", "__unnamed__"),
            ("https://h/", "__unnamed__"),
            ("https://h/a/", "a"),
            ("https://h/a/sp%20ace.txt", "sp ace.txt"),
            ("https://h/a/%2e%2e", "download"),
            ("https://h/a/..", "download"),
            ("https://h/x%0Ay", "download"),
            ("https://h/%ff", "download"),
            ("https://h/%20f%20", "f"),
            ("https://h/x%2Fy", "y"),
            ("https://h/*.txt", "*.txt"),
            ("https://h/f#frag", "f"),
        ],
    )
    def test_a_file_is_called_like_the_last_part_of_the_path(self, url: str, name: str) -> None:
        assert url_source(url).name == name

    def test_credentials_are_taken_out_of_addresses(self) -> None:
        assert url_source("https://me:p%40ss@h/f") == UrlSource("https://h/f", "f", "", "me:p@ss")
        found = git("https://me:secret@h/r.git#b")
        assert (found.remote, found.ref, found.credentials) == ("https://h/r.git", "b", "me:secret")
        assert git("ssh://git@h/r").remote == "ssh://git@h/r" and git("ssh://git@h/r").credentials == ""

    @pytest.mark.parametrize("text", ["https://h/%zz", "https:///x", "https://h/a\x01b"])
    def test_what_is_no_url(self, text: str) -> None:
        with pytest.raises(KezuriError, match="not a URL"):
            url_source(text)

    def test_a_blank_in_a_url_is_written_as_the_web_has_it(self) -> None:
        assert url_source("https://h/a b").url == "https://h/a%20b"


class TestGit:
    @pytest.mark.parametrize(
        ("text", "remote", "ref", "subdir"),
        [
            ("https://h/r.git", "https://h/r.git", "", ""),
            ("http://h:8080/x/r.git#v1", "http://h:8080/x/r.git", "v1", ""),
            ("https://h/r.git#:a/b", "https://h/r.git", "", "a/b"),
            ("https://h/r.git#feature/x:/a/../b//c/", "https://h/r.git", "feature/x", "b/c"),
            ("https://h/r.git#v1:../../etc", "https://h/r.git", "v1", "etc"),
            ("https://h/r.git?ref=v1&subdir=a", "https://h/r.git", "v1", "a"),
            ("https://h/r.git?tag=v1", "https://h/r.git", "refs/tags/v1", ""),
            ("https://h/r.git?tag=refs/tags/v1", "https://h/r.git", "refs/tags/v1", ""),
            ("https://h/r.git?branch=b", "https://h/r.git", "refs/heads/b", ""),
            ("https://h/r.git?ref=v1#v1", "https://h/r.git", "v1", ""),
            ("git://h/r", "git://h/r", "", ""),
            ("git://h/r#b", "git://h/r", "b", ""),
            ("ssh://git@h:22/r#b:d", "ssh://git@h:22/r", "b", "d"),
            ("git@h:a/r.git#b:d", "git@h:a/r.git", "b", "d"),
            ("me@h:r?subdir=d#b", "me@h:r", "b", "d"),
            ("HTTPS://h/r.git", "https://h/r.git", "", ""),
        ],
    )
    def test_forms(self, text: str, remote: str, ref: str, subdir: str) -> None:
        found = git(text)
        assert (found.remote, found.ref, found.subdir) == (remote, ref, subdir)

    @pytest.mark.parametrize(
        "text",
        ["https://h/r", "https://h/r.git/", "https://h/r.git/x", "ftp://h/r.git", "file:///r.git", "a/b.git",
         "github.com/a/b.git", "./git@h:x", "../x.git", "h:r.git", "ext::sh -c x"],
    )  # fmt: skip
    def test_what_is_no_git_repository(self, text: str) -> None:
        assert git_source(text) is None

    def test_queries(self) -> None:
        found = git(f"https://h/r.git?commit={SHA}&submodules=false&mtime=commit&fetch-by-commit")
        assert found.checksum == SHA and not found.submodules and found.mtime == "commit" and found.fetch_by_commit
        assert git("https://h/r.git?mtime=checkout").mtime == ""
        assert git_source("https://h/r.git?keep-git-dir") == (git("https://h/r.git"), True)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("https://h/r.git?foo=1", "unknown query 'foo'"),
            ("https://h/r.git?ref=a&ref=b", "several values"),
            ("https://h/r.git?ref=a#b", "two refs"),
            ("https://h/r.git?tag=a&branch=a", "two refs"),
            ("https://h/r.git?subdir=a#x:b", "two directories"),
            ("https://h/r.git?ref=", "no value"),
            ("https://h/r.git?mtime=now", "checkout or commit"),
            ("https://h/r.git?submodules=maybe", "true or false"),
            ("https://h/r.git#-upload-pack=x", "not a git ref"),
            ("https://h/r.git?ref=--x", "not a git ref"),
            ("https://h/r.git?ref=a%0Ab", "not a git ref"),
        ],
    )
    def test_what_is_refused(self, text: str, message: str) -> None:
        with pytest.raises(KezuriError, match=message):
            git_source(text)

    def test_a_query_that_was_meant(self) -> None:
        with pytest.raises(KezuriError) as error:
            git_source("https://h/r.git?subdri=x")
        assert error.value.diagnostics[0].hint == "did you mean subdir?"


class TestWords:
    def test_words_of_an_add(self) -> None:
        assert words("a", "https://h/f", "git@h:r") == (None, UrlSource("https://h/f", "f"), GitSource("git@h:r"))
        assert words("a", "b/git@c", "github.com/a/b.git", "ftp://h/f") == ()

    @pytest.mark.parametrize(
        ("sources", "more", "message", "at"),
        [
            (("https://h/f",), {"keyword": "COPY"}, "COPY takes no URL", 0),
            (("a", "https://h/r.git"), {"keyword": "COPY"}, "COPY takes no git repository", 1),
            (("a", "https://h/r.git?x=1"), {}, "unknown query", 1),
            (("a",), {"checksum": SUM}, "needs a source that is a URL", 0),
            (("https://h/f",), {"checksum": "abc"}, "not a checksum", 0),
            (("https://h/f",), {"checksum": "sha256:abc"}, "not a checksum", 0),
            (("https://h/f",), {"checksum": "sha512:" + "0" * 128}, "sha512 is not supported", 0),
            (("https://h/r.git",), {"checksum": "zz"}, "a commit hash or its beginning", 0),
            ((f"https://h/r.git?checksum={SHA}",), {"checksum": "0"}, "contradict", 0),
            (("https://h/r.git?keep-git-dir=true",), {"keep": False}, "contradict", 0),
        ],
    )
    def test_what_is_wrong_is_said_at_the_word(
        self, sources: tuple[str, ...], more: dict[str, object], message: str, at: int
    ) -> None:
        with pytest.raises(KezuriError, match=message) as error:
            words(*sources, **more)  # type: ignore[arg-type]
        assert error.value.diagnostics[0].span == Span(at, at + 1)

    def test_a_checksum_is_for_one_source(self) -> None:
        with pytest.raises(KezuriError, match="several sources"):
            words("https://h/f", "https://h/g", checksum=SUM)

    def test_flags_and_addresses_that_agree(self) -> None:
        assert words("https://h/r.git?keep-git-dir=1", keep=True) == (GitSource("https://h/r.git", keep_git_dir=True),)
        assert words("https://h/r.git", checksum="ABC") == (GitSource("https://h/r.git", checksum="abc"),)
        assert words("https://h/f", checksum=SUM) == (UrlSource("https://h/f", "f", SUM),)


class TestContexts:
    def test_a_hub_is_git_for_contexts_only(self) -> None:
        assert remote_context("github.com/u/r") == GitSource("https://github.com/u/r")
        assert remote_context("github.com/u/r.git#v1:d") == GitSource("https://github.com/u/r.git", "v1", "d")

    @pytest.mark.parametrize(("query", "keep"), [("=true", True), ("=1", True), ("", True), ("=false", False)])
    def test_a_context_keeps_its_git_directory_where_the_address_says_so(self, query: str, keep: bool) -> None:
        wanted = GitSource("https://h/r.git", "v1", keep_git_dir=keep)
        assert remote_context(f"https://h/r.git?keep-git-dir{query}#v1") == wanted

    def test_which_are_spoken_to_over_ssh(self) -> None:
        assert is_secure_shell("git@h:r.git#main") and is_secure_shell("ssh://h/r.git")
        assert not any(map(is_secure_shell, ("https://h/r.git", "git://h/r", "http://h/f", "some/dir", "-", "")))

    def test_what_is_at_a_url_is_called_context(self) -> None:
        assert remote_context("https://h/x.tar.gz") == UrlSource("https://h/x.tar.gz", "context")
        assert remote_context("https://h/r.git") == GitSource("https://h/r.git")
        assert remote_context("docker-image://alpine") is None and remote_context("some/dir") is None
