"""Secrets by what they are given to and how random they look: `api_key = "…"`, of no form that is anybody's."""

import re
from collections.abc import Iterator
from math import log2
from typing import Final

from kezuri.check.image.secret import Secret
from kezuri.check.sensitive import secret_name

_WORDS: Final = (
    *(b"secret", b"token", b"passw", b"pwd", b"credential"),
    *(one + between + b"key" for one in (b"api", b"access", b"private") for between in (b"", b"_", b"-")),
)
"""What is in the name of a secret, in small letters."""
_GIVEN: Final = re.compile(
    rb"[A-Za-z0-9_.-]{0,40}"
    rb"(?:=|[\"']?[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}[\"'])([A-Za-z0-9_/+=.~-]{16,200})(?![A-Za-z0-9_/+=.~-])"
)
"""`NAME=value` without blanks, or a value in quotes, from behind the word of a name on; the name may begin further to
the left."""
_NAME: Final = re.compile(rb"[A-Za-z0-9_.-]{0,40}\Z")
_PUBLIC: Final = re.compile(
    rb"(?i)hash|sha\d|digest|checksum|integrity|public|pub_?key|csrf|nonce|_id\b|\bid_|url|path"
)
_PLAIN: Final = re.compile(
    rb"(?i)example|sample|dummy|placeholder|change|your|test|xxxx|0000|1234|abcd|/usr/|/etc/|/run/"
)
_HEX: Final = re.compile(rb"[0-9a-fA-F]{32,}\Z")
_WORDY: Final = re.compile(rb"[A-Z][a-z]{4,}|[a-z]{6,}")
_LINE: Final = 500
"""Longer lines are nobody's settings, but a program that was made small."""


def guessed(data: bytes) -> Iterator[Secret]:
    """What is given to a name that means a secret and looks random; where the value itself begins and ends."""
    end = 0
    for start, behind in _names(data):
        found = _GIVEN.match(data, behind) if start >= end else None
        if found is None:
            continue
        value, end = found[1], found.end()
        before = data[max(0, start - _LINE) : start].rpartition(b"\n")[2]
        if len(before) >= _LINE or not random_looking(value):
            continue
        beginning = _NAME.search(before)
        name = (beginning[0] if beginning else b"") + re.split(rb"[\"'=: \t]", data[start:end], maxsplit=1)[0]
        if secret_name(name.decode()) and not _PUBLIC.search(name):
            yield Secret("what looks like a secret", found.start(1), found.end(1), "guessed-secret")


def _names(data: bytes) -> list[tuple[int, int]]:
    """Where each word begins and ends, in order. They are looked for one by one: a pattern with all of them takes ten
    times as long, and most texts have none."""
    small = data.lower()
    found = []
    for word in _WORDS:
        at = small.find(word)
        while at >= 0:
            found.append((at, at + len(word)))
            at = small.find(word, at + 1)
    return sorted(found)


def random_looking(value: bytes) -> bool:
    """Whether nobody has thought of these characters: letters with digits among them, or hexadecimal digits, as evenly
    spread as chance spreads them; no words, paths and names."""
    if _PLAIN.search(value):
        return False
    if _HEX.match(value):
        return entropy(value.lower()) >= 3.0
    digits = sum(48 <= byte <= 57 for byte in value)
    lower = sum(97 <= byte <= 122 for byte in value)
    upper = sum(65 <= byte <= 90 for byte in value)
    if value.count(b".") > 2 or value.count(b"/") > 3 or sum(map(len, _WORDY.findall(value))) * 2 >= len(value):
        return False
    if lower >= 2 and upper >= 2:
        return digits >= 2 and entropy(value) >= (3.6 if len(value) >= 20 else 3.3)
    # Of one case alone there must be more of it.
    return len(value) >= 24 and digits >= 4 and lower + upper >= 4 and entropy(value) >= 3.8


def entropy(value: bytes) -> float:
    """Bits for each byte, by how often each is there (Shannon)."""
    return -sum(many / len(value) * log2(many / len(value)) for many in map(value.count, set(value)))
