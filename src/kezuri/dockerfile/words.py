"""Words of an argument: split on blanks, split with quotes kept, or decoded from a JSON array."""

import json
import re
from functools import lru_cache
from typing import NamedTuple

from kezuri.dockerfile.lines import SPACE

_BLANKS = re.compile(r"[^\t\v\f\r ]+")
_DECODER = json.JSONDecoder(parse_int=lambda _: None, parse_float=lambda _: None, parse_constant=lambda _: _refuse())


class Word(NamedTuple):
    """A word and the half-open range of the logical line that it was read from."""

    text: str
    start: int
    end: int


class NotStrings(ValueError):
    """A valid JSON array that holds something else than strings."""


def split_blanks(text: str, offset: int) -> list[Word]:
    """The words between runs of blanks; `offset` is where `text` starts in its logical line."""
    return [Word(m.group(), offset + m.start(), offset + m.end()) for m in _BLANKS.finditer(text)]


def split_quoted(text: str, offset: int, escape: str) -> list[Word]:
    """The words of ENV, LABEL and ARG: blanks within quotes or after an escape character do not end a word.

    Quotes and escapes are kept, since expansion removes them; an escape character at the very end is dropped, and a
    quote that is never closed runs to the end (BuildKit's `parseWords`).
    """
    plain = _plain(escape)
    words: list[Word] = []
    at, size = 0, len(text)
    while True:
        while at < size and text[at] in SPACE:
            at += 1
        if at == size:
            return words
        start = at
        parts: list[str] = []
        while at < size:
            run = plain.match(text, at)
            if run is not None:
                parts.append(run.group())
                at = run.end()
                continue
            char = text[at]
            if char == escape:
                parts.append(text[at : at + 2] if at + 1 < size else "")
                at += 2
            elif char in "'\"":
                end = _quote_end(text, at, escape)
                quoted = text[at:end]
                if end == size and char == '"' and _ends_in_escape(quoted, escape):
                    quoted = quoted[:-1]
                parts.append(quoted)
                at = end
            else:
                break
        at = min(at, size)
        word = "".join(parts)
        if word:
            words.append(Word(word, offset + start, offset + at))


def json_words(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON array, or None when `text` is no JSON array: it then is in shell or word form.

    Raises NotStrings for a valid array with an element that is no string.
    """
    text = text.strip(SPACE)
    if not text.startswith("["):
        return None
    try:
        values = _DECODER.decode(text)
    except RecursionError:
        raise NotStrings from None
    except ValueError:
        return None
    if not all(isinstance(value, str) for value in values):
        raise NotStrings
    return tuple(_without_lone_surrogates(value) for value in values)


def _refuse() -> None:
    raise ValueError("NaN and Infinity are no JSON")


def _without_lone_surrogates(text: str) -> str:
    # \ud83d alone decodes to U+FFFD; the surrogates U+DC80 to U+DCFF are bytes of the file that are no UTF-8
    if text.isascii():
        return text
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" and not "\udc80" <= c <= "\udcff" else c for c in text)


def _quote_end(text: str, start: int, escape: str) -> int:
    quote = text[start]
    if quote == "'":
        end = text.find("'", start + 1)
        return len(text) if end < 0 else end + 1
    found = _closing(escape).match(text, start + 1)
    return len(text) if found is None else found.end()


def _ends_in_escape(quoted: str, escape: str) -> bool:
    return (len(quoted) - len(quoted.rstrip(escape))) % 2 == 1


@lru_cache(2)
def _plain(escape: str) -> re.Pattern[str]:
    return re.compile(f"[^{re.escape(SPACE)}'\"{re.escape(escape)}]+")


@lru_cache(2)
def _closing(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(f'(?:[^"{mark}]++|{mark}.)*+"', re.DOTALL)
