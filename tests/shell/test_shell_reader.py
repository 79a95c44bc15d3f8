"""The reader of shell texts: cases by hand, and laws for every text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.shell.reader import read
from kezuri.shell.script import Script


def told(script: Script) -> str:
    """The commands as one line: the operator before each, its words, and what it stands in."""
    return " ".join(
        f"{c.joint}[{' '.join(w.text for w in c.words)}]" + "".join(f"<{within}" for within in c.within)
        for c in script.commands
    )


CASES = {
    "one": ("apt-get install -y curl", "[apt-get install -y curl]"),
    "list": ("a x && b || c; d | e & f", "[a x] &&[b] ||[c] ;[d] |[e] &[f]"),
    "newlines": ("a\n\n# why\nb &&\nc\n", "[a] ;[b] &&[c]"),
    "negated": ("! a && b", "[a]<negation &&[b]"),
    "negated compound": ("! if a; then b; fi", "[a]<negation ;[b]"),
    "time": ("time -p make x", "[make x]"),
    "subshell": ("(a; b) && c", "[a]<subshell ;[b]<subshell &&[c]"),
    "group behind or": ("a || { b; exit 1; }", "[a] ||[b]<group ;[exit 1]<group"),
    "if": ("if a; then b; elif c; then d; else e; fi", "[a]<branch ;[b]<branch [c]<branch ;[d]<branch [e]<branch"),
    "for": ("for i in $(a) x; do b $i; done", "[a]<loop<substitution [b $i]<loop"),
    "while": ("while a; do b; done < f", "[a]<loop ;[b]<loop"),
    "case": ("case $(a) in x|y) b;; *) c;; esac; e", "[a]<branch<substitution [b]<branch [c]<branch ;[e]"),
    "function": ("f() { a; }; function g { b; }", "[a]<function<group ;[b]<function<group"),
    "nested": ('a "$(b `c`)"; d', '[a "$(b `c`)"] [b `c`]<substitution [c]<substitution<substitution ;[d]'),
    "backticks": ("a `b` c", "[a `b` c] [b]<substitution"),
    "process substitution": ("a <(b) >(c)", "[a <(b) >(c)] [b]<substitution [c]<substitution"),
    "test": ('[ ! -f "$x" -a y = z ] && a', '[[ ! -f "$x" -a y = z ]] &&[a]'),
    "here-document": ("cat <<E > f && b\na $(c)\nE\nd", "[cat] &&[b] [c]<substitution ;[d]"),
    "quoted here-document": ("cat <<'E' | b\n$(c)\nE\nd", "[cat] |[b] ;[d]"),
    "redirections": ("> f a 2>&1 b < g", "[a b]"),
    "assignments alone": ("A=1 B=2; A=1 b", "[] ;[b]"),
    "export": ("export A=1 B && c", "[export B] &&[c]"),
    "comments": ("a # b; c\nd", "[a] ;[d]"),
    "continued word": ("a b\\\nc", "[a b\\\nc]"),
    "escaped blanks": ("\\  a && b \\  c \\ d; A=1 \\\te", "[\\  a] &&[b \\  c \\ d] ;[\\\te]"),
    "translated": ('a $"b"', '[a $"b"]'),
    "not ASCII": ('echo "é" ü && 日本 x', '[echo "é" ü] &&[日本 x]'),
    "carriage returns": ("a\r\nb\r\n", "[a] ;[b]"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_shell_commands(name: str) -> None:
    text, expected = CASES[name]
    assert told(read(text)) == expected


@pytest.mark.parametrize(
    ("text", "loose", "value", "quoted"),
    [
        ("plain", "plain", "plain", False),
        ("'a b'", "a b", "a b", True),
        ('"a \\"b\\" \\n"', 'a "b" \\n', 'a "b" \\n', True),
        ("a'b'\"c\"\\ d", "abc d", "abc d", True),
        ('"$X-y"', "$X-y", None, True),
        ("pre${V:-1}post", "pre${V:-1}post", None, False),
        ("foo=$(cat v)", "foo=$(cat v)", None, False),
        ("*.deb", "*.deb", None, False),
        ("'*'.deb", "*.deb", "*.deb", True),
        ("a\\*b", "a*b", "a*b", False),
        ("$'a\\tb'", "a\tb", "a\tb", True),
        ('$"hi"', "hi", "hi", True),
        ("fo\\\no", "foo", "foo", False),
        ("{a,b}", "{a,b}", "{a,b}", False),
    ],
)
def test_shell_words(text: str, loose: str, value: str | None, quoted: bool) -> None:
    (command,) = [c for c in read(f"x {text}").commands if not c.within]
    (word,) = command.arguments
    assert (word.text, word.loose, word.value, word.quoted) == (text, loose, value, quoted)


def test_shell_pipelines_and_chains() -> None:
    script = read("a | b && c | d; e")
    assert [c.pipeline for c in script.commands] == [1, 1, 2, 2, 3]
    assert [c.chain for c in script.commands] == [1, 1, 1, 1, 2]
    assert [c.follows for c in script.commands] == ["|", "&&", "|", ";", ""]
    piped = read("yes | { a; b; }").commands
    assert piped[0].pipeline == piped[1].pipeline != piped[2].pipeline


def test_shell_redirections_and_assignments() -> None:
    (command,) = read("A=1 B=$C x >> log 2>&1").commands
    assert [(a.name, a.value.text if a.value else None) for a in command.assignments] == [("A", "1"), ("B", "$C")]
    assert [(r.operator, r.target.text if r.target else None) for r in command.redirects] == [
        (">>", "log"),
        ("2>&", "1"),
    ]


@pytest.mark.parametrize("text", ["a 'b", 'a "b', "a $(b", "if a", "a && ", "(a", "a )", "! { a; }", "cat <<E\nx"])
def test_shell_broken_texts_are_told(text: str) -> None:
    assert read(text).broken


@pytest.mark.parametrize("text", ["", "\n", "# c", "a; b", "V= a", "if a; then b; fi", "a <<E\nE", "a \\\n b"])
def test_shell_whole_texts_are_whole(text: str) -> None:
    assert not read(text).broken


@pytest.mark.parametrize(
    "text",
    [
        "(" * 9000,
        "$(" * 9000,
        '"$(' * 9000,
        "if " * 9000,
        "! " * 9000 + "a",
        "echo $(" * 1500 + "a" + ")" * 1500,
        "a && " * 4000 + "b",
        "a | " * 4000 + "b",
        "[[ " + "( " * 3000 + "a" + " )" * 3000 + " ]]",
        'a"b"' * 9000,
        "a\0b \udcff c; d",
        "é " * 3000,
    ],
    ids=lambda text: text[:8],
)
def test_shell_deep_and_hostile_texts(text: str) -> None:
    script = read(text)
    assert sliced(script)


def sliced(script: Script) -> bool:
    """Whether every span is that of what it says."""
    for command in script.commands:
        assert 0 <= command.span.start <= command.span.end <= len(script.text)
        for word in command.words:
            assert script.text[word.span.start : word.span.end] == word.text
        for assignment in command.assignments:
            assert script.text[assignment.span.start : assignment.span.end].startswith(assignment.name)
    return True


def test_shell_depth_has_an_end() -> None:
    script = read("echo $(" * 300 + "a" + ")" * 300)
    assert script.broken
    assert 50 < max(len(c.within) for c in script.commands) < 300


WORDS = st.sampled_from(["a", "b-c", '"d e"', "'f'", "$X", "${Y:-z}", "h\\ i", "-m", "$(g)", '"$(h)"', "k=l", "é", "*"])
SIMPLE = st.lists(WORDS, min_size=0, max_size=3).map(lambda words: " ".join(["run", *words]))


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joints = st.sampled_from([" && ", " || ", "; ", " | ", "\n", " &&\\\n  ", " # c\n"])
    forms = ["( {} )", "{{ {}; }}", "if run; then {}; fi", "while run; do {}; done", "run $( {} )", "f() {{ {}; }}"]
    return st.one_of(
        st.tuples(inner, joints, inner).map("".join),
        st.tuples(st.sampled_from(forms), inner).map(lambda both: both[0].format(both[1])),
    )


@settings(max_examples=60, deadline=None)
@given(st.recursive(SIMPLE, compound, max_leaves=8))
def test_shell_law_every_run_is_found_in_order(text: str) -> None:
    every_run_is_found_in_order(text)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(st.recursive(SIMPLE, compound, max_leaves=8))
def test_shell_law_every_run_of_many_more_is_found(text: str) -> None:
    every_run_is_found_in_order(text)


def every_run_is_found_in_order(text: str) -> None:
    script = read(text)
    assert sliced(script)
    if not script.broken and "#" not in text:
        found = [c.span.start for c in script.commands if c.name == "run"]
        assert len(found) == text.count("run")
        outer = [c.span.start for c in script.commands if "substitution" not in c.within]
        assert outer == sorted(outer)


SIGNS = st.sampled_from(
    [*"ab$(){}[]<>|&;!#'\"`\\\n\t =*?~-", "\udc80", "\0", "é", "<<E\n", "E\n", "if ", "fi", "done "]
)


STRANGE = st.one_of(st.text(), st.lists(SIGNS, max_size=40).map("".join))


@settings(max_examples=100, deadline=None)
@given(STRANGE)
def test_shell_law_no_text_is_too_strange(text: str) -> None:
    assert sliced(read(text))


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(STRANGE)
def test_shell_law_many_more_texts_are_not_too_strange(text: str) -> None:
    assert sliced(read(text))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab 'é$*\"\\", max_size=12))
def test_shell_law_quoting_is_undone(text: str) -> None:
    quoted = "'" + text.replace("'", "'\\''") + "'"
    (command,) = read(f"x {quoted}").commands
    (word,) = command.arguments
    assert word.loose == word.value == text
