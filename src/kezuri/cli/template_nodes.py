"""The text of a Go template as a tree: what text/template reads, with its errors."""

from collections.abc import Collection
from typing import Any, NamedTuple

from kezuri.cli.template_words import KEYWORDS, Words, number, pieces, unquoted, wrong
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

_DEEPEST = 100


class Parser:
    """Reads one template; `named` are the templates that it defines."""

    def __init__(self, text: str, functions: Collection[str]) -> None:
        self._functions = functions
        self._pieces = pieces(text)
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

    def _nodes(self, ends: Collection[str]) -> tuple[Nodes, Words | None]:
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
            words = Words(*piece)
            word = words.keyword()
            if word in ends:
                self._depth -= 1
                return tuple(out), words
            node = self._node(word, words)
            if node is not None:
                out.append(node)
        if ends:
            wrong("{{end}} is missing", "every {{if}}, {{range}} and {{with}} needs one")
        self._depth -= 1
        return tuple(out), None

    def _node(self, word: str, words: Words) -> Node | None:
        if word in ("if", "with", "range"):
            return self._branch(word, words)
        if word in ("end", "else"):
            wrong(f"unexpected {{{{{word}}}}}")
        if word in ("break", "continue"):
            words.finish()
            if not self._loops:
                wrong(f"{{{{{word}}}}} outside {{{{range}}}}")
            return Jump(word)
        if word in ("define", "block"):
            name = words.name()
            pipe = None
            if word == "block":
                pipe = self._pipe(words)
            words.finish()
            known, self._known = self._known, ["$"]
            loops, self._loops = self._loops, 0
            nodes, end = self._nodes(("end",))
            self._known, self._loops = known, loops
            assert end is not None
            end.finish()
            self.named[name] = nodes
            return Include(name, pipe) if word == "block" else None
        if word == "template":
            name = words.name()
            pipe = None if words.done() else self._pipe(words)
            words.finish()
            return Include(name, pipe)
        pipe = self._pipe(words)
        words.finish()
        return Action(pipe)

    def _branch(self, word: str, words: Words) -> Branch:
        mark = len(self._known)
        pipe = self._pipe(words, loop=word == "range")
        words.finish()
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

    def _pipe(self, words: Words, *, nested: bool = False, loop: bool = False) -> Pipe:
        self._depth += 1
        if self._depth > _DEEPEST:
            wrong(f"parentheses are nested more than {_DEEPEST} deep")
        declared, fresh = ((), True) if nested else words.declaration(loop)
        if not fresh:
            for name in declared:
                self._check(name)
        commands: list[Command] = []
        while True:
            operands = self._command(words, nested)
            if not operands:
                wrong(f"a value is missing in {{{{{words.source}}}}}")
            if commands and not isinstance(operands[0], (Function, Field, Variable, Nested)):
                wrong(f"{{{{{words.source}}}}} passes a value on to what is no function")
            commands.append(operands)
            if not words.take("|"):
                break
        if fresh:
            self._known += declared
        self._depth -= 1
        return Pipe(tuple(commands), declared, fresh, words.source)

    def _command(self, words: Words, nested: bool) -> Command:
        operands: list[Operand] = []
        while True:
            words.skip()
            if words.done() or words.sees("|") or (nested and words.sees(")")):
                break
            if operands and not words.spaced:
                wrong(f"a blank is missing before {words.rest()!r} in {{{{{words.source}}}}}")
            operands.append(self._operand(words, first=not operands))
        if len(operands) == 1 and isinstance(operands[0], Nil):
            wrong("nil is not a command")
        return tuple(operands)

    def _operand(self, words: Words, *, first: bool) -> Operand:
        kind, text = words.next()
        if kind == "string":
            return Literal(unquoted(text))
        if kind == "raw":
            return Literal(text[1:-1])
        if kind == "char":
            return Literal(ord(unquoted(text)))
        if kind == "number":
            return Literal(number(text))
        if kind == "field":
            return Field((text[1:], *words.fields()))
        if kind == "variable":
            self._check(text)
            return Variable(text, words.fields())
        if text == ".":
            if words.touches_field():
                wrong(f"unexpected . in {{{{{words.source}}}}}")
            return Field(())
        if text == "(":
            pipe = self._pipe(words, nested=True)
            if not words.take(")"):
                wrong(f"a ( is not closed in {{{{{words.source}}}}}")
            return Nested(pipe, words.fields())
        if kind != "word":
            wrong(f"unexpected {text!r} in {{{{{words.source}}}}}")
        return self._word(text, words, first)

    def _word(self, text: str, words: Words, first: bool) -> Operand:
        if text in ("true", "false"):
            return Literal(text == "true")
        if text == "nil":
            return Nil()
        if text in KEYWORDS:
            wrong(f"unexpected {text} in {{{{{words.source}}}}}")
        if text not in self._functions:
            guess = nearest(text, self._functions)
            known = ", ".join(sorted(self._functions))
            hint = f"did you mean {guess}?" if guess else f"write .{text} for a field; functions: {known}"
            wrong(f"unknown {'function' if first else 'value'} {text!r} in {{{{{words.source}}}}}", hint)
        return Function(text)

    def _check(self, name: str) -> None:
        if name not in self._known:
            wrong(f"there is no variable {name}", "write {{" + name + " := …}} before it")
