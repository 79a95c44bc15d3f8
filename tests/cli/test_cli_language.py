"""Sentences in the reader's language: the catalogue is whole, and what is said keeps what was in the English."""

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.cli_sentences import sentences

import kezuri
from kezuri.cli.commands import MODULES, load
from kezuri.cli.console import Console
from kezuri.cli.elsewhere import ELSEWHERE
from kezuri.cli.forecast_text import counted
from kezuri.cli.foreign_options import foreign_options
from kezuri.cli.language import Language, catalogue, language_of
from kezuri.cli.main import call
from kezuri.forecast.step import ForecastOutcome, ForecastStep

JAPANESE = re.compile("[ぁ-んァ-ヶ一-龥]")
CATALOGUE = catalogue("ja")
LOCALE = {"LANG": "ja_JP.UTF-8"}
SAYABLE = {english: said for english, said in CATALOGUE.items() if not english.startswith(("kind:", "part:"))}
PARTS = {english.removeprefix("part:"): said for english, said in CATALOGUE.items() if english.startswith("part:")}


def test_every_sentence_has_a_translation() -> None:
    lacking = {text: place for text, place in sentences().items() if text not in CATALOGUE}
    assert not lacking, (
        "translate these in src/kezuri/cli/languages/ja.json, or name them in cli_no_sentences.txt:\n"
        + json.dumps(lacking, indent=0, ensure_ascii=False)
    )


def test_no_translation_is_left_of_what_nobody_says() -> None:
    source = "\n".join(path.read_text() for path in Path(kezuri.__file__).parent.rglob("*.py"))
    found = sentences()
    # What is put together from several texts stands in the source in pieces.
    words = re.compile(r"[A-Za-z]{3,}")
    stale = [
        text
        for text in SAYABLE
        if text not in found and not all(word in source for word in words.findall(max(text.split("{}"), key=len)))
    ]
    assert not stale
    assert not {f"part:{text}" for text in PARTS} - set(found)


def test_what_answers_by_name_is_translated() -> None:
    """Options and commands of other programs: their answers are in tables, not in calls."""
    texts = {option.refused or option.warned for name in MODULES for option in load(name)[0].options}
    texts |= set(ELSEWHERE.values())
    texts |= {option.refused for name in (*MODULES, "") for option in foreign_options(name)}
    said = Language(CATALOGUE)
    assert [text for text in texts if text and " " in text and said(text) == text] == []


def test_translations_have_the_gaps_of_the_english() -> None:
    def gaps(said: str) -> list[int]:
        return sorted(int(number) for number in re.findall(r"\{(\d+)(?::kind)?\}", said))

    every = {**SAYABLE, **PARTS}
    assert [text for text, said in every.items() if gaps(said) != list(range(text.count("{}")))] == []


def test_translations_are_japanese() -> None:
    plain = [text for text, said in SAYABLE.items() if not JAPANESE.search(said) and len(text.split()) > 3]
    assert [text for text in plain if not text.startswith(("sudo ", "default, ", "{}"))] == []


@given(st.lists(st.text("abcXYZ019/._-:", min_size=1, max_size=12), min_size=4, max_size=4), st.data())
def test_what_fills_the_gaps_is_kept(names: list[str], data: st.DataObject) -> None:
    english = data.draw(st.sampled_from([text for text in SAYABLE if 1 <= text.count("{}") <= 4]))
    text = english
    for name in names[: english.count("{}")]:
        text = text.replace("{}", name, 1)
    said = Language(CATALOGUE)(text)
    assert JAPANESE.search(said) or not JAPANESE.search(CATALOGUE[english])
    for name in names[: english.count("{}")]:
        assert name in said


@given(st.sampled_from(sorted(PARTS)), st.lists(st.text(max_size=12), min_size=4, max_size=4))
def test_what_fills_the_gaps_of_a_part_is_kept_whatever_it_says(english: str, names: list[str]) -> None:
    names = names[: english.count("{}")]
    console = Console(io.StringIO(), io.StringIO(), LOCALE)
    expected = PARTS[english]
    for number in range(len(names)):
        expected = expected.replace(f"{{{number}}}", f"<{number}>")
    assert console.phrase(english, *(f"<{number}>" for number in range(len(names)))) == expected
    said = Console(io.StringIO(), io.StringIO(), {}).phrase(english, *names)
    assert len(said) == len(english) - 2 * len(names) + sum(map(len, names))


def test_what_is_listed_is_joined_as_in_japanese() -> None:
    phrase = Console(io.StringIO(), io.StringIO(), LOCALE).phrase
    outcomes: tuple[ForecastOutcome, ...] = ("runs", "cached")
    steps = [ForecastStep(0, 0, "copy", "COPY a a", 1, outcome, "", (), None, ()) for outcome in outcomes]
    assert counted(steps, phrase) == "2 ステップ中 1 ステップが実行されます、1 ステップはキャッシュにあります"
    assert counted(steps) == "1 of 2 steps would run, 1 cached"


@given(st.text(max_size=80))
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(Language(CATALOGUE)(text), str)


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("unknown command 'buidl'", "コマンド 'buidl' はありません"),
        ("no such image: {0}", "イメージがありません: {0}"),
        (r"no such image: \1 {x}", r"イメージがありません: \1 {x}"),
        ("kezuri has no option -p", "kezuri にオプション -p はありません"),
        ("this is U+3000 IDEOGRAPHIC SPACE, a full-width space: write an ordinary blank",
         "これは U+3000 IDEOGRAPHIC SPACE（全角スペース）です。ふつうの空白を書いてください"),
        ("did you mean kezuri build?\nsee kezuri --help", "kezuri build のことですか\nkezuri --help を見てください"),
        ("a: b: no such image: c", "a: b: イメージがありません: c"),
        ("WORKDIR /a is a symlink in the image, not a directory",
         "WORKDIR /a は、イメージではディレクトリではなくシンボリックリンクです"),
        ("write --env KEY[=VALUE]", "--env KEY[=VALUE] と書いてください"),
        ("write ref=NAME", "ref=NAME と書いてください"),
        ("file", "file"),
        ("", ""),
    ],
)  # fmt: skip
def test_sentences(english: str, said: str) -> None:
    assert Language(CATALOGUE)(english) == said


def test_a_long_hostile_text_takes_no_time_to_speak_of() -> None:
    text = "no such image: " + "a: " * 5000 + "; " * 5000
    assert Language(CATALOGUE)(text).startswith("イメージがありません: ")
    assert Language(CATALOGUE)("x: " * 2000)


@pytest.mark.parametrize(
    ("environ", "encoding", "japanese"),
    [
        ({"LANG": "ja_JP.UTF-8"}, "utf-8", True),
        ({"LANG": "ja"}, "utf-8", True),
        ({"LANG": "ja_JP.eucJP"}, "euc_jp", True),
        ({"LANG": "ja_JP.UTF-8"}, "iso-8859-1", False),
        ({"LANG": "ja_JP.UTF-8"}, "no-such", False),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C.UTF-8"}, "utf-8", False),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8"}, "utf-8", True),
        ({"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "utf-8", False),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "ja:en"}, "utf-8", True),
        ({"LANG": "ja_JP.UTF-8", "LANGUAGE": "en:ja"}, "utf-8", False),
        ({"LANG": "ja_JP.UTF-8", "LANGUAGE": "fr:ja"}, "utf-8", True),
        ({"LANGUAGE": "ja"}, "utf-8", False),
        ({}, "utf-8", False),
    ],
)
def test_which_language(environ: dict[str, str], encoding: str, japanese: bool) -> None:
    assert (language_of(environ, encoding) is not None) == japanese


def said(*argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return call(argv, Console(out, err, {"HOME": "/nowhere", **LOCALE})), out.getvalue(), err.getvalue()


def test_an_error_on_the_command_line() -> None:
    code, _, err = said("buidl")
    assert code == 2
    assert err == (
        "エラー: コマンド 'buidl' はありません\n  対処: kezuri build のことですか\n使い方: kezuri [OPTIONS] COMMAND\n"
    )


def test_help() -> None:
    _, out, _ = said("build", "--help")
    assert out.startswith("Dockerfile からイメージをビルドする\n")
    assert "オプション:" in out


def test_a_mistake_in_a_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCPOY a b\n")
    code, _, err = said("build", "--root", str(tmp_path / "root"), "--progress=plain", str(tmp_path))
    assert code == 1
    assert "エラー: 命令 CPOY はありません（COPY のことですか）" in err
    assert "2 | CPOY a b" in err
