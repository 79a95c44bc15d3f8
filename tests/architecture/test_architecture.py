"""The house keeps its floors: an import goes to a strictly lower floor, or stays in its room."""

import ast
import os
import re
from functools import cache
from typing import NamedTuple

from tests.suites.suites_folded import folded

ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "src", "kezuri")

PAGE = os.path.join(ROOT, "..", "..", "docs", "architecture.md")


def floors() -> dict[str, float]:
    """The floor of every room, from the table of the page: there is one list of them."""
    with open(PAGE, encoding="utf-8") as file:
        rows = re.findall(r"^\| ([0-9½]+) \| `(\w+)` \| \S", file.read(), re.MULTILINE)
    return {room: float(floor.replace("½", "") or 0) + (0.5 if floor.endswith("½") else 0) for floor, room in rows}


FLOORS = floors()


def files() -> list[str]:
    found = []
    for base, _, names in os.walk(ROOT):
        found += [os.path.relpath(os.path.join(base, n), ROOT) for n in names if n.endswith(".py")]
    return sorted(found)


def room(path: str) -> str:
    return path.split(os.sep)[0] if os.sep in path else ""


class Facts(NamedTuple):
    """What is asked about a file: its sentence on top, every import, those that happen with its own, and its calls of
    plain names."""

    sentence: str
    imports: tuple[ast.Import | ast.ImportFrom, ...]
    at_once: tuple[ast.Import | ast.ImportFrom, ...]
    calls: tuple[tuple[str, int], ...]


@cache
def facts(path: str) -> Facts:
    """Read once for all tests: there are a hundred thousand lines."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    found, calls = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            calls.append((node.func.id, node.lineno))
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            calls.append((f"{node.func.value.id}.{node.func.attr}", node.lineno))
    at_once = tuple(node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    return Facts(ast.get_docstring(tree) or "", tuple(found), at_once, tuple(calls))


def imports(path: str) -> list[tuple[str, int]]:
    """Every kezuri module that the file imports, lazily or not, with the line."""
    found = []
    for node in facts(path).imports:
        if isinstance(node, ast.Import):
            found += [(a.name, node.lineno) for a in node.names]
        else:
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            found.append((node.module or "", node.lineno))
    return [(name, line) for name, line in found if name == "kezuri" or name.startswith("kezuri.")]


each = folded(files(), str)


def test_every_room_has_a_floor() -> None:
    rooms = {room(path) for path in files()} - {""}
    assert rooms == set(FLOORS)


@each
def test_imports_go_down(path: str) -> None:
    own = room(path)
    if not own:
        return
    for name, line in imports(path):
        parts = name.split(".")
        if len(parts) < 2 or parts[1] == own or parts[1] == "__version__":
            continue
        other = parts[1]
        # The values that a user's request is made of may be named by the command line: app is one floor below cli.
        assert FLOORS[other] < FLOORS[own], f"{path}:{line}: {own} must not import {other}"


@each
def test_every_file_says_what_it_is(path: str) -> None:
    assert facts(path).sentence, f"{path} has no sentence on top"


@folded([p for p in files() if room(p) not in ("cli", "")], str)
def test_only_cli_prints_or_exits(path: str) -> None:
    for name, line in facts(path).calls:
        assert name not in ("print", "sys.exit", "exit", "quit"), f"{path}:{line}: {name}"


@each
def test_costly_modules_are_imported_lazily(path: str) -> None:
    """Start-up is a feature: what costs more than a few milliseconds is imported where it is used, or not at all."""
    never = {"dataclasses", "asyncio", "logging", "pathlib", "argparse", "click"}
    lazily = {"subprocess", "ssl", "tarfile", "zstandard", "isal", "shutil", "tempfile", "http", "ctypes"}
    # Classes that stand on those: imported in functions only.
    aside = {"registry/tls.py": "kezuri.registry.tls"}
    for node in facts(path).imports:
        assert not never & tops(node), f"{path}:{node.lineno}: {tops(node)}"
    for statement in facts(path).at_once:
        names = tops(statement)
        if path not in aside:
            assert not lazily & set(names), f"{path}:{statement.lineno}: {names} is imported when the module is"
        module = statement.module if isinstance(statement, ast.ImportFrom) else ""
        assert module not in aside.values(), f"{path}:{statement.lineno}: {module} is imported when the module is"


def tops(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The first names of what is imported."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {name.split(".")[0] for name in names}


def module(path: str) -> str:
    """What an import calls the file, without `kezuri.`."""
    return path.removesuffix(".py").removesuffix("__init__").rstrip(os.sep).replace(os.sep, ".")


def imported_modules(path: str, modules: set[str]) -> set[str]:
    """The modules that the file imports, lazily and for types too, itself left out. The packages around a module that
    is imported do not count: nobody named them."""
    names = set()
    for node in facts(path).imports:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name.removeprefix("kezuri.") in modules else node.module or "" for name in inner}
    return ({name.removeprefix("kezuri.") for name in names if name.startswith("kezuri.")} & modules) - {module(path)}


def circles(graph: dict[str, set[str]]) -> set[tuple[str, ...]]:
    """The sets of nodes that reach each other, of two nodes and more."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        todo = [start]
        while todo:
            new = graph[todo.pop()] - found
            found |= new
            todo += new
        return found

    reach = {node: reached(node) for node in graph}
    groups = {tuple(sorted(other for other in reach[node] if node in reach[other])) for node in graph}
    return {group for group in groups if len(group) > 1}


def test_no_circles_inside_a_room() -> None:
    modules = {module(path) for path in files()}
    imports_of = {module(path): imported_modules(path, modules) for path in files()}
    graph = {
        name: {other for other in others if other.split(".")[0] == name.split(".")[0]}
        for name, others in imports_of.items()
    }
    found = circles(graph)
    assert found == set(), "modules of a room import each other"


def test_circles_are_seen() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": set(), "f": {"g"}, "g": {"f"}}
    assert circles(graph) == {("a", "b", "c"), ("f", "g")}
