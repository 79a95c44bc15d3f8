"""What is easily got wrong in the language, each by name (sections 1.1, 1.2 and 1.6; more in `cases/`)."""

import pytest
from tests.plan.plan_dockerfiles import copies, last

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile import (
    Cmd,
    Copy,
    Entrypoint,
    ExpansionError,
    Folder,
    Healthcheck,
    Ignore,
    Instruction,
    Run,
    Volume,
    expand,
    expand_words,
    parse,
)


def second(text: str) -> Instruction:
    """The instruction after FROM."""
    return parse("FROM a\n" + text, "Dockerfile").verify().instructions[1]


def argv(text: str) -> tuple[bool, tuple[str, ...]]:
    """Whether a command is in shell form, and its words."""
    found = second(text)
    assert isinstance(found, Run | Cmd | Entrypoint)
    return found.command.shell, found.command.argv


class TestContinuations:
    @pytest.mark.parametrize("comment", ["# c", "   # c", "\t# c \\", "# c \\", "#", "#\\"])
    def test_TRAP_a_comment_in_a_continuation_is_dropped_and_the_line_goes_on(self, comment: str) -> None:
        assert argv(f"RUN a \\\n{comment}\n b") == (True, ("a  b",))

    def test_TRAP_a_comment_that_ends_in_a_backslash_continues_nothing(self) -> None:
        assert argv("# c \\\nRUN a") == (True, ("a",))
        assert argv("RUN a \\\n# c \\\n b\n# d \\") == (True, ("a  b",))

    def test_TRAP_a_hash_behind_words_is_no_comment(self) -> None:
        assert argv("RUN a \\\n b # c") == (True, ("a  b # c",))

    @pytest.mark.parametrize("gap", ["\n", " \t\n", "\r\n", "\n\n\n", "\u00a0\n"])
    def test_TRAP_a_blank_line_in_a_continuation_is_passed_over_with_a_warning(self, gap: str) -> None:
        text = f"FROM a\nRUN b \\\n{gap} c \\\n d\nRUN e\n"
        parsed = parse(text, "Dockerfile").verify()
        run = parsed.instructions[1]
        assert isinstance(run, Run)
        assert run.command.argv == ("b  c  d",)
        (warning,) = parsed.diagnostics
        assert warning.code == "NoEmptyContinuation" and warning.span is not None
        assert text[warning.span.start : warning.span.end] == " d"  # the last line, not the blank one


class TestJson:
    @pytest.mark.parametrize("text", ["['a', 'b']", '["a", "b"', '["a"] b', '["a",]', '["a" "b"]', "[a]", '["\\x"]'])
    def test_TRAP_what_is_no_json_is_for_the_shell_without_an_error(self, text: str) -> None:
        for keyword in ("RUN", "CMD", "ENTRYPOINT"):
            assert argv(f"{keyword} {text}") == (True, (text,))
            found = parse(f"FROM a\n{keyword} {text}", "Dockerfile").diagnostics
            # Where the array that was meant is plain to see, a warning writes it down.
            assert [d.severity for d in found] == ["warning"] * (text in ("['a', 'b']", '["a",]'))
        check = second(f"HEALTHCHECK CMD {text}")
        assert isinstance(check, Healthcheck) and check.command is not None and check.command.shell

    def test_TRAP_what_is_no_json_is_words_for_copy_and_volume(self) -> None:
        copy, volume = second("COPY ['a', /b]"), second("VOLUME ['a', /b]")
        assert isinstance(copy, Copy) and isinstance(volume, Volume)
        assert (copy.sources, copy.destination) == (("['a',",), "/b]")
        assert volume.paths == ("['a',", "/b]")

    @pytest.mark.parametrize("array", ['["a", 1]', "[null]", "[true]", '[["a"]]', '[{"a": "b"}]', "[1e5]"])
    @pytest.mark.parametrize(
        "keyword", ["RUN", "CMD", "ENTRYPOINT", "SHELL", "VOLUME", "COPY", "ADD", "HEALTHCHECK CMD", "ONBUILD RUN"]
    )
    def test_TRAP_json_of_something_else_than_strings_is_an_error(self, keyword: str, array: str) -> None:
        (error,) = parse(f"FROM a\n{keyword} {array}", "Dockerfile").errors
        assert "arrays must be comprised of strings only" in error.message

    def test_TRAP_the_words_of_a_json_copy_are_expanded_and_unquoted(self) -> None:
        text = 'FROM a\nARG A=x\nCOPY ["$A", "\'q r\'", "b\\\\ c", "/${A}/"]\n'
        (operation,) = copies(last(text))
        assert operation.sources == ("x", "q r", "b c")
        assert operation.destination == "/x/"


class TestReplacement:
    @pytest.mark.parametrize(
        ("word", "wanted"),
        [
            ("${A//p/'<$0>'}", "a<p><p>le"),
            ("${A//p/'${0}$$'}", "ap$p$le"),
            ("${A//p/'$1'}", "ale"),
            ("${A//p/'$x'}", "ale"),
            ("${A//p/'$0x'}", "ale"),
            ("${A//p/\\$0}", "a\\p\\ple"),
            ("${A/p/'$0'}", "a$0ple"),
        ],
    )
    def test_TRAP_a_dollar_in_the_replacement_of_all_is_a_template(self, word: str, wanted: str) -> None:
        assert expand(word, {"A": "apple"}) == wanted

    @pytest.mark.parametrize("word", ["${A/p}", "${A//p}", "${A/p", "${A//", "${U/p}"])
    def test_TRAP_a_replacement_without_its_second_slash_is_an_error(self, word: str) -> None:
        with pytest.raises(ExpansionError, match="syntax error"):
            expand(word, {"A": "apple"})

    def test_TRAP_words_before_a_substitution_with_an_operand_are_lost(self) -> None:
        """EXPOSE 80${U:-81} exposes 81; only where a value is split into words."""
        assert expand_words("80${U:-81}", {}) == ("81",)
        assert expand_words("79 80${A#a}", {"A": "a1"}) == ("79", "1")
        assert expand("80${U:-81}", {}) == "8081"
        assert expand_words("80$A${A}", {"A": "1"}) == ("8011",)


class TestIgnore:
    def is_left_out(self, text: str, path: str) -> bool:
        folder: Folder | None = Ignore.parse(text, ".dockerignore").walk()
        *above, name = path.split("/")
        for directory in above:
            folder = folder.enter(directory) if folder is not None else None
        return folder is None or folder.excluded(name)

    @pytest.mark.parametrize(
        ("text", "excluded", "included"),
        [
            ("foo", ["foo", "foo/x"], ["x/foo"]),  # no name stands for any depth, as it does for git
            ("a\n!a/b", ["a", "a/c"], ["a/b", "a/b/c"]),  # what is in an excluded directory can come back
            ("**/x", ["x", "a/x", "a/b/x"], ["ax"]),
            ("x/**", ["x/a"], ["x"]),
            ("*.md\n!README*.md\nREADME-secret.md", ["a.md", "README-secret.md"], ["README.md"]),
            (" #x\n#y", ["#x"], ["#y", "y"]),
            ("! a\nb", ["b"], ["a"]),
        ],
    )
    def test_TRAP_a_pattern_is_for_moby_what_it_is_not_for_git(
        self, text: str, excluded: list[str], included: list[str]
    ) -> None:
        assert [path for path in excluded if not self.is_left_out(text, path)] == []
        assert [path for path in included if self.is_left_out(text, path)] == []

    @pytest.mark.parametrize(
        ("text", "excluded", "included"),
        [
            ("**/*.md\n!docs", ["docs/a.md", "a.md"], ["docs", "docs/a"]),
            ("**/*.md\n!docs/**", ["a.md"], ["docs/a.md"]),
            ("a\n!a/b\na", ["a", "a/c"], ["a/b", "a/b/c"]),
            ("!a\na/b\n!a", ["a/b"], ["a", "a/c"]),
        ],
    )
    def test_TRAP_a_walk_does_not_try_what_changes_nothing(
        self, text: str, excluded: list[str], included: list[str]
    ) -> None:
        assert [path for path in excluded if not self.is_left_out(text, path)] == []
        assert [path for path in included if self.is_left_out(text, path)] == []

    def test_TRAP_a_bar_in_a_pattern_with_wildcards_is_an_alternative(self) -> None:
        assert [p for p in ("a1", "a1x/y", "xb", "y/b", "b1") if self.is_left_out("a?|b", p)] == [
            "a1",
            "a1x/y",
            "xb",
            "y/b",
        ]
        assert self.is_left_out("a|b", "a|b") and not self.is_left_out("a|b", "a")

    def test_TRAP_a_lone_exclamation_mark_is_an_error(self) -> None:
        with pytest.raises(KezuriError, match="illegal exclusion pattern"):
            Ignore.parse("a\n!\n", ".dockerignore")
