"""Characters that look like those of the language and are others: found, named, and put right for a suggestion.

Keyboards for Japanese write a full-width space, word processors write curved quotes and long dashes, pages of the web
have blanks that do not break. BuildKit takes them as parts of words, so they have to be named: nobody sees them.
"""

import re
from typing import NamedTuple

from kezuri.dockerfile.words import NotStrings, json_words

_BLANKS = "\x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000\u2800\u3164"
_NOTHING = "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_DOUBLE = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u301d\u301e\u301f"
_SINGLE = "\u2018\u2019\u201a\u201b\u2039\u203a\u2032"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"
_LETTERS = dict(zip("АВЕЅІЈКМНОРСТХУаеорсухіѕјΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABESIJKMHOPCTXYaeopcyxisjABEZHIKMNOPTYXo"))
_PLAIN = {
    **dict.fromkeys(_BLANKS, " "),
    **dict.fromkeys(_NOTHING, ""),
    **dict.fromkeys(_DOUBLE, '"'),
    **dict.fromkeys(_SINGLE, "'"),
    **dict.fromkeys(_DASHES, "-"),
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
}
_TABLE = str.maketrans({**_PLAIN, "\u2014": "--"})
_ALL = str.maketrans({**_PLAIN, **_LETTERS, "\u2014": "--"})
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'")
_IN_SHELL = frozenset(_BLANKS + _NOTHING)
_TRAILING = re.compile(r",\s*\]\Z")


class LookAlike(NamedTuple):
    """Where in a text such a character stands, and what to do about it."""

    at: int
    hint: str


def first_of(text: str, start: int = 0) -> LookAlike | None:
    """The first such character of the text; letters count only in the word that is to be an instruction."""
    for at in range(start, len(text)):
        char = text[at]
        if char in _PLAIN or (char in _LETTERS and at < len(text.split(" ", 1)[0])):
            return LookAlike(at, _hint(char))
    return None


def unseen(text: str, shell: bool) -> LookAlike | None:
    """The first that probably nobody meant, in an argument that is no mistake otherwise: outside of quotes, and for a
    `shell` only blanks and what takes no room."""
    if text.isascii():
        return None
    bare = _QUOTED.sub(lambda found: "x" * len(found.group()), text)
    for at, char in enumerate(bare):
        if char in _IN_SHELL:
            return LookAlike(at, _hint(char))
        if not shell and (char in _DOUBLE + _SINGLE + "＂＇" or (char in _DASHES and bare[:at][-1:] in ("", " "))):
            return LookAlike(at, _hint(char))
    return None


def plain(text: str) -> str:
    """The text with the characters that were meant."""
    return text.translate(_ALL)


def array(text: str) -> str | None:
    """The JSON array of strings that was meant by something in brackets that is none; None when it is no array at all,
    such as the shell's `[ -f file ]`."""
    text = _TRAILING.sub("]", text.translate(_TABLE).strip())
    if not text.startswith("[") or not text.endswith("]"):
        return None
    for attempt in (text, _double_quoted(text)):
        try:
            if json_words(attempt):
                return attempt
        except NotStrings:
            pass
    return None


def _double_quoted(text: str) -> str:
    return re.sub(r"'([^'\"]*)'", r'"\1"', text)


def _hint(char: str) -> str:
    from unicodedata import name

    title = {"\x85": "NEXT LINE"}.get(char) or name(char, "")
    named = f"U+{ord(char):04X} {title}".rstrip()
    if char in _NOTHING:
        return f"this is {named}, which takes no room: delete it"
    if char in _BLANKS:
        width = "a full-width space" if char == "\u3000" else "a blank of another kind"
        return f"this is {named}, {width}: write an ordinary blank"
    wanted = "--" if char == "\u2014" else _PLAIN.get(char) or _LETTERS[char]
    return f"this is {named}: write {wanted}"
