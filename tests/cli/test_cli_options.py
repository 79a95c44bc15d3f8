"""The parser: docker's habits, and clear words about what it does not understand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.cli.options import Option, Parsed, UsageError, parse

TABLE = (
    Option(("--tag", "-t"), "repeated", "", "NAME"),
    Option(("--file", "-f"), "text", "", "FILE", variable="FILE_VARIABLE"),
    Option(("--interactive", "-i"), "flag", ""),
    Option(("--tty", "-T"), "flag", "", variable="TTY_VARIABLE"),
    Option(("--no-cache",), "flag", ""),
    Option(("--mode",), "choice", "", choices=("plain", "pretty")),
    Option(("--sbom",), "optional", ""),
    Option(("--push", "-P"), "flag", "", refused="later"),
    Option(("--provenance",), "optional", "", refused="later"),
    Option(("--call",), "text", "", refused="later", harmless=("build",)),
    Option(("--load",), "flag", "", ignored=True),
    Option(("--builder",), "text", "", ignored=True),
)


def read(*argv: str, passthrough: bool = False, **environ: str) -> Parsed:
    return parse(argv, TABLE, environ, passthrough=passthrough)


@pytest.mark.parametrize(
    ("argv", "values", "operands"),
    [
        ((), {}, ()),
        (("--tag", "a", "."), {"--tag": ["a"]}, (".",)),
        (("--tag=a", "."), {"--tag": ["a"]}, (".",)),
        (("--tag=", "."), {"--tag": [""]}, (".",)),
        (("--tag=a=b",), {"--tag": ["a=b"]}, ()),
        (("-t", "a"), {"--tag": ["a"]}, ()),
        (("-ta",), {"--tag": ["a"]}, ()),
        (("-t=a",), {"--tag": ["a"]}, ()),
        (("-t", "--file"), {"--tag": ["--file"]}, ()),
        (("-t", "-"), {"--tag": ["-"]}, ()),
        (("-t", ""), {"--tag": [""]}, ()),
        (("-tita",), {"--tag": ["ita"]}, ()),
        (("-iT",), {"--interactive": ["true"], "--tty": ["true"]}, ()),
        (("-iTt", "x"), {"--interactive": ["true"], "--tty": ["true"], "--tag": ["x"]}, ()),
        (("-iTtx",), {"--interactive": ["true"], "--tty": ["true"], "--tag": ["x"]}, ()),
        (("-i=false",), {"--interactive": ["false"]}, ()),
        (("--no-cache=false",), {"--no-cache": ["false"]}, ()),
        (("--no-cache=T",), {"--no-cache": ["T"]}, ()),
        (("--no-cache", "false"), {"--no-cache": ["true"]}, ("false",)),
        ((".", "--tag", "a", "-t", "b"), {"--tag": ["a", "b"]}, (".",)),
        (("--file", "a", "--file", "b"), {"--file": ["a", "b"]}, ()),
        (("-",), {}, ("-",)),
        (("", "x"), {}, ("", "x")),
        (("--", "--tag", "a"), {}, ("--tag", "a")),
        (("-i", "--", "-i"), {"--interactive": ["true"]}, ("-i",)),
        (("--sbom", "."), {"--sbom": ["true"]}, (".",)),
        (("--sbom=max",), {"--sbom": ["max"]}, ()),
        (("--mode", "plain"), {"--mode": ["plain"]}, ()),
        (("--push=false", "--provenance=false", "--provenance=0", "--call=build"), {}, ()),
        (("--load", "--load=false", "--builder", "x", "--builder=y"), {}, ()),
        (("--help",), {"--help": ["true"]}, ()),
        (("-h",), {"--help": ["true"]}, ()),
    ],
)
def test_what_is_understood(argv: tuple[str, ...], values: dict[str, list[str]], operands: tuple[str, ...]) -> None:
    parsed = read(*argv)
    assert parsed.values == values
    assert parsed.operands == operands


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (("--taag", "a"), "unknown option --taag", "did you mean --tag?"),
        (("--no-cahce",), "unknown option --no-cahce", "did you mean --no-cache?"),
        (("--zzzzzz",), "unknown option --zzzzzz", "--help"),
        (("---",), "unknown option ---", ""),
        (("-x",), "unknown option -x", "--help"),
        (("-ix",), "unknown option -x in -ix", "--help"),
        (("-tag",), None, None),
        (("-file",), None, None),
        (("-push",), "unknown option -p in -push", "did you mean --push?"),
        (("--file",), "option --file needs a value", "FILE"),
        (("-f",), "option -f needs a value", "FILE"),
        (("-if",), "option -f needs a value", "FILE"),
        (("--no-cache=maybe",), "option --no-cache is true or false, not 'maybe'", ""),
        (("--no-cache=",), "option --no-cache is true or false, not ''", ""),
        (("--mode", "plian"), "--mode cannot be 'plian'", "did you mean plain?"),
        (("--mode=xxxxxxxxx",), "--mode cannot be 'xxxxxxxxx'", "one of: plain, pretty"),
        (("--push",), "--push is not supported yet", "later"),
        (("-P",), "-P is not supported yet", "later"),
        (("--provenance",), "--provenance is not supported yet", "later"),
        (("--provenance=mode=max",), "--provenance is not supported yet", "later"),
        (("--call", "check"), "--call is not supported yet", "later"),
    ],
)
def test_what_is_not(argv: tuple[str, ...], message: str | None, hint: str | None) -> None:
    if message is None:
        assert read(*argv).values  # `-tag` is `-t ag`, as in docker
        return
    with pytest.raises(UsageError) as caught:
        read(*argv)
    (diagnostic,) = caught.value.diagnostics
    assert caught.value.exit_code == 2
    assert diagnostic.message == message
    assert hint is not None and hint in diagnostic.hint


def test_everything_after_the_first_operand_belongs_to_the_command() -> None:
    parsed = read("-i", "--file", "f", "alpine", "sh", "-c", "--tag", "--", "-x", passthrough=True)
    assert parsed.operands == ("alpine", "sh", "-c", "--tag", "--", "-x")
    assert parsed.values == {"--interactive": ["true"], "--file": ["f"]}
    assert read("--", "-weird", "x", passthrough=True).operands == ("-weird", "x")


def test_the_environment_stands_in_for_a_flag_that_is_not_there() -> None:
    assert read(FILE_VARIABLE="e").text("--file") == "e"
    assert read("--file", "f", FILE_VARIABLE="e").text("--file") == "f"
    assert read(FILE_VARIABLE="").text("--file", "default") == "default"
    assert read(TTY_VARIABLE="1").flag("--tty")
    assert not read("--tty=false", TTY_VARIABLE="1").flag("--tty")
    with pytest.raises(UsageError, match="TTY_VARIABLE is true or false"):
        read(TTY_VARIABLE="perhaps")


def test_values_given_before_the_command_are_kept_and_win_over_the_environment() -> None:
    before = {"--file": ["b"], "--tag": ["x"]}
    parsed = parse(("--tag", "y"), TABLE, {"FILE_VARIABLE": "e"}, before=before)
    assert parsed.text("--file") == "b"
    assert parsed.all("--tag") == ("x", "y")
    assert before == {"--file": ["b"], "--tag": ["x"]}


def test_a_table_may_use_h_for_something_else() -> None:
    parsed = parse(("-h", "box"), (Option(("--hostname", "-h"), "text", ""),), {})
    assert parsed.text("--hostname") == "box"
    assert parse(("--help",), (Option(("--hostname", "-h"), "text", ""),), {}).flag("--help")


def test_what_parsed_answers() -> None:
    parsed = read("--file", "a", "--file", "b", "-i=false", "-t", "x", "-t", "y")
    assert parsed.text("--file") == "b"
    assert parsed.all("--tag") == ("x", "y")
    assert parsed.given("--interactive") and not parsed.flag("--interactive", True)
    assert not parsed.given("--tty") and parsed.flag("--tty", True)
    assert parsed.text("--mode", "m") == "m" and parsed.all("--mode") == ()


@given(st.lists(st.text(max_size=6), max_size=8))
def test_any_argv_is_read_or_refused(argv: list[str]) -> None:
    try:
        parsed = read(*argv)
    except UsageError as error:
        assert error.exit_code == 2 and error.diagnostics[0].message
    else:
        assert all(operand in argv for operand in parsed.operands)


@given(st.lists(st.text(min_size=1), max_size=5), st.lists(st.text(), max_size=3))
def test_values_come_back_as_they_were_written(tags: list[str], operands: list[str]) -> None:
    argv = [word for i, tag in enumerate(tags) for word in ((f"--tag={tag}",) if i % 2 else ("-t", tag))]
    parsed = read(*argv, "--", *operands)
    assert parsed.all("--tag") == tuple(tags)
    assert parsed.operands == tuple(operands)
