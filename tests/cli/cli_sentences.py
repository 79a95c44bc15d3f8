"""Every sentence that kezuri's source has for its users, found in the syntax trees: what a catalogue must translate,
and what gives advice that must be true.

`python -m tests.cli.cli_sentences ja` prints those that a catalogue lacks as JSON, and those that it has in vain.
"""

import ast
import gc
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import kezuri
from kezuri.cli.language import catalogue

_SOURCE = Path(kezuri.__file__).parent
_SPEAKING = {"of", "because", "Diagnostic", "Warned", "warn", "_warn", "error", "warning", "note", "hinted"}
_SPEAKING |= {"Finding", "found", "words", "Fix"}
"""Functions and classes whose texts are read by users."""
_KEYWORDS = {"hint", "remedy", "message", "summary", "description", "refused", "advice"}
_NAMED = ("message", "hint")
"""Variables that hold what users read."""
_MOST_FORMS = 8
_ELSEWHERE = (
    "bases/",
    "check/rules/",
    "cli/",
    "comparison/",
    "explain/",
    "forecast/",
    "linux/syscalls",
    "proof/",
    "report/",
    "upkeep/",
)
"""Rooms whose other texts are data, pages and tables: of these only the texts of speaking calls are looked at."""
_NO_SENTENCES = Path(__file__).with_name("cli_no_sentences.txt")
"""Texts of three words or more that no user reads as a sentence of ours, one in a line as JSON: what programs print,
names of things that become part of a sentence, data."""
_CODE = re.compile(r"^(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|PRAGMA) |^\n|^\w[\w.]*\[|\| None$")
"""SQL, tables of words, types."""
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]+")


@cache
def sentences() -> Mapping[str, str]:
    """Each sentence, with `{}` for its gaps, and the first place that says it."""
    found: dict[str, str] = {}
    silent = {json.loads(line) for line in _NO_SENTENCES.read_text().splitlines()}
    for place, said, literals in _files():
        for line, way, form in said:
            if way == "part":
                found.setdefault(f"part:{form}", f"{place}:{line}")
            elif _speaks(form) and (way == "call" or form not in silent):
                found.setdefault(form, f"{place}:{line}")
        if not place.startswith(_ELSEWHERE):
            for line, form in literals:
                if _speaks(form, 3) and form not in silent and not _CODE.search(form):
                    found.setdefault(form, f"{place}:{line}")
    return found


class _File(NamedTuple):
    """A module: what its calls and assignments say, each with its line and in which way (`part` of a sentence, `call`
    or `named`), and what its texts can say with their lines."""

    place: str
    said: tuple[tuple[int, str, str], ...]
    literals: tuple[tuple[int, str], ...]


@cache
def _files() -> tuple[_File, ...]:
    """Every module: read once for all that ask, since there are a hundred thousand lines. The syntax trees are not
    kept, and not looked through for garbage while they grow, which took longer than all the rest."""
    found = []
    collects = gc.isenabled()
    gc.disable()
    try:
        for path in sorted(_SOURCE.rglob("*.py")):
            nodes = list(ast.walk(ast.parse(path.read_text())))
            said = tuple(each for node in nodes for each in _said(node))
            literals = tuple((text.lineno, form) for text in _literals(nodes) for form in _forms(text))
            found.append(_File(path.relative_to(_SOURCE).as_posix(), said, literals))
    finally:
        if collects:
            gc.enable()
    return tuple(found)


def _said(node: ast.AST) -> Iterator[tuple[int, str, str]]:
    """What a call or an assignment says to users."""
    if isinstance(node, ast.Call) and _name(node) in ("phrase", "_phrase"):
        sentence = node.args[0] if node.args else None
        if isinstance(sentence, ast.Constant):
            yield node.lineno, "part", str(sentence.value)
    elif isinstance(node, ast.Call):
        for argument in _texts(node):
            for form in _forms(argument):
                yield node.lineno, "call", form
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in _NAMED:
        for form in _forms(node.value):
            yield node.lineno, "named", form


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Every text with a blank in it that the source has, its docstrings excepted, and where it stands. Unlike
    `sentences` it leaves nothing out: what is never translated can name an option, too."""
    found: list[tuple[str, str]] = []
    for place, _, literals in _files():
        found += ((f"{place}:{line}", form) for line, form in literals if " " in form.strip())
    return tuple(found)


def _literals(nodes: Sequence[ast.AST]) -> Iterator[ast.expr]:
    """Every text of a module but its docstrings and the pieces of other texts."""
    no_texts = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            no_texts |= {id(piece) for piece in node.values}
        if isinstance(node, ast.Subscript | ast.AnnAssign):
            no_texts |= {
                id(piece) for piece in ast.walk(node.slice if isinstance(node, ast.Subscript) else node.annotation)
            }
    for node in nodes:
        constant = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if isinstance(node, ast.expr) and (constant or isinstance(node, ast.JoinedStr)) and id(node) not in no_texts:
            yield node


def _texts(call: ast.Call) -> Iterator[ast.expr]:
    """The arguments of a call that are read by users."""
    name = _name(call)
    if name == "Option":
        yield from call.args[2:3]
    elif name == "Command":
        yield from call.args[1:2]
    elif name != "AssertionError" and (name in _SPEAKING or name.endswith("Error")):
        yield from call.args
    for keyword in call.keywords:
        if keyword.arg in _KEYWORDS:
            yield keyword.value


def _name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else str(getattr(function, "id", ""))


def _forms(node: ast.expr) -> list[str]:
    """What an expression can say: one text per branch of the conditions in it."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=values):
            forms = [""]
            for value in values:
                parts = [value.value] if isinstance(value, ast.Constant) else ["{}"]
                if isinstance(value, ast.FormattedValue) and isinstance(value.value, ast.IfExp):
                    parts = _forms(value.value)
                forms = [form + str(part) for form in forms for part in parts]
            return forms[:_MOST_FORMS]
        case ast.IfExp(body=body, orelse=other):
            return [*_forms(body), *_forms(other)][:_MOST_FORMS]
        case ast.BinOp(left=left, right=right, op=ast.Add()):
            return [a + b for a in _forms(left) for b in _forms(right)][:_MOST_FORMS]
        case ast.BoolOp(values=values):
            return [form for value in values for form in _forms(value)][:_MOST_FORMS]
    return ["{}"]


def _speaks(form: str, least: int = 2) -> bool:
    """Whether there is something to translate: at least so many words that stand outside of quotes."""
    return len(_WORD.findall(re.sub(r"`[^`]*`", "", form))) >= least and " " in form.strip()


def main(name: str) -> None:
    """Print what the catalogue lacks, and what it has in vain."""
    known = catalogue(name)
    found = sentences()
    lacking = {sentence: place for sentence, place in found.items() if sentence not in known}
    print(json.dumps(lacking, indent=0, ensure_ascii=False))
    print(f"{len(found)} sentences, {len(lacking)} without a translation", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
