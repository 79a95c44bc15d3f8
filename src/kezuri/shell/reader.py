"""Reads shell texts with tree-sitter's grammar of bash, which recovers from what it does not understand.

The grammar is the tree-sitter project's (https://github.com/tree-sitter/tree-sitter-bash). It lets a pipeline and a
redirection reach over a whole `&&` list, which the shell does not: what is read here are the commands in the order of
the text and the operators between them, from which the shell's own precedence follows.
"""

from functools import cache
from typing import TYPE_CHECKING

from kezuri.diagnostics import Span
from kezuri.shell.script import Assignment, Joint, Redirect, Script, SimpleCommand, Within, Word

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

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
    "command_substitution": "substitution",
    "process_substitution": "substitution",
}
_EXPANDED = frozenset(
    (
        "simple_expansion",
        "expansion",
        "command_substitution",
        "process_substitution",
        "arithmetic_expansion",
        "brace_expression",
    )
)
_DEEPEST = 200


@cache
def _parser() -> "Parser":
    from tree_sitter import Language, Parser
    from tree_sitter_bash import language

    return Parser(Language(language()))


def read(text: str) -> Script:
    """The commands of a shell text."""
    data = text.encode("utf-8", "surrogatepass")
    tree = _parser().parse(data)
    reading = _Reading(text, data)
    reading.sequence(tree.root_node, ())
    return Script(text, tuple(reading.finished()), tree.root_node.has_error)


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
    """The commands of one surrounding, one after the other."""

    __slots__ = ("joint", "last")

    def __init__(self) -> None:
        self.joint: Joint = ""
        self.last: _Open | None = None


class _Reading:
    def __init__(self, text: str, data: bytes) -> None:
        self._text = text
        self._ascii = len(text) == len(data)
        self._data = data
        self._commands: list[_Open] = []
        self._pipelines = 0
        self._chains = 0

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

    def _at(self, offset: int) -> int:
        return offset if self._ascii else len(self._data[:offset].decode("utf-8", "surrogatepass"))

    def _span(self, node: "Node") -> Span:
        return Span(self._at(node.start_byte), self._at(node.end_byte))

    def sequence(self, node: "Node", within: tuple[Within, ...], flow: _Flow | None = None) -> None:
        """The commands below a node, as one flow or as a part of one."""
        flow = flow or _Flow()
        if len(within) > _DEEPEST:
            return
        for child in node.children:
            self._visit(child, within, flow)

    def _visit(self, node: "Node", within: tuple[Within, ...], flow: _Flow) -> None:
        kind = node.type
        if kind in _OPERATORS:
            flow.joint = _OPERATORS[kind]
            if flow.last is not None and not flow.last.follows:
                flow.last.follows = flow.joint
        elif kind in ("command", "declaration_command", "unset_command", "test_command"):
            self._command(node, within, flow)
        elif kind == "variable_assignment":
            self._assignment_alone(node, within, flow)
        elif kind == "variable_assignments":
            for child in node.children:
                self._visit(child, within, flow)
        elif kind in ("list", "pipeline", "redirected_statement", "program", "ERROR", "do_group", "case_item"):
            self.sequence(node, within, flow)
        elif kind == "negated_command":
            self.sequence(node, (*within, "negation"), flow)
        elif kind in ("file_redirect", "heredoc_redirect", "herestring_redirect"):
            self._redirect(node, within, flow)
        elif kind in _COMPOUND:
            joint, flow.joint = flow.joint, ""
            inner = _Flow()
            inner.joint = joint if kind not in ("command_substitution", "process_substitution") else ""
            self.sequence(node, (*within, _COMPOUND[kind]), inner)
            flow.last = inner.last
            if flow.last is not None:
                flow.last.follows = ""
        elif kind in ("elif_clause", "else_clause"):
            self.sequence(node, within, _Flow())
        elif node.is_named and node.child_count:
            for child in node.children:
                if child.is_named:
                    self._visit(child, within, flow)

    def _open(self, node: "Node", within: tuple[Within, ...], flow: _Flow) -> _Open:
        opened = _Open(self._at(node.start_byte), self._at(node.end_byte), flow.joint, within)
        last = flow.last
        if last is not None and flow.joint in ("|", "|&"):
            opened.pipeline, opened.chain = last.pipeline, last.chain
        elif last is not None and flow.joint in ("&&", "||"):
            self._pipelines += 1
            opened.pipeline, opened.chain = self._pipelines, last.chain
        else:
            self._pipelines += 1
            self._chains += 1
            opened.pipeline, opened.chain = self._pipelines, self._chains
        self._commands.append(opened)
        flow.last, flow.joint = opened, ""
        return opened

    def _command(self, node: "Node", within: tuple[Within, ...], flow: _Flow) -> None:
        opened = self._open(node, within, flow)
        for child in node.children:
            kind = child.type
            if kind == "command_name":
                opened.words.append(self._word(child))
            elif kind == "variable_assignment":
                opened.assignments.append(self._assigned(child))
            elif kind in ("file_redirect", "heredoc_redirect", "herestring_redirect"):
                self._redirect(child, within, flow)
                continue
            elif not child.is_missing:
                opened.words.append(self._word(child))
            self._inside(child, within)

    def _assignment_alone(self, node: "Node", within: tuple[Within, ...], flow: _Flow) -> None:
        last = flow.last
        if last is not None and not last.words and not flow.joint:
            last.assignments.append(self._assigned(node))
            last.end = self._at(node.end_byte)
        else:
            self._open(node, within, flow).assignments.append(self._assigned(node))
        self._inside(node, within)

    def _assigned(self, node: "Node") -> Assignment:
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        said = self._span(name) if name is not None else Span(0, 0)
        return Assignment(
            self._text[said.start : said.end], self._word(value) if value is not None else None, self._span(node)
        )

    def _redirect(self, node: "Node", within: tuple[Within, ...], flow: _Flow) -> None:
        last = flow.last
        operator, target = "", None
        for child in node.children:
            if child.type in ("file_descriptor",) or not child.is_named:
                operator += child.type if not child.is_named else self._slice(child)
            elif node.type != "heredoc_redirect" and target is None:
                target = self._word(child)
            elif child.type in ("file_redirect", "pipeline", "list", "command") or child.type in _OPERATORS:
                # `cat <<E | sort`: the grammar keeps what follows on the line inside the redirection.
                self._visit(child, within, flow)
            elif node.type == "file_redirect" and last is not None:
                # `> file word`: what follows the target belongs to the command.
                last.words.append(self._word(child))
            self._inside(child, within)
        if last is not None:
            span = self._span(node)
            last.redirects.append(Redirect(operator, target, span))
            last.end = max(last.end, target.span.end if target is not None else last.end)

    def _inside(self, node: "Node", within: tuple[Within, ...]) -> None:
        """The commands of substitutions below a node."""
        if len(within) > _DEEPEST:
            return
        todo = [node]
        while todo:
            at = todo.pop()
            if at.type in ("command_substitution", "process_substitution"):
                self.sequence(at, (*within, "substitution"))
            else:
                todo += reversed(at.children)

    def _slice(self, node: "Node") -> str:
        span = self._span(node)
        return self._text[span.start : span.end]

    def _word(self, node: "Node") -> Word:
        parts: list[str] = []
        state = [True, False]  # nothing is expanded; something is quoted
        self._loosen(node, parts, state)
        loose = "".join(parts)
        return Word(self._slice(node), self._span(node), loose, loose if state[0] else None, state[1])

    def _loosen(self, node: "Node", parts: list[str], state: list[bool]) -> None:
        kind = node.type
        if kind in _EXPANDED:
            state[0] = False
            parts.append(self._slice(node))
        elif kind == "raw_string":
            state[1] = True
            parts.append(self._slice(node)[1:-1])
        elif kind == "ansi_c_string":
            state[1] = True
            parts.append(self._slice(node)[2:-1])
        elif kind in ("string", "translated_string"):
            state[1] = True
            self._string(node, parts, state)
        elif kind in ("concatenation", "command_name"):
            at = node.start_byte
            for child in node.children:
                if child.start_byte > at:
                    parts.append(_unescaped(self._bytes(at, child.start_byte)))
                self._loosen(child, parts, state)
                at = child.end_byte
            if node.child_count == 0:
                parts.append(_unescaped(self._slice(node)))
        else:
            text = self._slice(node)
            if any(sign in text for sign in "*?["):
                state[0] = state[0] and "\\" in text
            parts.append(_unescaped(text))

    def _string(self, node: "Node", parts: list[str], state: list[bool]) -> None:
        at = node.start_byte + (2 if node.type == "translated_string" else 1)
        for child in node.children:
            if child.type in _EXPANDED:
                parts.append(_unescaped_in_quotes(self._bytes(at, child.start_byte)))
                state[0] = False
                parts.append(self._slice(child))
                at = child.end_byte
        parts.append(_unescaped_in_quotes(self._bytes(at, node.end_byte - 1)))

    def _bytes(self, start: int, end: int) -> str:
        return self._data[start:end].decode("utf-8", "surrogatepass")


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    parts, at = [], 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            if text[at + 1] != "\n":
                parts.append(text[at + 1])
            at += 2
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts)


def _unescaped_in_quotes(text: str) -> str:
    if "\\" not in text:
        return text
    parts, at = [], 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in '$`"\\\n':
            if text[at + 1] != "\n":
                parts.append(text[at + 1])
            at += 2
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts)
