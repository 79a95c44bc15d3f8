"""The words of a Go template: its text cut into what is printed and into actions, and each action into tokens."""

import re
from collections.abc import Collection
from typing import NamedTuple, NoReturn

from kezuri.cli.options import UsageError

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<raw>`[^`]*`)
    |(?P<char>'(?:[^'\\\n]|\\[^\n]+?)')
    |(?P<declare>:=)
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)(?![\w.]))
    |(?P<field>\.[^\W\d]\w*)
    |(?P<variable>\$\w*)
    |(?P<word>[^\W\d]\w*)
    |(?P<sign>[|().,=])""",
    re.VERBOSE,
)
_SPACE = " \t\r\n"
KEYWORDS = frozenset("if else end range with define block template break continue".split())  # noqa: SIM905
_SHORT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)


class Token(NamedTuple):
    kind: str
    text: str


def wrong(message: str, hint: str = "") -> NoReturn:
    """A template that cannot be read or rendered."""
    raise UsageError.because(f"--format: {message}", hint)


class Words:
    """The tokens of one action, taken one after the other. `spaced` says whether blanks stood before the next one;
    `word` is its keyword."""

    def __init__(self, source: str) -> None:
        self.source = source.strip()
        self.word = ""
        self.spaced = True
        self._tokens: list[Token] = []
        self._at = 0
        at = 0
        while at < len(source):
            found = _TOKEN.match(source, at)
            if found is None:
                wrong(f"unexpected {source[at : at + 10].rstrip()!r} in {{{{{self.source}}}}}")
            assert found.lastgroup is not None
            self._tokens.append(Token(found.lastgroup, found.group()))
            at = found.end()

    def skip(self) -> None:
        while self._at < len(self._tokens) and self._tokens[self._at].kind == "space":
            self._at += 1
            self.spaced = True

    def done(self) -> bool:
        self.skip()
        return self._at >= len(self._tokens)

    def sees(self, text: str) -> bool:
        return not self.done() and self._tokens[self._at] == ("sign", text)

    def take(self, text: str) -> bool:
        if not self.sees(text):
            return False
        self._at += 1
        self.spaced = True
        return True

    def next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        self.spaced = False
        return token

    def rest(self) -> str:
        return "".join(token.text for token in self._tokens[self._at :])

    def keyword(self, words: Collection[str] = KEYWORDS) -> str:
        """The word that the action begins with, if it is one of these; it is taken."""
        self.skip()
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "word" and token.text in words:
                self._at += 1
                self.word = token.text
                self.spaced = True
                return token.text
        return ""

    def touches_field(self) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at].kind in ("field", "word", "number")

    def fields(self) -> tuple[str, ...]:
        """The fields that follow without a blank."""
        out = []
        while self._at < len(self._tokens) and self._tokens[self._at].kind == "field":
            out.append(self._tokens[self._at].text[1:])
            self._at += 1
        return tuple(out)

    def name(self) -> str:
        """The name of a template, in quotes."""
        if self.done() or self._tokens[self._at].kind not in ("string", "raw"):
            wrong(f"the name of a template is missing in {{{{{self.source}}}}}")
        kind, text = self.next()
        self.spaced = True
        return text[1:-1] if kind == "raw" else unquoted(text)

    def declaration(self, loop: bool) -> tuple[tuple[str, ...], bool]:
        """`$x :=`, `$x =` and, for a loop, `$i, $x :=`; nothing is taken where there is none."""
        start = self._at
        names: list[str] = []
        while not self.done() and self._tokens[self._at].kind == "variable":
            names.append(self._tokens[self._at].text)
            self._at += 1
            if not self.done() and self._tokens[self._at].text in (":=", "="):
                fresh = self._tokens[self._at].text == ":="
                self._at += 1
                if len(names) > (2 if loop else 1):
                    wrong(f"too many variables in {{{{{self.source}}}}}")
                self.spaced = True
                return tuple(names), fresh
            if not self.take(","):
                break
        if len(names) > 1:
            wrong(f"too many variables in {{{{{self.source}}}}}")
        self._at = start
        self.spaced = True
        return (), True

    def finish(self) -> None:
        if not self.done():
            wrong(f"unexpected {self.rest()!r} in {{{{{self.source}}}}}")


def pieces(text: str) -> list[str | tuple[str]]:
    """Text and, each in a tuple, the inside of actions; what `-` trims is gone, and so are comments."""
    out: list[str | tuple[str]] = []
    at, trim = 0, False
    while True:
        start = text.find("{{", at)
        piece = text[at:] if start < 0 else text[at:start]
        if trim:
            piece = piece.lstrip(_SPACE)
        if start < 0:
            out.append(piece)
            return out
        begin = start + 2
        if text[begin : begin + 1] == "-" and text[begin + 1 : begin + 2] in tuple(_SPACE):
            piece = piece.rstrip(_SPACE)
            begin += 2
        out.append(piece)
        if text.startswith("/*", begin):
            close = text.find("*/", begin)
            if close < 0:
                wrong("a comment is not closed")
            stop = close + 2
            trim = text[stop : stop + 2] in tuple(f"{blank}-" for blank in _SPACE)
            stop += 2 if trim else 0
            if not text.startswith("}}", stop):
                wrong("a comment ends before its action does")
            at = stop + 2
            continue
        stop = _close(text, begin)
        inner = text[begin:stop]
        trim = len(inner) > 1 and inner[-1] == "-" and inner[-2] in _SPACE
        out.append((inner[:-2] if trim else inner,))
        at = stop + 2


def _close(text: str, at: int) -> int:
    """Where the `}}` is that closes an action: not one inside a string."""
    begin, quote = at, ""
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\" and quote != "`":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "\"`'":
            quote = char
        elif text.startswith("}}", at):
            return at
        at += 1
    wrong(f"{{{{ is not closed in {text[begin - 2 :]!r}")


def unquoted(text: str) -> str:
    """A Go string or character constant."""

    def replaced(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "xuU" and len(code) > 1:
            try:
                return chr(int(code[1:], 16))
            except (ValueError, OverflowError):
                wrong(f"{text} is not a string")
        if code[0] in "01234567" and len(code) == 3:
            return chr(int(code, 8))
        if code not in _SHORT or (code == "'" and text[0] == '"') or (code == '"' and text[0] == "'"):
            wrong(f"{text} is not a string: \\{code[0]} means nothing")
        return _SHORT[code]

    value = _ESCAPE.sub(replaced, text[1:-1])
    if text[0] == "'" and len(value) != 1:
        wrong(f"{text} is not a character")
    return value


def number(text: str) -> int | float:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    try:
        if digits[:2].lower() in ("0x", "0o", "0b"):
            return sign * int(digits, 0)
        if any(mark in digits for mark in ".eE"):
            return sign * float(digits)
        plain = digits.replace("_", "")
        return sign * int(plain, 8 if len(plain) > 1 and plain[0] == "0" else 10)
    except ValueError:
        wrong(f"{text!r} is not a number")
