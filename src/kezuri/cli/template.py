"""`--format`: Go's text/template as docker's users know it, over values as JSON has them.

What differs from Go: fields are the keys of mappings, and a field that an image may lack prints as nothing; one that is
in no image is an error that names the nearest.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kezuri.cli.json_text import json_text
from kezuri.cli.template_functions import FUNCTIONS, LAZY, call, show, truth
from kezuri.cli.template_nodes import (
    Action,
    Branch,
    Command,
    Field,
    Function,
    Include,
    Jump,
    Literal,
    Nested,
    Nil,
    Node,
    Nodes,
    Operand,
    Parser,
    Pipe,
    Text,
    Variable,
)
from kezuri.cli.template_words import wrong
from kezuri.diagnostics import nearest

_OPTIONAL = frozenset(
    {"User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "Healthcheck"}
    | {"Shell", "OnBuild", "ArgsEscaped", "Variant", "Author", "Comment", "Parent", "DockerVersion", "Hostname"}
)
"""Fields that an image may lack: they print as nothing, as docker prints them."""
_DEEPEST = 100
_MOST_STEPS = 1_000_000
_MOST_TEXT = 64 << 20
_NONE = object()


class Template:
    """A parsed template. UsageError at construction for what cannot be read."""

    def __init__(self, text: str) -> None:
        self.text = text
        parser = Parser(text, (*FUNCTIONS, *LAZY))
        self._nodes = parser.parse()
        self._named = parser.named

    def render(self, value: Any) -> str:
        """The text for one value: a mapping or list as JSON has them. UsageError naming a field that is not there."""
        return _Rendering(self._named).text(self._nodes, value)


def as_json(value: Any) -> str:
    """One line of JSON, as the template function writes it."""
    return json_text(value)


def escapes(text: str) -> str:
    r"""`\t` and `\n` as people write them in a shell's single quotes."""
    return text.replace("\\t", "\t").replace("\\n", "\n")


class _Jumped(Exception):
    """`break` or `continue`, on its way to its loop."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class _Rendering:
    """One template being rendered: its variables, and how far it may still go."""

    def __init__(self, named: Mapping[str, Nodes]) -> None:
        self._named = named
        self._out: list[str] = []
        self._size = 0
        self._steps = 0
        self._depth = 0
        self._variables: list[tuple[str, Any]] = []

    def text(self, nodes: Nodes, value: Any) -> str:
        self._variables = [("$", value)]
        self._walk(nodes, value)
        return "".join(self._out)

    def _walk(self, nodes: Nodes, dot: Any) -> None:
        for node in nodes:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                wrong("the template takes too many steps")
            self._node(node, dot)

    def _node(self, node: Node, dot: Any) -> None:
        if isinstance(node, Text):
            self._write(node.text)
        elif isinstance(node, Action):
            value = self._pipe(node.pipe, dot)
            if not node.pipe.declared:
                self._write(show(value))
        elif isinstance(node, Branch):
            mark = len(self._variables)
            self._branch(node, dot)
            del self._variables[mark:]
        elif isinstance(node, Jump):
            raise _Jumped(node.kind)
        else:
            self._include(node, dot)

    def _write(self, text: str) -> None:
        self._size += len(text)
        if self._size > _MOST_TEXT:
            wrong("the template prints too much")
        self._out.append(text)

    def _branch(self, node: Branch, dot: Any) -> None:
        value = self._pipe(node.pipe, dot, loop=node.kind == "range")
        if node.kind == "range":
            self._range(node, value, dot)
        elif truth(value):
            self._walk(node.body, value if node.kind == "with" else dot)
        else:
            self._walk(node.otherwise, dot)

    def _range(self, node: Branch, value: Any, dot: Any) -> None:
        some = False
        names, fresh = node.pipe.declared, node.pipe.fresh
        for key, item in _items(value):
            some = True
            mark = len(self._variables)
            if len(names) == 2:
                self._set(names[0], key, fresh)
            if names:
                self._set(names[-1], item, fresh)
            try:
                self._walk(node.body, item)
            except _Jumped as jump:
                if jump.kind == "break":
                    del self._variables[mark:]
                    break
            del self._variables[mark:]
        if not some:
            self._walk(node.otherwise, dot)

    def _include(self, node: Include, dot: Any) -> None:
        nodes = self._named.get(node.name)
        if nodes is None:
            wrong(f"there is no template {node.name!r}")
        self._depth += 1
        if self._depth > _DEEPEST:
            wrong(f"templates call each other more than {_DEEPEST} times")
        value = self._pipe(node.pipe, dot) if node.pipe is not None else None
        kept, self._variables = self._variables, [("$", value)]
        self._walk(nodes, value)
        self._variables = kept
        self._depth -= 1

    def _set(self, name: str, value: Any, fresh: bool) -> None:
        if fresh:
            self._variables.append((name, value))
            return
        for at in range(len(self._variables) - 1, -1, -1):
            if self._variables[at][0] == name:
                self._variables[at] = (name, value)
                return

    def _pipe(self, pipe: Pipe, dot: Any, *, loop: bool = False) -> Any:
        value: Any = _NONE
        for command in pipe.commands:
            value = self._command(command, dot, value, pipe.text)
        if not loop:
            for name in pipe.declared:
                self._set(name, value, pipe.fresh)
        return value

    def _command(self, command: Command, dot: Any, final: Any, text: str) -> Any:
        first, *rest = command
        if isinstance(first, Function):
            if first.name in LAZY:
                return self._lazy(first.name, rest, dot, final)
            arguments = [self._operand(operand, dot) for operand in rest]
            return call(first.name, arguments if final is _NONE else [*arguments, final])
        if rest or final is not _NONE:
            wrong(f"{{{{{text}}}}} gives an argument to what is no function")
        return self._operand(first, dot)

    def _lazy(self, name: str, operands: Sequence[Operand], dot: Any, final: Any) -> Any:
        """`and` gives the first that is false, `or` the first that is true, else the last."""
        value: Any = _NONE
        for operand in operands:
            value = self._operand(operand, dot)
            if truth(value) is (name == "or"):
                return value
        if final is not _NONE:
            value = final
        if value is _NONE:
            wrong(f"{name} needs a value")
        return value

    def _operand(self, operand: Operand, dot: Any) -> Any:
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Nil):
            return None
        if isinstance(operand, Field):
            return _field(dot, operand.names)
        if isinstance(operand, Function):
            if operand.name in LAZY:
                wrong(f"{operand.name} needs a value")
            return call(operand.name, [])
        if isinstance(operand, Variable):
            value = next(value for name, value in reversed(self._variables) if name == operand.name)
            return _field(value, operand.names)
        assert isinstance(operand, Nested)
        return _field(self._pipe(operand.pipe, dot), operand.names)


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    """What a range goes through: keys and elements."""
    if isinstance(value, Mapping):
        yield from sorted(value.items())
    elif isinstance(value, list | tuple):
        yield from enumerate(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        for number in range(value):
            yield number, number
    elif value is not None and value != "":
        wrong(f"range cannot go through {show(value)[:60]!r}")


def _field(value: Any, path: Sequence[str]) -> Any:
    for depth, name in enumerate(path):
        if isinstance(value, Mapping):
            if name in value:
                value = value[name]
            elif depth and (path[depth - 1] in ("Labels", "Annotations")):
                value = ""
            elif name in _OPTIONAL:
                return ""
            else:
                guess = nearest(name, map(str, value)) or next((k for k in value if k.lower() == name.lower()), None)
                known = ", ".join(f".{k}" for k in list(value)[:20])
                where = ".".join(("", *path[:depth])) or "."
                wrong(
                    f"{where} has no field {name!r}",
                    f"did you mean .{guess}?" if guess else f"it has {known}" if known else "it is empty",
                )
        elif value is None or value == "":
            return ""
        else:
            wrong(
                f".{'.'.join(path[:depth])} is no object: it has no field {name!r}",
                "use index or range for the elements of a list",
            )
    return value
