"""Words of records about licences held against SPDX: which of them are an expression of its grammar."""

import re
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

_MOST = 2000
"""Characters of a record's words that are looked at: whoever writes more writes a text, not a name."""
_TOKEN = re.compile(r"\s*(?:([()])|([A-Za-z0-9.:+-]+))")
_GNU = re.compile(r"(A?GPL|LGPL|GFDL)-?v?([0-9](?:\.[0-9])?)(\+|-or-later|-only)?\Z", re.IGNORECASE)
CALLED: Final = {"expat": "MIT", "apache-2": "Apache-2.0", "mpl-2": "MPL-2.0"}
"""Names of single words that Debian and others have for licences of SPDX's list."""
_REFERENCE = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+\Z")


class Licences(NamedTuple):
    """The identifiers of SPDX's list, by themselves in small letters."""

    licences: dict[str, str]
    exceptions: dict[str, str]


@cache
def known() -> Licences:
    """SPDX's list of licences and exceptions, as it came with kezuri."""
    text = files("kezuri.sbom").joinpath("licences.txt").read_text("utf-8")
    first, _, second = text.partition("\n")[2].partition("\n\n")
    return Licences(
        {word.lower(): word for word in first.split()},
        {word.lower(): word for word in second.split()},
    )


@cache
def expression(words: str) -> str:
    """The words as an expression of SPDX (specification 2.3, annex D), its identifiers as the list writes them; empty
    where they are none: an unknown name makes an expression of nothing. Names that Debian and Fedora have for licences
    of the list are known."""
    return _expression(words, False)


@cache
def referenced(words: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """As `expression`, but that names which the list has not become references to the document's own licences: these,
    with what they stand for. Empty for words that have not even the shape of an expression."""
    said = _expression(words, True)
    unknown = {_own(token): token for token in _tokens(words) if _own(token) in said.replace("(", " ").split()}
    return said, tuple(sorted(unknown.items()))


def _expression(words: str, lenient: bool) -> str:
    if not words or len(words) > _MOST:
        return ""
    tokens = _tokens(words)
    if not tokens:
        return ""
    said: list[str] = []
    depth, wants, afterwards = 0, True, False
    for token in tokens:
        upper = token.upper()
        if token == "(":
            if not wants:
                return ""
            depth += 1
            said.append("(")
        elif token == ")":
            if wants or depth == 0:
                return ""
            depth -= 1
            afterwards = False
            said.append(")")
        elif upper in ("AND", "OR", "WITH"):
            if wants or (upper == "WITH" and not afterwards):
                return ""
            wants = True
            afterwards = False
            said.append(upper)
        else:
            if not wants:
                return ""
            of_exception = bool(said) and said[-1] == "WITH"
            name = _exception(token) if of_exception else _licence(token)
            if not name and lenient and not of_exception:
                name = _own(token)
            if not name:
                return ""
            wants, afterwards = False, not of_exception and not name.startswith("LicenseRef-")
            said.append(name)
    if wants or depth:
        return ""
    return " ".join(said).replace("( ", "(").replace(" )", ")")


def _own(word: str) -> str:
    """The name of a licence of the document's own, for a word of a record."""
    return f"LicenseRef-{word.replace('+', '-or-later').replace(':', '-')}"


def gnu(word: str) -> str:
    """A licence of GNU by its SPDX identifier, in whichever usual way it is written (`GPLv3+`, `GPL-2`); empty for
    another word. Without a plus, as in Debian's copyright-format 1.0, it is this version alone."""
    found = _GNU.match(word)
    if found is None:
        return ""
    number = found[2] if "." in found[2] else f"{found[2]}.0"
    return f"{found[1].upper()}-{number}-{'or-later' if (found[3] or '').lower() in ('+', '-or-later') else 'only'}"


def is_one(text: str) -> bool:
    """Whether an expression is one identifier of the list."""
    return text.lower() in known().licences


def identifiers(text: str) -> tuple[str, ...]:
    """The licences that an expression names, each once, without exceptions."""
    names = [token for token in _tokens(text) if token.upper() not in ("AND", "OR", "WITH", "(", ")")]
    return tuple(dict.fromkeys(name for name in names if name.lower() not in known().exceptions))


def _tokens(words: str) -> list[str]:
    found, at = [], 0
    words = words.strip()
    while at < len(words):
        token = _TOKEN.match(words, at)
        if token is None:
            return []
        found.append(token[1] or token[2])
        at = token.end()
    return found


def _licence(word: str) -> str:
    if _REFERENCE.match(word):
        return word
    listed = known().licences
    name = listed.get(word.lower(), "")
    if not name and word.lower() in CALLED:
        return CALLED[word.lower()]
    if not name and (of_gnu := gnu(word)):
        return listed.get(of_gnu.lower(), "")
    if not name and word.endswith("+"):
        name = listed.get(word[:-1].lower(), "")
        return f"{name}+" if name else ""
    return name


def _exception(word: str) -> str:
    return known().exceptions.get(word.lower(), "")
