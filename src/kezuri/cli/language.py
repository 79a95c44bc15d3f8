"""Sentences in the reader's language: a catalogue of English sentences with gaps, and what each is in that language.

The rooms below say what they have to say in English. Here, at the edge, a text is recognised as one of the sentences of
the catalogue, with its gaps filled, and said in the other language. A text that no sentence fits stays as it is.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache

from kezuri.cli.phrase import filled

_CATALOGUES = os.path.join(os.path.dirname(__file__), "languages")
_GAP = "{}"
_KIND = "kind:"
_PART = "part:"
_DEEPEST = 4
"""How often a sentence may stand in the gap of another one."""
_MOST_PIECES = 30
"""A text of more lines is no message of ours."""


class Language:
    """Says English texts in another language. Called with a text; the text itself comes back where nothing fits.

    `sentences` maps English to the other language. A gap is `{}` in English and `{0}`, `{1}`, ... in the translation,
    which may order them otherwise. `{0:kind}` is a gap
    for one of the words for kinds of files, which the catalogue has as `kind:file` and so on. What begins with `part:`
    is said by `phrase` alone.
    """

    __slots__ = ("_patterns", "_sentences")

    def __init__(self, sentences: Mapping[str, str]) -> None:
        self._sentences = sentences
        self._patterns: list[tuple[str, str]] | None = None

    def __call__(self, text: str) -> str:
        """The text in the language: as a whole sentence, else line by line, else what stands between colons."""
        return self._sentences.get(text) or self._said(text, _DEEPEST)

    def phrase(self, sentence: str, gaps: Sequence[object]) -> str:
        """A sentence whose gaps are given apart (`phrase.py`); in English where there is no translation."""
        return filled(self._sentences.get(_PART + sentence, sentence), gaps)

    def _said(self, text: str, depth: int) -> str:
        if depth == 0 or " " not in text:
            # One word is a name more often than a sentence; those that are none are asked for by `__call__`.
            return text
        return self._whole(text, depth) or self._pieces(text, depth) or text

    def _whole(self, text: str, depth: int) -> str | None:
        """The text as one sentence."""
        return self._sentences.get(text) or self._filled(text, depth)

    def _pieces(self, text: str, depth: int) -> str | None:
        """The text as several sentences: in lines, else divided by semicolons, else a sentence behind names of things
        and colons. What follows a colon is tried as a whole first, since sentences have colons too."""
        for border in ("\n", "; ", ": "):
            pieces = text.split(border)
            if 1 < len(pieces) <= _MOST_PIECES:
                for i in range(1, len(pieces)):
                    rest = self._whole(border.join(pieces[i:]), depth)
                    if rest is not None:
                        return border.join([*(self._said(piece, depth - 1) for piece in pieces[:i]), rest])
                said = [self._sentences.get(piece) or self._said(piece, depth - 1) for piece in pieces]
                if said != pieces:
                    return border.join(said)
        bare = text.strip(" ")
        return text.replace(bare, self._said(bare, depth - 1)) if bare not in ("", text) else None

    def _filled(self, text: str, depth: int) -> str | None:
        """The translation with its gaps filled, of the sentence with most words of its own that fits; None without."""
        for longest, sentence in self._ordered():
            if longest in text:
                found = re.fullmatch(_pattern(sentence), text, re.DOTALL)
                if found is not None:
                    return self._fill(self._sentences[sentence], found.groups(), depth - 1)
        return None

    def _fill(self, sentence: str, gaps: Sequence[str], depth: int) -> str:
        # No str.format: what fills a gap, and the sentence around it, may have braces of their own.
        def gap(marked: re.Match[str]) -> str:
            text = gaps[int(marked[1])]
            return self._sentences.get(_KIND + text, text) if marked[2] else self._said(text, depth)

        return re.sub(r"\{(\d+)(:kind)?\}", gap, sentence)

    def _ordered(self) -> list[tuple[str, str]]:
        """Every sentence with gaps, after the longest piece of it between gaps; those that fix most text first, so
        that a special sentence is found before a general one."""
        if self._patterns is None:
            gapped = [each for each in self._sentences if _GAP in each and not each.startswith(_PART)]
            gapped.sort(key=lambda sentence: (-len(sentence.replace(_GAP, "")), sentence))
            self._patterns = [(max(sentence.split(_GAP), key=len), sentence) for sentence in gapped]
        return self._patterns


def language_of(environ: Mapping[str, str], encoding: str) -> Language | None:
    """The language that the environment asks for, where there is a catalogue and the stream's `encoding` has its
    letters; None for English.

    As gettext: LC_ALL, else LC_MESSAGES, else LANG names the locale; unless that is C, the first known one of LANGUAGE
    goes before it.
    """
    locale = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or "C"
    if locale.split(".")[0] in ("C", "POSIX"):
        return None
    for wanted in (*environ.get("LANGUAGE", "").split(":"), locale):
        name = re.split("[_.@]", wanted.lower())[0]
        if name == "en":
            return None
        if name == "ja":
            try:
                "日本語".encode(encoding)
            except (UnicodeEncodeError, LookupError):
                return None
            return Language(catalogue(name))
    return None


def catalogue(name: str) -> dict[str, str]:
    """The sentences of a language, by their English."""
    with open(os.path.join(_CATALOGUES, f"{name}.json"), encoding="utf-8") as file:
        sentences: dict[str, str] = json.load(file)
    return sentences


@cache
def _pattern(sentence: str) -> str:
    return "(.*?)".join(re.escape(piece) for piece in sentence.split(_GAP))
