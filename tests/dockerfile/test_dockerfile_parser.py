"""The lexical layer and recovery: what the golden cases do not show as well."""

import pytest

from kezuri.diagnostics import KezuriError, Span
from kezuri.dockerfile import (
    Command,
    Copy,
    Dockerfile,
    Env,
    From,
    Healthcheck,
    Onbuild,
    Run,
    Workdir,
    decode,
    parse,
    parse_trigger,
    pieces,
)


def errors(text: str) -> list[tuple[int, str]]:
    parsed = parse(text, "Dockerfile")
    found = []
    for diagnostic in parsed.errors:
        assert diagnostic.span is not None
        found.append((parsed.source.position(diagnostic.span.start)[0], diagnostic.message))
    return found


def run(line: str) -> Run:
    parsed = parse(f"FROM a\n{line}", "Dockerfile").verify()
    instruction = parsed.instructions[1]
    assert isinstance(instruction, Run)
    return instruction


def test_a_byte_order_mark_is_no_character_of_the_first_instruction() -> None:
    assert decode(b"\xef\xbb\xbfFROM a") == "FROM a"
    parsed = parse("\ufeffFROM a", "Dockerfile").verify()
    assert parsed.instructions[0].node.span == Span(1, 7)
    assert parse("\ufeff# escape=`\nFROM a", "Dockerfile").escape == "`"


def test_bytes_that_are_no_utf8_survive() -> None:
    data = b"FROM a\nLABEL x=\xff\xe9\n"
    assert decode(data).encode("utf-8", "surrogateescape") == data
    assert parse(decode(data), "Dockerfile").verify().instructions[1].node.original == "LABEL x=\udcff\udce9"


@pytest.mark.parametrize(
    ("size", "good"), [(65535 - len("RUN "), True), (65536 - len("RUN "), False)], ids=["longest", "too long"]
)
def test_a_line_may_have_65535_bytes(size: int, good: bool) -> None:
    found = errors("FROM a\nRUN " + "x" * size + "\n")
    assert found == ([] if good else [(2, "dockerfile line greater than max allowed size of 65535")])


def test_the_length_of_a_line_counts_bytes() -> None:
    assert len(errors("FROM a\nRUN " + "é" * 33000)) == 1
    assert not errors("FROM a\nRUN " + "é" * 32000)


def test_long_lines_in_a_heredoc_count_too() -> None:
    assert [line for line, _ in errors("FROM a\nRUN <<E\n" + "x" * 70000 + "\nE\n")] == [3]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("RUN a\\\nb", "ab"),
        ("RUN a \\\n  b", "a   b"),
        ("RUN a\\ \t\nb", "ab"),
        ("RUN a\\\\\nUSER b", "a\\\\"),
        ("RUN a\\\\\\\nUSER b", "a\\\\\\"),
        ("RUN a \\\n# comment \\\n  # indented\nb", "a b"),
        ("RUN a \\\n#\n\n \t\nb", "a b"),
        ("RUN a \\", "a"),
        ("   RUN a", "a"),
        ("run\t\v\fa", "a"),
        ("RUN \\\n\\\n\\\na", "a"),
        ("RUN a # b", "a # b"),
        ("RUN a \\\nb # c \\\nd", "a b # c d"),
    ],
)
def test_continuations(text: str, wanted: str) -> None:
    assert run(text).command == Command(True, (wanted,))


def test_the_empty_continuation_is_reported_at_the_last_line() -> None:
    parsed = parse("FROM a\nRUN b \\\n\n  c \\\n\n  d\nUSER e\n", "Dockerfile")
    (warning,) = parsed.diagnostics
    assert (warning.severity, warning.code) == ("warning", "NoEmptyContinuation")
    assert warning.span is not None
    assert parsed.source.position(warning.span.start)[0] == 6
    assert not parsed.errors


@pytest.mark.parametrize(
    "text", ["# x\n# escape=`\n", "\n# escape=`\n", "# unknown=1\n# escape=`\n", "FROM a\n# escape=`\n"]
)
def test_directives_stand_at_the_top_only(text: str) -> None:
    parsed = parse(text + "FROM a\nRUN b \\\n  c\n", "Dockerfile")
    assert parsed.directives == ()
    assert parsed.escape == "\\"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("#syntax=a/b:1\n", "a/b:1"),
        ("#   SYNTAX   =   a/b:1   // why\n", "a/b:1"),
        ("//syntax=a/b:1\n", "a/b:1"),
        ("#!/usr/bin/x\n// syntax = a/b:1\n", "a/b:1"),
        ('{"syntax": "a/b:1"}', "a/b:1"),
        ("#!/usr/bin/x\n#syntax=a/b:1", "a/b:1"),
    ],
)
def test_where_the_syntax_is_found(text: str, value: str) -> None:
    (directive,) = parse(text, "Dockerfile").directives
    assert (directive.name, directive.value) == ("syntax", value)


def test_spans_reach_through_continuations() -> None:
    text = "FROM a\nRUN --mount=type=cache,\\\ntarget=/x \\\n  make\nCOPY --from=b \\\n one \\\n two /d\n"
    parsed = parse(text, "Dockerfile").verify()
    instruction, copy = parsed.instructions[1:]
    assert isinstance(instruction, Run) and isinstance(copy, Copy)
    (mount,) = instruction.mounts
    assert text[slice(*mount.span)] == "--mount=type=cache,\\\ntarget=/x"
    assert text[slice(*instruction.node.span)] == "RUN --mount=type=cache,\\\ntarget=/x \\\n  make"
    assert [text[slice(*span)] for span in copy.source_spans] == ["one", "two"]
    assert copy.from_span is not None and text[slice(*copy.from_span)] == "--from=b"


def test_pieces_tile_the_file() -> None:
    text = "# syntax=x\n\nARG A\nFROM a\n# b\nRUN <<E\nc\nE\nnonsense\n"
    found = list(pieces(parse(text, "Dockerfile")))
    assert "".join(piece.text for piece in found) == text
    assert [piece.text for piece in found if piece.of is not None] == ["# syntax=x", "ARG A", "FROM a", "RUN <<E\nc\nE"]


def test_all_errors_of_a_file_are_reported_at_once() -> None:
    text = "FROM a AS\nFROM a\nCOPPY a b\nENV A\nRUN <<E\nbody\nEXPOSE\nENTRYPOINT [1]\nCMD x"
    assert errors(text) == [
        (1, "FROM requires either one or three arguments"),
        (3, "unknown instruction: COPPY (did you mean COPY?)"),
        (4, "ENV must have two arguments"),
        (5, "unterminated heredoc"),
        (8, "when using JSON array syntax, arrays must be comprised of strings only"),
    ]


def test_recovery_after_a_heredoc_without_end_is_at_the_next_instruction() -> None:
    parsed = parse("FROM a\nRUN <<E\nfoo bar\nfrom x\n  RUN y\nUSER z\n", "Dockerfile")
    assert [d.message for d in parsed.errors] == ["unterminated heredoc"]
    assert [i.node.keyword for i in parsed.instructions] == ["FROM", "USER"]


def test_an_indented_end_of_a_heredoc_is_pointed_out() -> None:
    (found,) = parse("FROM a\nRUN <<E\nfoo\n  E\n", "Dockerfile").errors
    assert "indented" in found.hint
    (found,) = parse("FROM a\nRUN <<-E\nfoo\n  E\n", "Dockerfile").errors
    assert "blanks" in found.hint


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("\n\n", 3), ("# only a comment", 1)],
)
def test_a_file_with_no_instructions(text: str, line: int) -> None:
    assert errors(text) == [(line, "file with no instructions")]


def test_only_arg_may_stand_before_from() -> None:
    assert errors("ARG A\nRUN b\nUSER c\nFROM a\nRUN d") == [(n, "no build stage in current context") for n in (2, 3)]
    assert errors("RUN b\nUSER c") == [(1, "no build stage in current context")]
    assert errors("ARG A") == [(2 - 1, "dockerfile contains no stages to build")]
    assert errors("FRM a\nRUN b") == [(1, "unknown instruction: FRM (did you mean FROM?)")]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("RUN <<EOF", None),
        ("RUN <<- EOF", ()),
        ("RUN << -EOF\n-EOF", ("-EOF",)),
        ("RUN 4<<EOF\nEOF", ("EOF",)),
        ("RUN <<A <<B\nA\nB", ("A", "B")),
        ("RUN '<<A'", ()),
        ('RUN "<<A"', ()),
        ("RUN \\<<A", ()),
        ("RUN <<A<<B", ()),
        ("RUN <<<A", ()),
        ("RUN <<", ()),
        ("RUN <<'one two'\none two", ("one two",)),
        ("RUN <<one' 'two\none two", ("one two",)),
        ("RUN --mount=type=tmpfs,target=/x <<A\nA", ("A",)),
        ("RUN x=${A:=1} <<A", None),
        ("RUN x=${A.} <<A", ()),
        ('RUN ["a", "<<A"]', ()),
        ("WORKDIR <<A", ()),
    ],
)
def test_which_words_are_heredocs(line: str, wanted: tuple[str, ...] | None) -> None:
    parsed = parse("FROM a\n" + line, "Dockerfile")
    if wanted is None:
        assert [d.message for d in parsed.errors] == ["unterminated heredoc"]
        return
    instruction = parsed.verify().instructions[1]
    found = instruction.heredocs if isinstance(instruction, Run) else ()
    assert tuple(heredoc.name for heredoc in found) == wanted


@pytest.mark.parametrize(
    ("word", "name", "expand"),
    [
        ("<<E", "E", True),
        ("<<'E'", "E", False),
        ('<<E"F"', "EF", False),
        ("<<E\\'F", "E'F", True),
        ("<<$E", "$E", True),
    ],
)
def test_quotes_of_a_heredoc_name(word: str, name: str, expand: bool) -> None:
    (heredoc,) = run(f"RUN {word}\nx\n{name}").heredocs
    assert (heredoc.name, heredoc.expand, heredoc.body) == (name, expand, "x\n")


def test_tabs_of_a_heredoc_go_when_it_is_used() -> None:
    (heredoc,) = run("RUN <<-E\n\t\ta\n\tb\t\n\t\tE").heredocs
    assert heredoc.body == "\t\ta\n\tb\t\n"
    assert heredoc.text == "a\nb\t\n"


def test_the_order_of_copied_things_is_kept() -> None:
    copy = parse("FROM a\nCOPY x <<A y <<B /d\n1\nA\n2\nB\n", "Dockerfile").verify().instructions[1]
    assert isinstance(copy, Copy)
    assert copy.sources == ("x", "y")
    assert [heredoc.body for heredoc in copy.heredocs] == ["1\n", "2\n"]
    assert copy.order == (0, -1, 1, -2)


def test_flags_end_where_arguments_start() -> None:
    copy = parse("FROM a\nCOPY --link x --chown=1 /d\n", "Dockerfile").verify().instructions[1]
    assert isinstance(copy, Copy)
    assert copy.link and copy.chown is None
    assert copy.sources == ("x", "--chown=1")


def test_an_empty_flag_is_as_none() -> None:
    copy = parse("FROM --platform= a\nCOPY --from= --chown= --chmod= x y", "Dockerfile").verify().instructions[1]
    assert isinstance(copy, Copy)
    assert (copy.source_image, copy.chown, copy.chmod) == (None, None, None)


def test_with_the_other_escape_character_backslashes_are_text() -> None:
    text = "# escape=`\nFROM a\nENV A=b`\n\\ B=c` d\nCOPY --chown=x` y a b\nRUN <<E\n\\\nE\n"
    parsed = parse(text, "Dockerfile").verify()
    env, copy, instruction = parsed.instructions[1:]
    assert isinstance(env, Env) and isinstance(copy, Copy) and isinstance(instruction, Run)
    assert env.pairs == (("A", "b\\"), ("B", "c` d"))
    assert copy.chown == "x y"
    assert instruction.heredocs[0].body == "\\\n"


def test_healthcheck_durations_are_nanoseconds() -> None:
    check = (
        parse('FROM a\nHEALTHCHECK --interval=1h2m3.5s --timeout=0 CMD ["x"]', "Dockerfile").verify().instructions[1]
    )
    assert isinstance(check, Healthcheck)
    assert (check.interval, check.timeout, check.start_period) == (3723500000000, 0, None)
    assert check.command == Command(False, ("x",))


def test_a_trigger_is_kept_as_text_and_parsed_when_it_fires() -> None:
    parsed = parse("FROM a\nONBUILD   copy --chown=1 \\\n  <<-E x\n\t$y\n\tE\n", "Dockerfile").verify()
    onbuild = parsed.instructions[1]
    assert isinstance(onbuild, Onbuild)
    assert onbuild.text == "copy --chown=1   <<-E x\n\t$y\nE"
    copy = parse_trigger(onbuild.text, "trigger")
    assert isinstance(copy, Copy)
    assert (copy.chown, copy.heredocs[0].text, copy.destination) == ("1", "$y\n", "x")


def test_a_trigger_has_the_backslash_unless_it_says_otherwise() -> None:
    workdir = parse_trigger("WORKDIR a\\\nb", "trigger")
    assert isinstance(workdir, Workdir)
    assert workdir.path == "ab"
    workdir = parse_trigger("# escape=`\nWORKDIR a`\nb", "trigger")
    assert isinstance(workdir, Workdir)
    assert workdir.path == "ab"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "onbuild trigger should be a single expression"),
        ("RUN a\nRUN b", "onbuild trigger should be a single expression"),
        ("FROM a", "FROM isn't allowed as an ONBUILD trigger"),
        ("RUM a", "unknown instruction: RUM (did you mean RUN?)"),
    ],
)
def test_bad_triggers(text: str, message: str) -> None:
    with pytest.raises(KezuriError) as caught:
        parse_trigger(text, "trigger")
    assert caught.value.diagnostics[0].message == message


def test_a_trigger_that_cannot_work_is_a_warning_only() -> None:
    parsed = parse("FROM a\nONBUILD COPY --nope a b", "Dockerfile")
    assert [d.severity for d in parsed.diagnostics] == ["warning"]
    assert isinstance(parsed.instructions[1], Onbuild)


def test_verify_raises_all_errors() -> None:
    with pytest.raises(KezuriError) as caught:
        parse("FROM\nFROM x y\n", "Dockerfile").verify()
    assert len(caught.value.diagnostics) == 2


def test_stage_names() -> None:
    def name(text: str) -> str | None:
        instruction = parse(text, "Dockerfile").verify().instructions[0]
        assert isinstance(instruction, From)
        return instruction.name

    assert name("FROM a as Builder-2.x_y") == "builder-2.x_y"
    assert name("FROM a") is None
    for bad in ("1a", "-a", "a/b", "a:b", "$A", "é"):
        assert errors(f"FROM x AS {bad}")[0][1].startswith("invalid name for build stage")


def test_a_suggestion_costs_nothing_after_a_hundred() -> None:
    parsed: Dockerfile = parse("FROM a\n" + "RUNN x\n" * 300, "Dockerfile")
    assert sum("did you mean" in d.message for d in parsed.errors) < 300
    assert len(parsed.errors) == 300
