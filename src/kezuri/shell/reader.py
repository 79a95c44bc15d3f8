"""Reads shell texts with tree-sitter's grammar of bash, which recovers from what it does not understand.

The grammar is the tree-sitter project's (https://github.com/tree-sitter/tree-sitter-bash). It lets a pipeline and a
redirection reach over a whole `&&` list, which the shell does not: what is read here are the commands in the order of
the text and the operators between them, from which the shell's own precedence follows. Trees are walked without
recursion: a list of ten thousand `&&` is a tree of that depth.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

from kezuri.diagnostics import Span
from kezuri.shell.offsets import Offsets
from kezuri.shell.script import Assignment, Joint, Redirect, Script, SimpleCommand, Within, Word
from kezuri.shell.words import gap, join, read_word, with_blanks

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

_OPERATORS: dict[str, Joint] = {";": ";", "\n": ";", "&&": "&&", "||": "||", "|": "|", "|&": "|&", "&": "&"}
_COMPOUND: dict[str, Within] = {
    "subshell": "subshell",
    "compound_statement": "group",
    "for_statement": "loop",
    "c_style_for_statement": "loop",
    "while_statement": "loop",
    "if_statement": "branch",
    "case_statement": "branch",
    "function_definition": "function",
    "negated_command": "negation",
}
_SUBSTITUTIONS = ("command_substitution", "process_substitution")
_REDIRECTS = ("file_redirect", "heredoc_redirect", "herestring_redirect")
_COMMANDS = ("command", "declaration_command", "unset_command", "test_command")
_EXPRESSIONS = ("binary_expression", "unary_expression", "parenthesized_expression", "ternary_expression")
_OPENING = frozenset(("!", "{", "if", "then", "elif", "else", "while", "until", "do", "time"))
_CLOSING = frozenset(("}", "fi", "done", "esac"))
_DEEPEST = 100
_GLUE = r"(?s)(?:\\.)*"


@cache
def _parser() -> "Parser":
    from tree_sitter import Language, Parser

    return Parser(Language(_grammar()))


def _grammar() -> object:
    """The grammar. Its package would load a dozen modules that read its queries, which nobody asks for: the extension
    in it is enough."""
    from importlib.machinery import PathFinder
    from importlib.util import find_spec, module_from_spec

    package = find_spec("tree_sitter_bash")
    found = package and PathFinder.find_spec("_binding", package.submodule_search_locations)
    if found and found.loader is not None:
        binding = module_from_spec(found)
        found.loader.exec_module(binding)
        return binding.language()
    from tree_sitter_bash import language

    return language()


def parse(data: bytes) -> "Tree":
    """The syntax tree of a shell text."""
    return _parser().parse(data)


def read(text: str) -> Script:
    """The commands of a shell text."""
    offsets = Offsets(text)
    tree = parse(offsets.data)
    reading = _Reading(text, offsets)
    reading.read(tree.root_node)
    return Script(text, tuple(reading.finished()), tree.root_node.has_error or reading.doubtful)


class _Open:
    """A command that is being read: its operator after it is not known yet."""

    __slots__ = ("assignments", "chain", "end", "follows", "joint", "pipeline", "redirects", "start", "within", "words")

    def __init__(self, start: int, end: int, joint: Joint, within: tuple[Within, ...]) -> None:
        self.start, self.end, self.joint, self.within = start, end, joint, within
        self.follows: Joint = ""
        self.words: list[Word] = []
        self.assignments: list[Assignment] = []
        self.redirects: list[Redirect] = []
        self.pipeline = self.chain = 0


class _Flow:
    """The commands of one surrounding, one after the other. `before` is the command that an operator in front of the
    whole surrounding joins to its first one."""

    __slots__ = ("before", "joint", "last", "within")

    def __init__(self, within: tuple[Within, ...], joint: Joint = "", before: _Open | None = None) -> None:
        self.within = within
        self.joint = joint
        self.before = before
        self.last: _Open | None = None


class _Left:
    """What is to be done when a surrounding has been read: the one around it goes on."""

    __slots__ = ("before", "inner", "outer")

    def __init__(self, outer: _Flow, inner: _Flow, before: int) -> None:
        self.outer = outer
        self.inner = inner
        self.before = before


class _Reading:
    def __init__(self, text: str, offsets: Offsets) -> None:
        self._text = text
        self._offsets = offsets
        self._commands: list[_Open] = []
        self._pipelines = 0
        self._chains = 0
        self._todo: list[tuple[Node | _Left, _Flow]] = []
        self.doubtful = False

    def finished(self) -> list[SimpleCommand]:
        """What was read."""
        return [
            SimpleCommand(
                tuple(c.words),
                tuple(c.assignments),
                tuple(c.redirects),
                Span(c.start, c.end),
                c.joint,
                c.follows,
                c.within,
                c.pipeline,
                c.chain,
            )
            for c in self._commands
        ]

    def read(self, root: "Node") -> None:
        """Read everything below the node."""
        self._todo.append((root, _Flow(())))
        while self._todo:
            node, flow = self._todo.pop()
            if isinstance(node, _Left):
                if node.inner.last is not None:
                    node.outer.last = node.inner.last
                    node.outer.last.follows = ""
                elif len(self._commands) > node.before:
                    node.outer.last = self._commands[-1]
            else:
                later: list[tuple[Node | _Left, _Flow]] = []
                self._visit(node, flow, later)
                later.reverse()
                self._todo += later

    def _visit(self, node: "Node", flow: _Flow, later: "list[tuple[Node | _Left, _Flow]]") -> None:
        kind = node.type
        if kind in _OPERATORS:
            self._operator(_OPERATORS[kind], flow)
        elif kind in _COMMANDS:
            self._command(node, flow, later)
        elif kind == "variable_assignment":
            self._open(node, flow).assignments.append(self._assigned(node))
            self._inside(node, flow.within, later)
        elif kind == "variable_assignments":
            self._open(node, flow).assignments += [
                self._assigned(child) for child in node.children if child.type == "variable_assignment"
            ]
            self._inside(node, flow.within, later)
        elif kind in _REDIRECTS:
            self._redirect(node, flow, later)
        elif kind in _SUBSTITUTIONS:
            self._inside(node, flow.within, later)
        elif kind in _COMPOUND:
            inner = self._enter(_COMPOUND[kind], flow)
            later += [(child, inner) for child in node.children]
            later.append((_Left(flow, inner, len(self._commands)), flow))
        elif kind in ("elif_clause", "else_clause"):
            later += [(child, _flow) for _flow in (_Flow(flow.within),) for child in node.children]
        elif kind == "case_item":
            self._case(node, flow, later)
        elif kind in ("list", "pipeline", "redirected_statement", "program", "ERROR", "do_group"):
            later += [(child, flow) for child in node.children]
        elif node.is_named and node.child_count:
            later += [(child, flow) for child in node.children if child.is_named]

    def _operator(self, joint: Joint, flow: _Flow) -> None:
        flow.joint = joint
        if flow.last is not None and not flow.last.follows:
            flow.last.follows = joint

    def _enter(self, within: Within, flow: _Flow) -> _Flow:
        if flow.last is None:
            joint, before = flow.joint if flow.before is not None else "", flow.before
        else:
            joint, before = flow.joint or ";", flow.last
        flow.joint = ""
        if len(flow.within) >= _DEEPEST:
            self.doubtful = True
            return _Flow(flow.within, joint, before)
        return _Flow((*flow.within, within), joint, before)

    def _case(self, node: "Node", flow: _Flow, later: "list[tuple[Node | _Left, _Flow]]") -> None:
        inner, patterns = _Flow(flow.within), True
        for child in node.children:
            if patterns:
                patterns = child.type != ")"
                self._inside(child, flow.within, later)
            else:
                later.append((child, inner))

    def _open(self, node: "Node", flow: _Flow) -> _Open:
        last = flow.last
        if last is None:
            last, joint = flow.before, (flow.joint if flow.before is not None else "")
        else:
            joint = flow.joint or ";"
            last.follows = last.follows or joint
        opened = _Open(self._offsets.at(node.start_byte), self._offsets.at(node.end_byte), joint, flow.within)
        if last is not None and joint in ("|", "|&"):
            opened.pipeline, opened.chain = last.pipeline, last.chain
        else:
            self._pipelines += 1
            opened.pipeline = self._pipelines
            if last is None or joint not in ("&&", "||"):
                self._chains += 1
                opened.chain = self._chains
            else:
                opened.chain = last.chain
        self._commands.append(opened)
        flow.last, flow.before, flow.joint = opened, None, ""
        return opened

    def _command(self, node: "Node", flow: _Flow, later: "list[tuple[Node | _Left, _Flow]]") -> None:
        opened = self._open(node, flow)
        todo = list(reversed(node.children))
        while todo:
            child = todo.pop()
            kind = child.type
            if kind == "variable_assignment":
                opened.assignments.append(self._assigned(child))
            elif kind in _REDIRECTS:
                self._redirect(child, flow, later)
                continue
            elif kind in _EXPRESSIONS and node.type == "test_command":
                todo += reversed(child.children)
                continue
            elif kind == "ERROR" and child.text is not None and child.text.decode() in _OPERATORS:
                # `cat <<E && a; b`: the grammar loses the semicolon.
                self._operator(_OPERATORS[child.text.decode()], flow)
                opened = self._open(child, flow)
                opened.start = self._offsets.at(child.end_byte)
                continue
            elif not child.is_missing:
                word = read_word(child, self._text, self._offsets)
                before = opened.words or opened.assignments
                between = self._text[before[-1].span.end : word.span.start] if before else gap(self._text, word)
                glued = bool(opened.words) and re.fullmatch(_GLUE, between) is not None
                if "\\" in between and not glued:
                    *blanks, word = with_blanks(between, word, not opened.words)
                    opened.words += blanks
                if not before:
                    opened.start = (opened.words or [word])[0].span.start
                if glued:
                    # `$"text"`, an escaped blank behind quotes, and a word that goes on in the next line.
                    opened.words[-1] = join(opened.words[-1], between, word)
                else:
                    opened.words.append(word)
                opened.end = max(opened.end, word.span.end)
            self._inside(child, flow.within, later)
        if opened.words and opened.words[0].text in _OPENING | _CLOSING | {"for", "select", "case"}:
            self._keywords(opened, flow)

    def _keywords(self, opened: _Open, flow: _Flow) -> None:
        """Behind `!` and `time` the grammar takes the words of the language for programs."""
        words = opened.words
        first = words[0].text
        self.doubtful = self.doubtful or first != "time" or (len(words) > 1 and words[1].text in _OPENING)
        while words and words[0].text in _OPENING:
            del words[: 2 if words[0].text == "time" and len(words) > 1 and words[1].text == "-p" else 1]
        if words and words[0].text in _CLOSING | {"for", "select", "case"}:
            del words[:]
        if words:
            opened.start = words[0].span.start
        elif not opened.assignments and not opened.redirects and self._commands[-1] is opened:
            self._commands.pop()
            before = self._commands[-1] if self._commands else None
            flow.last = before if before is not None and before.within == flow.within else None

    def _assigned(self, node: "Node") -> Assignment:
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        said = self._offsets.span(name) if name is not None else Span(0, 0)
        return Assignment(
            self._text[said.start : said.end],
            read_word(value, self._text, self._offsets) if value is not None else None,
            self._offsets.span(node),
        )

    def _redirect(self, node: "Node", flow: _Flow, later: "list[tuple[Node | _Left, _Flow]]") -> None:
        last = flow.last
        operator, target = "", None
        for child in node.children:
            kind = child.type
            if node.type == "heredoc_redirect" and kind in _OPERATORS:
                later.append((child, flow))
            elif kind == "file_descriptor" or not child.is_named:
                operator += self._slice(child)
            elif node.type == "heredoc_redirect":
                # `cat <<E | sort`: the grammar keeps what follows on the line inside the redirection.
                if kind in ("heredoc_start", "heredoc_body", "heredoc_end"):
                    self._inside(child, flow.within, later)
                else:
                    later.append((child, flow))
            elif target is None:
                target = read_word(child, self._text, self._offsets)
                self._inside(child, flow.within, later)
            else:
                # `> file word`: what follows the target belongs to the command.
                if last is not None:
                    last.words.append(read_word(child, self._text, self._offsets))
                self._inside(child, flow.within, later)
        if last is not None:
            last.redirects.append(Redirect(operator, target, self._offsets.span(node)))
            last.end = max(last.end, target.span.end if target is not None else last.end)

    def _inside(self, node: "Node", within: tuple[Within, ...], later: "list[tuple[Node | _Left, _Flow]]") -> None:
        """The commands of substitutions below a node, the node itself too, are to be read later."""
        todo = [node]
        while todo:
            at = todo.pop()
            if at.type not in _SUBSTITUTIONS:
                if at.child_count:
                    todo += reversed(at.children)
            elif len(within) >= _DEEPEST:
                self.doubtful = True
            else:
                inner = _Flow((*within, "substitution"))
                later += [(child, inner) for child in at.children]

    def _slice(self, node: "Node") -> str:
        span = self._offsets.span(node)
        return self._text[span.start : span.end]
