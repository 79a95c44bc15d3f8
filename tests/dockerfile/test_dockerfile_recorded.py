"""What BuildKit makes of thousands of inputs, kezuri makes of them (see `cases/README.md`)."""

from typing import Any

import pytest
from tests.dockerfile.dockerfile_cases import load, plain, walked

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile import (
    ExpansionError,
    From,
    Ignore,
    expand,
    expand_heredoc,
    expand_words,
    match,
    parse,
    parse_trigger,
    write,
)
from kezuri.dockerfile.chmod import parse_chmod
from kezuri.dockerfile.heredocs import read_word
from kezuri.dockerfile.lexer import LexError
from kezuri.scalars.durations import parse_duration


def differing(found: list[tuple[object, object, object]]) -> list[str]:
    """The first few cases of which the answer is not the recorded one."""
    return [f"{case!r}: {got!r}, recorded {wanted!r}" for case, got, wanted in found if got != wanted][:5]


def test_there_are_cases() -> None:
    assert len(load("parser")["cases"]) > 1000
    assert len(load("expansion")["cases"]) > 1000
    assert len(load("ignore")["cases"]) > 500
    assert len(load("chmod")["cases"]) > 1000


def test_files() -> None:
    assert differing([(c["text"], *_file(c)) for c in load("parser")["cases"]]) == []


def _file(case: dict[str, Any]) -> tuple[object, object]:
    parsed = parse(case["text"], "Dockerfile")
    assert write(parsed) == case["text"]
    found: dict[str, object] = {"error": bool(parsed.errors)}
    wanted: dict[str, object] = {"error": "error" in case}
    if "instructions" not in case:
        return found, wanted
    wanted |= {"escape": case.get("escape", "\\"), "gaps": case.get("gaps", [])}
    found["escape"] = parsed.escape
    gaps = [d.span.start for d in parsed.diagnostics if d.code == "NoEmptyContinuation" and d.span is not None]
    found["gaps"] = [parsed.source.position(start)[0] for start in gaps]
    if "error" not in case:
        found["directives"] = {d.name: d.value for d in parsed.directives if d.name != "escape"}
        wanted["directives"] = case.get("directives", {})
    by_number = {instruction.node.number: instruction for instruction in parsed.instructions}
    recorded = case["instructions"]
    comments = case.get("comments", [[] for _ in recorded])
    first = next((n for n, i in by_number.items() if isinstance(i, From)), len(recorded))
    for number, instruction in enumerate(recorded):
        one = by_number.get(number)
        if one is not None or number >= first:  # what stands before the first FROM is not in any stage
            found[f"{number}"] = None if one is None else plain(one)
            wanted[f"{number}"] = instruction
        if one is not None:
            found[f"comment {number}"] = list(one.node.comment)
            wanted[f"comment {number}"] = comments[number]
    return found, wanted


def test_triggers() -> None:
    def fired(text: str) -> object:
        try:
            return plain(parse_trigger(text, "trigger"))
        except KezuriError:
            return None

    assert differing([(text, fired(text), wanted) for text, wanted in load("triggers")["cases"]]) == []


def test_expansion() -> None:
    variables = load("expansion")["variables"]
    found: list[tuple[object, object, object]] = []
    for text, escape, word, words, body, unmatched in load("expansion")["cases"]:
        missing: list[str] = []
        got: list[object] = []
        for attempt in (
            lambda text=text, escape=escape, missing=missing: expand(text, variables, escape, missing.append),
            lambda text=text, escape=escape: list(expand_words(text, variables, escape)),
            lambda text=text: expand_heredoc(text, variables),
        ):
            try:
                got.append(attempt())
            except ExpansionError:
                got.append(None)
        found.append(((text, escape), got, [word, words, body]))
        if word is not None:
            found.append(((text, escape, "names"), sorted(missing), sorted(unmatched)))
    assert differing(found) == []


def test_words_that_announce_heredocs() -> None:
    def read(text: str) -> object:
        try:
            word = read_word(text)
        except LexError:
            return "refused"
        return None if word is None else [word.name, word.expand, word.strip_tabs, max(word.fd, 0)]

    assert differing([(text, read(text), wanted) for text, wanted in load("heredocs")["cases"]]) == []


def test_ignore_files() -> None:
    trees = load("ignore")["trees"]
    found: list[tuple[object, object, object]] = []
    for text, number, matching, kept in load("ignore")["cases"]:
        paths = trees[number]
        try:
            ignore = Ignore.parse(text, ".dockerignore")
        except KezuriError:
            found.append((text, None, matching))
            continue
        found.append((text, "".join("1" if ignore.matches(path) else "0" for path in paths), matching))
        come_to = walked(ignore, paths)
        found.append(((text, "walk"), "".join("1" if path in come_to else "0" for path in paths), kept))
    assert differing(found) == []


def test_wildcards() -> None:
    def matched(pattern: str, name: str) -> bool | None:
        try:
            return match(pattern, name)
        except KezuriError:
            return None

    assert differing([((p, n), matched(p, n), wanted) for p, n, wanted in load("wildcards")["cases"]]) == []


def test_chmod() -> None:
    modes = [int(mode, 8) for mode in load("chmod")["modes"].split()]
    found: list[tuple[object, object, object]] = []
    for text, wanted in load("chmod")["cases"]:
        try:
            change = parse_chmod(text)
        except KezuriError:
            found.append((text, None, wanted))
            continue
        results = " ".join(f"{change.apply(mode, is_dir):o}" for is_dir in (False, True) for mode in modes)
        found.append((text, results if change.octal is None else change.octal, wanted))
    assert differing(found) == []


@pytest.mark.parametrize(
    ("text", "wanted"), [("9223372036854775807ns", (1 << 63) - 1), ("-9223372036854775808ns", -1 << 63)]
)
def test_the_longest_durations(text: str, wanted: int) -> None:
    assert parse_duration(text) == wanted


def test_durations() -> None:
    def read(text: str) -> int | None:
        try:
            return parse_duration(text)
        except ValueError:
            return None

    assert differing([(text, read(text), wanted) for text, wanted in load("durations")["cases"]]) == []
