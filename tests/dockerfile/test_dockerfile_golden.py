"""Each directory of `golden/` is one case: a Dockerfile, and in `tree.txt` what the parser makes of it.

To write the trees anew after a deliberate change: `GOLDEN=write pytest tests/dockerfile/test_dockerfile_golden.py`.
"""

import os
from pathlib import Path

import pytest

from kezuri.diagnostics import SourceText, Span
from kezuri.dockerfile import Dockerfile, decode, parse, write

CASES = sorted(path.parent for path in Path(__file__).parent.glob("golden/*/Dockerfile"))


def shown(value: object, source: SourceText) -> str:
    if isinstance(value, Span):
        line, column = source.position(value.start)
        return f"{line}:{column} {source.text[value.start : value.end]!r}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = zip(value._fields, value)
        return f"{type(value).__name__}({', '.join(f'{k}={shown(v, source)}' for k, v in fields)})"
    if isinstance(value, tuple):
        return "(" + ", ".join(shown(item, source) for item in value) + ")"
    return repr(value)


def tree(dockerfile: Dockerfile) -> str:
    source = dockerfile.source
    lines = [f"escape {dockerfile.escape}"]
    lines += [f"directive {d.name} = {d.value!r} at {shown(d.span, source)}" for d in dockerfile.directives]
    for instruction in dockerfile.instructions:
        node = instruction.node
        first, last = source.position(node.span.start)[0], source.position(node.span.end - 1)[0]
        lines += ["", f"{node.number} {type(instruction).__name__} as {node.written!r}, lines {first} to {last}"]
        lines.append(f"  original: {node.original!r}")
        if node.comment:
            lines.append(f"  comment: {node.comment!r}")
        for name in instruction._fields[1:]:
            value = getattr(instruction, name)
            if value is not None and value != () and value is not False:
                lines.append(f"  {name}: {shown(value, source)}")
    if dockerfile.diagnostics:
        lines.append("")
    for found in dockerfile.diagnostics:
        assert found.span is not None
        line, column = source.position(found.span.start)
        code = f"[{found.code}]" if found.code else ""
        lines.append(f"{found.severity}{code} {line}:{column}: {found.message}")
        if found.hint:
            lines.append(f"  help: {found.hint}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_golden(case: Path) -> None:
    text = decode((case / "Dockerfile").read_bytes())
    parsed = parse(text, "Dockerfile")
    assert write(parsed) == text
    wanted = case / "tree.txt"
    if os.environ.get("GOLDEN") == "write":
        wanted.write_text(tree(parsed))
    assert tree(parsed) == wanted.read_text()


def test_there_are_cases() -> None:
    assert len(CASES) >= 15
