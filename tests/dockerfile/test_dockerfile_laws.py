"""Laws that hold for every text."""

import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezuri.diagnostics import KezuriError
from kezuri.diagnostics.render import render
from kezuri.dockerfile import (
    ExpansionError,
    Onbuild,
    Patterns,
    decode,
    expand,
    expand_heredoc,
    expand_words,
    match,
    parse,
    parse_trigger,
    pieces,
    substitution,
    write,
)
from kezuri.dockerfile.statement import KEYWORDS

TOKENS = [
    *KEYWORDS,
    *(keyword.lower() for keyword in KEYWORDS),
    *[
        "\\",
        "`",
        "'",
        '"',
        "$",
        "${",
        "}",
        "[",
        "]",
        ",",
        "#",
        "=",
        ":",
        "-",
        "--",
        "<",
        ">",
        "<<",
        "<<-",
        "!",
        "*",
        "?",
        "/",
        "|",
        "&",
    ],
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    "\\\n",
    "`\n",
    "\\ \n",
    "# comment\n",
    "# escape=`\n",
    "# syntax=x\n",
    "# check=skip=all\n",
    "\ufeff",
    "\x00",
    "\u00a0",
    "\udcff",
    "é",
    "<<EOF",
    "EOF",
    "\nEOF\n",
    "<<-'E F'",
    "E F\n",
    '["a", "b"]',
    '["a", 1]',
    "--from=x",
    "--mount=type=cache",
    "--interval=5s",
    "${a:-",
    "${a/b/",
    "AS",
    "NONE",
    "a",
    "b=c",
    "scratch",
]
soup = st.lists(st.sampled_from(TOKENS), max_size=60).map("".join)
texts = st.one_of(soup, st.text(max_size=200), st.binary(max_size=200).map(decode))
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(texts)
def test_whatever_is_parsed_is_written_back(text: str) -> None:
    parsed = parse(text, "Dockerfile")
    assert write(parsed) == text
    at = 0
    for piece in pieces(parsed):
        assert piece.span.start == at
        assert text[piece.span.start : piece.span.end] == piece.text
        at = piece.span.end
    assert at == len(text)


@quick
@given(texts)
def test_every_diagnostic_points_into_the_file_and_can_be_shown(text: str) -> None:
    parsed = parse(text, "Dockerfile")
    if not parsed.instructions:
        assert parsed.errors
    for found in parsed.diagnostics:
        assert found.span is not None
        assert 0 <= found.span.start <= found.span.end <= len(text)
        assert render(found)
    numbers = [instruction.node.number for instruction in parsed.instructions]
    assert numbers == sorted(set(numbers))


@quick
@given(soup)
def test_a_trigger_that_parsed_without_complaint_fires(text: str) -> None:
    parsed = parse("FROM a\nONBUILD " + text, "Dockerfile")
    if len(parsed.instructions) == 2 and not parsed.diagnostics and isinstance(parsed.instructions[1], Onbuild):
        if "\n#" in parsed.instructions[1].text or "\ufeff" in text:
            return
        fired = parse_trigger(parsed.instructions[1].text, "trigger")
        assert fired.node.keyword in KEYWORDS


@quick
@given(texts, st.sampled_from("\\`"))
def test_expansion_gives_a_text_or_an_expansion_error(text: str, escape: str) -> None:
    variables = {"a": "value", "b": "", "c": "$a * ?"}
    for attempt in (
        lambda: expand(text, variables, escape),
        lambda: expand_words(text, variables, escape),
        lambda: expand_heredoc(text, variables),
    ):
        try:
            attempt()
        except ExpansionError as error:
            assert error.diagnostics[0].message.startswith("failed to process")


@quick
@given(st.text(st.characters(exclude_characters="$'\"\\<"), max_size=50))
def test_plain_text_expands_to_itself(text: str) -> None:
    assert expand(text, {}) == text
    assert expand(f"'{text}'", {}) == text
    assert expand(f'"{text}"', {}) == text
    assert expand(f"${{x:-{text.replace('}', '')}}}", {}) == text.replace("}", "")
    assert expand("$x", {"x": text}) == text


@quick
@given(st.text("ab*?\n", max_size=7), st.text("ab\n", max_size=10))
def test_patterns_of_substitutions_mean_what_a_regular_expression_means(pattern: str, value: str) -> None:
    def expression(star: str) -> str:
        return "".join(star if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)

    shortest, longest = re.match(expression(".*?"), value), re.match(expression(".*"), value)
    assert substitution.trim_prefix(value, pattern, False) == value[shortest.end() if shortest else 0 :]
    assert substitution.trim_prefix(value, pattern, True) == value[longest.end() if longest else 0 :]
    assert substitution.trim_suffix(value, pattern, True) == max(
        (value[:at] for at in range(len(value) + 1) if re.fullmatch(expression(".*"), value[at:])),
        key=lambda kept: -len(kept),
        default=value,
    )
    assert substitution.replace_first(value, pattern, "X") == re.sub(expression(".*"), "X", value, count=1)


NAMES = ["a", "b", "ab", "a.b"]
COMPONENTS = ["a", "b", "ab", "a.b", "*", "a*", "?", "**", "*b", "[ab]", "[^a]", "b**", "**a", "a\\b", "a*b*", "*.*"]
PATHS = (
    [f"{x}/{y}/{z}" for x in NAMES for y in NAMES for z in NAMES] + [f"{x}/{y}" for x in NAMES for y in NAMES] + NAMES
)
lists = st.lists(
    st.tuples(st.sampled_from(["", "", "!"]), st.lists(st.sampled_from(COMPONENTS), min_size=1, max_size=4)),
    min_size=1,
    max_size=5,
).map(lambda rules: [sign + "/".join(parts) for sign, parts in rules])


@settings(quick, max_examples=60)
@given(lists)
def test_a_walk_finds_what_is_not_excluded(rules: list[str]) -> None:
    patterns = Patterns.of(rules)
    found: set[str] = set()

    def visit(folder: object, prefix: str, depth: int) -> None:
        found.update(prefix + name for name in folder.kept(NAMES))  # type: ignore[attr-defined]
        for name in NAMES if depth < 3 else []:
            below = folder.enter(name)  # type: ignore[attr-defined]
            if below is not None:
                visit(below, f"{prefix}{name}/", depth + 1)

    visit(patterns.walk(), "", 1)
    assert found == {path for path in PATHS if not is_left_out(patterns, path)}


def is_left_out(patterns: Patterns, path: str) -> bool:
    """Slowly, pattern by pattern: what matched a directory above counts; what could change nothing is not tried."""
    held: set[int] = set()
    excluded = False
    names = path.split("/")
    for count in range(1, len(names) + 1):
        excluded = False
        for number, rule in enumerate(patterns._rules):
            if number not in held:
                if rule.negated != excluded or not rule.pattern.hits("/".join(names[:count])):
                    continue
                held.add(number)
            excluded = not rule.negated
    return excluded


@quick
@given(st.text("ab*?[]^-\\/", max_size=8), st.text("ab-]/*", max_size=6))
def test_wildcards_match_or_are_malformed(pattern: str, name: str) -> None:
    try:
        found = match(pattern, name)
    except KezuriError:
        return
    if not any(c in pattern for c in "*?[\\"):
        assert found == (pattern == name)


@pytest.mark.slow
def test_a_large_file_takes_linear_time() -> None:
    """Each of these took hours with anything quadratic; there is no clock here, only patience."""
    million = 1_000_000
    assert len(parse("FROM a\nRUN b \\\n" + "  && c 'd' \\\n" * (million // 4), "x").verify().instructions) == 2
    assert len(parse("FROM a\nENV \\\n" + " a='b c' \\\n" * (million // 4), "x").verify().instructions) == 2
    assert len(parse("FROM a\n" + "RUN <<E\nx\nE\n" * (million // 8), "x").verify().instructions) == 1 + million // 8
    assert len(parse("FROM a\nRUN <<E\n" + "x\n" * million + "E\n", "x").verify().instructions) == 2
    assert len(parse("".join(f"RUN <<E{n}\n" for n in range(million // 8)), "x").errors) >= million // 8
    many = "COPY " + "<<E \\\n" * (million // 16) + "/x\n" + "E\n" * (million // 16)
    assert len(parse("FROM a\n" + many, "x").verify().instructions) == 2
    assert parse("# syntax=x" + " " * 5 * million + "x\nFROM a", "x").errors
    assert len(parse("nonsense\n" * (million // 4), "x").errors) == million // 4
    assert len(parse("# comment\n" * (million // 2), "x").errors) == 1
    assert parse("FROM a\nRUN " + "x" * 5 * million, "x").errors


@pytest.mark.slow
def test_random_bytes_never_raise() -> None:
    source = random.Random(7)
    for _ in range(3000):
        text = decode(source.randbytes(source.randrange(400)))
        assert write(parse(text, "Dockerfile")) == text
    for _ in range(6000):
        text = "".join(source.choice(TOKENS) for _ in range(source.randrange(80)))
        assert write(parse(text, "Dockerfile")) == text
