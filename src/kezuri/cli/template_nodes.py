"""The text of a Go template as a tree: what text/template reads, with its errors."""

import re
from collections.abc import Collection
from typing import Any, NamedTuple, NoReturn

from kezuri.cli.options import UsageError
from kezuri.diagnostics import nearest


class Literal(NamedTuple):
    """A constant."""

    value: Any


class Nil(NamedTuple):
    """`nil`."""


class Field(NamedTuple):
    """`.A.B`; no names for the dot itself."""

    names: tuple[str, ...]


class Variable(NamedTuple):
    """`$x.A.B`."""

    name: str
    names: tuple[str, ...]


class Function(NamedTuple):
    """A function's name."""

    name: str


class Nested(NamedTuple):
    """`(pipeline).A.B`."""

    pipe: "Pipe"
    names: tuple[str, ...]


Operand = Literal | Nil | Field | Variable | Function | Nested
Command = tuple[Operand, ...]


class Pipe(NamedTuple):
    """Commands, each of which is given the last one's value as its last argument. `declared` are the variables that
    get the result; `fresh` says that they are new ones."""

    commands: tuple[Command, ...]
    declared: tuple[str, ...] = ()
    fresh: bool = True
    text: str = ""


class Text(NamedTuple):
    """Text as it stands."""

    text: str


class Action(NamedTuple):
    """A pipeline whose value is printed, unless a variable gets it."""

    pipe: Pipe


class Branch(NamedTuple):
    """`if`, `with` or `range`."""

    kind: str
    pipe: Pipe
    body: "Nodes"
    otherwise: "Nodes"


class Jump(NamedTuple):
    """`break` or `continue`."""

    kind: str


class Include(NamedTuple):
    """`template` and `block`: another template, with its dot."""

    name: str
    pipe: Pipe | None


Node = Text | Action | Branch | Jump | Include
Nodes = tuple[Node, ...]

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
_KEYWORDS = frozenset("if else end range with define block template break continue".split())  # noqa: SIM905
_SHORT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_DEEPEST = 100


class _Token(NamedTuple):
    kind: str
    text: str


def wrong(message: str, hint: str = "") -> NoReturn:
    """A template that cannot be read or rendered."""
    raise UsageError.because(f"--format: {message}", hint)


class Parser:
    """Reads one template; `named` are the templates that it defines."""

    def __init__(self, text: str, functions: Collection[str]) -> None:
        self._functions = functions
        self._pieces = _pieces(text)
        self._at = 0
        self._known = ["$"]
        self._loops = 0
        self._depth = 0
        self.named: dict[str, Nodes] = {}

    def parse(self) -> Nodes:
        """The whole template."""
        nodes, end = self._nodes(())
        assert not end
        return nodes

    def _nodes(self, ends: Collection[str]) -> tuple[Nodes, "_Reader | None"]:
        """Up to an action that begins with one of the words, which is given back."""
        self._depth += 1
        if self._depth > _DEEPEST:
            wrong(f"templates are nested more than {_DEEPEST} deep")
        out: list[Node] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            if isinstance(piece, str):
                if piece:
                    out.append(Text(piece))
                continue
            reader = _Reader(*piece)
            word = reader.keyword()
            if word in ends:
                self._depth -= 1
                return tuple(out), reader
            node = self._node(word, reader)
            if node is not None:
                out.append(node)
        if ends:
            wrong("{{end}} is missing", "every {{if}}, {{range}} and {{with}} needs one")
        self._depth -= 1
        return tuple(out), None

    def _node(self, word: str, reader: "_Reader") -> Node | None:
        if word in ("if", "with", "range"):
            return self._branch(word, reader)
        if word in ("end", "else"):
            wrong(f"unexpected {{{{{word}}}}}")
        if word in ("break", "continue"):
            reader.finish()
            if not self._loops:
                wrong(f"{{{{{word}}}}} outside {{{{range}}}}")
            return Jump(word)
        if word in ("define", "block"):
            name = reader.name()
            pipe = None
            if word == "block":
                pipe = self._pipe(reader)
            reader.finish()
            known, self._known = self._known, ["$"]
            loops, self._loops = self._loops, 0
            nodes, end = self._nodes(("end",))
            self._known, self._loops = known, loops
            assert end is not None
            end.finish()
            self.named[name] = nodes
            return Include(name, pipe) if word == "block" else None
        if word == "template":
            name = reader.name()
            pipe = None if reader.done() else self._pipe(reader)
            reader.finish()
            return Include(name, pipe)
        pipe = self._pipe(reader)
        reader.finish()
        return Action(pipe)

    def _branch(self, word: str, reader: "_Reader") -> Branch:
        mark = len(self._known)
        pipe = self._pipe(reader, loop=word == "range")
        reader.finish()
        self._loops += word == "range"
        body, end = self._nodes(("end", "else"))
        self._loops -= word == "range"
        assert end is not None
        otherwise: Nodes = ()
        if end.word == "else":
            follow = end.keyword(("if", "with"))
            if follow and (follow == word or (follow == "if" and word == "if")):
                otherwise = (self._branch(follow, end),)
                del self._known[mark:]
                return Branch(word, pipe, body, otherwise)
            end.finish()
            otherwise, end = self._nodes(("end",))
            assert end is not None
        end.finish()
        del self._known[mark:]
        return Branch(word, pipe, body, otherwise)

    def _pipe(self, reader: "_Reader", *, nested: bool = False, loop: bool = False) -> Pipe:
        self._depth += 1
        if self._depth > _DEEPEST:
            wrong(f"parentheses are nested more than {_DEEPEST} deep")
        declared, fresh = ((), True) if nested else reader.declaration(loop)
        if not fresh:
            for name in declared:
                self._check(name)
        commands: list[Command] = []
        while True:
            operands = self._command(reader, nested)
            if not operands:
                wrong(f"a value is missing in {{{{{reader.source}}}}}")
            if commands and not isinstance(operands[0], (Function, Field, Variable, Nested)):
                wrong(f"{{{{{reader.source}}}}} passes a value on to what is no function")
            commands.append(operands)
            if not reader.take("|"):
                break
        if fresh:
            self._known += declared
        self._depth -= 1
        return Pipe(tuple(commands), declared, fresh, reader.source)

    def _command(self, reader: "_Reader", nested: bool) -> Command:
        operands: list[Operand] = []
        while True:
            reader.skip()
            if reader.done() or reader.sees("|") or (nested and reader.sees(")")):
                break
            if operands and not reader.spaced:
                wrong(f"a blank is missing before {reader.rest()!r} in {{{{{reader.source}}}}}")
            operands.append(self._operand(reader, first=not operands))
        if len(operands) == 1 and isinstance(operands[0], Nil):
            wrong("nil is not a command")
        return tuple(operands)

    def _operand(self, reader: "_Reader", *, first: bool) -> Operand:
        kind, text = reader.next()
        if kind == "string":
            return Literal(_unquoted(text))
        if kind == "raw":
            return Literal(text[1:-1])
        if kind == "char":
            return Literal(ord(_unquoted(text)))
        if kind == "number":
            return Literal(_number(text))
        if kind == "field":
            return Field((text[1:], *reader.fields()))
        if kind == "variable":
            self._check(text)
            return Variable(text, reader.fields())
        if text == ".":
            if reader.touches_field():
                wrong(f"unexpected . in {{{{{reader.source}}}}}")
            return Field(())
        if text == "(":
            pipe = self._pipe(reader, nested=True)
            if not reader.take(")"):
                wrong(f"a ( is not closed in {{{{{reader.source}}}}}")
            return Nested(pipe, reader.fields())
        if kind == "word":
            return self._word(text, reader, first)
        wrong(f"unexpected {text!r} in {{{{{reader.source}}}}}")

    def _word(self, text: str, reader: "_Reader", first: bool) -> Operand:
        if text in ("true", "false"):
            return Literal(text == "true")
        if text == "nil":
            return Nil()
        if text in _KEYWORDS:
            wrong(f"unexpected {text} in {{{{{reader.source}}}}}")
        if text not in self._functions:
            guess = nearest(text, self._functions)
            known = ", ".join(sorted(self._functions))
            hint = f"did you mean {guess}?" if guess else f"write .{text} for a field; functions: {known}"
            wrong(f"unknown {'function' if first else 'value'} {text!r} in {{{{{reader.source}}}}}", hint)
        return Function(text)

    def _check(self, name: str) -> None:
        if name not in self._known:
            wrong(f"there is no variable {name}", "write {{" + name + " := …}} before it")


class _Reader:
    """The tokens of one action. `spaced` says whether blanks stood before the next one; `word` is its keyword."""

    def __init__(self, source: str) -> None:
        self.source = source.strip()
        self.word = ""
        self.spaced = True
        self._tokens: list[_Token] = []
        self._at = 0
        at = 0
        while at < len(source):
            found = _TOKEN.match(source, at)
            if found is None:
                wrong(f"unexpected {source[at : at + 10].rstrip()!r} in {{{{{self.source}}}}}")
            assert found.lastgroup is not None
            self._tokens.append(_Token(found.lastgroup, found.group()))
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

    def next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        self.spaced = False
        return token

    def rest(self) -> str:
        return "".join(token.text for token in self._tokens[self._at :])

    def keyword(self, words: Collection[str] = _KEYWORDS) -> str:
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
        return text[1:-1] if kind == "raw" else _unquoted(text)

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


def _pieces(text: str) -> list[str | tuple[str]]:
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


def _unquoted(text: str) -> str:
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


def _number(text: str) -> int | float:
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
