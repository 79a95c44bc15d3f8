"""Expansion of variables, case by case (section 1.2)."""

import pytest

from kezuri.dockerfile import ExpansionError, expand, expand_heredoc, expand_words

ENV = {"A": "apple", "E": "", "P": "/usr/local/lib.tar.gz", "S": "one two", "é1": "letter", "W": "a*b", "D": "$0"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # plain, quotes and escapes
        ("", ""),
        ("plain text", "plain text"),
        ("a'b c'd", "ab cd"),
        ("'$A \\n \"'", '$A \\n "'),
        ("\"$A 'x'\"", "apple 'x'"),
        ('"\\" \\$A \\\\ \\n"', '" $A \\ \\n'),
        ("\\a\\ \\'\\\"", "a '\""),
        ("end\\", "end"),
        ("\\\\", "\\"),
        ("a<b << c", "a<b << c"),
        # names
        ("$A", "apple"),
        ("x$A-y", "xapple-y"),
        ("$Ab", ""),
        ("${A}b", "appleb"),
        ("$missing.", "."),
        ("$a", ""),
        ("$é1!", "letter!"),
        ("$1x", "x"),
        ("$12x3", "x3"),
        ("$@x$*y$#z$?$-$$$!$0", "xyz"),
        ("$.", "$."),
        ("$", "$"),
        ("$ A", "$ A"),
        ('$"x"', "$x"),
        ("${1}${@}${-}", ""),
        ("\\$A \\${A}", "$A ${A}"),
        # defaults
        ("${A:-w}${A-w}", "appleapple"),
        ("${E:-w}|${E-w}", "w|"),
        ("${U:-w}${U-w}", "ww"),
        ("${A:+w}${A+w}", "ww"),
        ("${E:+w}|${E+w}", "|w"),
        ("${U:+w}|${U+w}", "|"),
        ("${U:-}", ""),
        ("${U:-${E:-$A}}", "apple"),
        ("${U:-'a } b'}", "a } b"),
        ("${U:-a\\}b}", "a}b"),
        ("${U:-\\$A:}", "$A:"),
        ("${A:?m}${E?m}", "apple"),
        ("${+x}", ""),
        # prefixes and suffixes
        ("${P#*/}", "usr/local/lib.tar.gz"),
        ("${P##*/}", "lib.tar.gz"),
        ("${P%.*}", "/usr/local/lib.tar"),
        ("${P%%.*}", "/usr/local/lib"),
        ("${P#/u?r}", "/local/lib.tar.gz"),
        ("${P#x}", "/usr/local/lib.tar.gz"),
        ("${P%gz}", "/usr/local/lib.tar."),
        ("${P#[/]}", "/usr/local/lib.tar.gz"),
        ("${W#a\\*}", "b"),
        ("${W%\\*b}", "a"),
        ("${U#x}", ""),
        ("${A#$U}", "apple"),
        ("${A%'l'e}", "app"),
        # replacement
        ("${P/lib/bin}", "/usr/local/bin.tar.gz"),
        ("${A/p/P}", "aPple"),
        ("${A//p/P}", "aPPle"),
        ("${A//p}x", None),
        ("${A/p*e/X}", "aX"),
        ("${A//?/<$0>}", "<><><><><>"),
        ("${A//?/'<$0>'}", "<a><p><p><l><e>"),
        ("${A//p/'${0}$$'}", "ap$p$le"),
        ("${A//p/'$1x$name${y}'}", "ale"),
        ("${A/p/'$0'}", "a$0ple"),
        ("${A//p/$D}", "apple"),
        ("${P/\\/usr/}", "/local/lib.tar.gz"),
        ("${P//\\//:}", ":usr:local:lib.tar.gz"),
        ("${A/x/y}", "apple"),
        ("${A//*/x}", "x"),
        ("${A/#a/b}", "apple"),
        ("${E//*/x}", "x"),
        ("${U/x/y}", ""),
        ("${A///-}", "-a-p-p-l-e-"),
        ("${P//./\\/}", "/usr/local/lib\\/tar\\/gz"),
    ],
)
def test_expand(text: str, wanted: str | None) -> None:
    if wanted is None:
        with pytest.raises(ExpansionError):
            expand(text, ENV)
    else:
        assert expand(text, ENV) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${", "syntax error: missing '}'"),
        ("${A", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"),
        ("${:x}", "syntax error: bad substitution"),
        ("${{A}", "syntax error: bad substitution"),
        ("${.}", "unsupported modifier (.) in substitution"),
        ("${A=x}", "unsupported modifier (=) in substitution"),
        ("${A:=x}", "unsupported modifier (:=) in substitution"),
        ("${A:x}", "unsupported modifier (:x) in substitution"),
        ("${A:#x}", "unsupported modifier (:#) in substitution"),
        ("${A:%%x}", "unsupported modifier (:%) in substitution"),
        ("${A^^}", "unsupported modifier (^) in substitution"),
        ("${A:-x", "syntax error: missing '}'"),
        ("${A:-${U}", "syntax error: missing '}'"),
        ("${A/p}", "syntax error: missing '/' in ${}"),
        ("${A/p/x", "syntax error: missing '}'"),
        ("${U?}", "U: is not allowed to be unset"),
        ("${U:?}", "U: is not allowed to be unset"),
        ("${E:?}", "E: is not allowed to be empty"),
        ("${U?no $A}", "U: no apple"),
        ("${A:-${U?even so}}", "U: even so"),
        ("'open", "unexpected end of statement while looking for matching single-quote"),
        ('"open', "unexpected end of statement while looking for matching double-quote"),
        ('"open\\', "unexpected end of statement while looking for matching double-quote"),
        ("${A#\\x}", "invalid pattern (\\x) in substitution: invalid escape '\\x'"),
        ("${A/\\x/y}", "invalid pattern (\\x) in substitution: invalid escape '\\x'"),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(ExpansionError) as caught:
        expand(text, ENV)
    found = caught.value.diagnostics[0].message
    assert found.startswith("failed to process ")
    assert found.endswith(f": {message}")


def test_the_other_escape_character() -> None:
    assert expand('`$A \\$A `` "`"" c:\\dir', ENV, "`") == '$A \\apple ` " c:\\dir'


def test_words_are_split_after_expansion() -> None:
    assert expand_words("80 $S 'a b' x\" \"y  \t", ENV) == ("80", "one", "two", "a b", "x y")
    assert expand_words("a$S", ENV) == ("aone", "two")
    assert expand_words('"$S"', ENV) == ("one two",)
    assert expand_words("a\\ b '' $U", ENV) == ("a b",)
    assert expand_words("a\u00a0b\u2003c\x1fd", ENV) == ("a", "b", "c\x1fd")


def test_heredoc_bodies_keep_their_quotes() -> None:
    body = 'echo "$A" \'$A\' \\$A \\\\ a\\b ${U:-"x"}\n'
    assert expand_heredoc(body, ENV) == 'echo "apple" \'apple\' $A \\ ab "x"\n'


def test_missing_variables_are_told_once_each() -> None:
    missing: list[str] = []
    expand("$U $A ${V:-$U} ${E} ${X+y} '$Q'", ENV, on_missing=missing.append)
    assert missing == ["U", "V", "X"]


def test_nesting_is_bounded() -> None:
    assert expand("${U:-" * 90 + "x" + "}" * 90, ENV) == "x"
    with pytest.raises(ExpansionError, match="nested more than 100 deep"):
        expand("${U:-" * 5000 + "x" + "}" * 5000, ENV)


@pytest.mark.parametrize("text", ["$V$V$V$V", "${V//?/$V}", "${V//a/$V}", '"$V$V$V$V$V"', "${U:-$V$V$V$V}"])
def test_the_result_is_bounded(text: str) -> None:
    with pytest.raises(ExpansionError, match="longer than"):
        for _ in range(20):
            expand(text, {"V": "a" * 2_000_000})


@pytest.mark.parametrize("pattern", ["*a*a*a*a*a*a*a*a*a*b", "a*" * 200 + "b", "?" * 500 + "*b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    value = {"V": "a" * 20_000}
    for form in ("${V##%s}", "${V#%s}", "${V%%%%%s}", "${V%%%s}", "${V//%s/x}", "${V/%s/x}"):
        assert expand(form % pattern, value) == value["V"]


def test_star_stops_at_the_end_of_a_line() -> None:
    assert expand("${V##*b}", {"V": "a\nb"}) == "a\nb"
    assert expand("${V//*/x}", {"V": "a\nb"}) == "x\nx"
    assert expand("${V//a?b/x}", {"V": "a\nb a.b"}) == "a\nb x"
