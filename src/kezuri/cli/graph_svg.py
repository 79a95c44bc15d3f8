"""A plan's graph as a picture: stages as frames around their steps, what a stage needs on its left."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from kezuri.cli.graph_words import OUTCOMES, heading, note, reason, stage_of, title
from kezuri.cli.screen_text import clip
from kezuri.forecast.foresight import ForecastStage
from kezuri.forecast.graph import Edge, Graph, Group, Node

_WIDE, _HIGH = 340, 42
"""What the box of a step takes."""
_GAP, _BETWEEN, _APART = 12, 96, 30
"""Between the steps of a stage, between columns, and between the stages of one column."""
_INSET, _HEAD, _MARGIN, _LEGEND = 14, 30, 24, 34
"""From a stage's frame to its steps, the height of its name, the picture's own margin, and the line below it."""
_CELLS = 43
"""How many cells of a fixed-width font of 12 pixels a box is wide."""
_COLOURS = {
    "cached": ("#e6f4ea", "#2e7d32", "✓"),
    "runs": ("#fff1d6", "#b26a00", "▶"),
    "depends": ("#e3edfc", "#1a5fb4", "?"),
    "unknown": ("#f3e8fd", "#7b1fa2", "?"),
}
"""Of a step by its outcome: fill, line, and a mark for those who do not tell the colours apart."""
_STYLE = (
    "text{font:12px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1b1f24}"
    ".n{font:11px system-ui,'DejaVu Sans',sans-serif;fill:#4b525a}"
    ".h{font:600 13px system-ui,'DejaVu Sans',sans-serif}"
    ".e{fill:none;stroke:#8a919a;stroke-width:1.5}.f{stroke-dasharray:5 4}"
)
_NOT_XML = re.compile("[^\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Place(NamedTuple):
    """Where the upper left corner of a box is."""

    x: int
    y: int


def svg(graph: Graph, summary: str) -> str:
    """The whole document, with a line's end. `summary` is told in its last line, and to who cannot see it."""
    places, frames, columns, height = _layout(graph)
    width = _MARGIN * 2 + max(1, columns) * (_WIDE + 2 * _INSET) + max(0, columns - 1) * _BETWEEN
    height += _MARGIN + _LEGEND
    group_of = stage_of(graph)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' role="img">',
        f"<title>{escaped(summary)}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#8a919a"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    lines += [_frame(group, frames[group.id]) for group in graph.groups]
    lines += [_edge(edge, places, group_of) for edge in graph.edges]
    lines += [_box(node, None, places[node.id]) for node in graph.outside]
    lines += [_box(node, group.stage, places[node.id]) for group in graph.groups for node in group.nodes]
    lines.append(_legend(graph, summary, height - _MARGIN))
    # Whatever encoding it is written in, it is the same document.
    return "\n".join([*lines, "</svg>", ""]).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _layout(graph: Graph) -> tuple[dict[str, _Place], dict[str, _Place], int, int]:
    """Where each node and each stage's frame is, how many columns there are, and where the lowest one ends."""
    columns = _columns(graph)
    bottoms: dict[int, int] = {}
    places: dict[str, _Place] = {}
    frames: dict[str, _Place] = {}
    for node in graph.outside:
        places[node.id] = _Place(_MARGIN + _INSET, bottoms.get(0, _MARGIN))
        bottoms[0] = places[node.id].y + _HIGH + _APART
    for group in graph.groups:
        column = columns[group.id]
        x, y = _MARGIN + column * (_WIDE + 2 * _INSET + _BETWEEN), bottoms.get(column, _MARGIN)
        frames[group.id] = _Place(x, y)
        for row, node in enumerate(group.nodes):
            places[node.id] = _Place(x + _INSET, y + _HEAD + row * (_HIGH + _GAP))
        bottoms[column] = y + _tall(group) + _APART
    return places, frames, max(bottoms, default=0) + 1, max(bottoms.values(), default=_MARGIN)


def _columns(graph: Graph) -> dict[str, int]:
    """The column of each stage: right of all that it needs, and as near as can be to the first that needs it. What is
    outside of stages has the first column for itself."""
    group_of = stage_of(graph)
    pairs = [(group_of.get(edge.before, ""), group_of[edge.after]) for edge in graph.edges]
    needs = [(before, after) for before, after in pairs if before not in ("", after)]
    first = 1 if graph.outside else 0
    columns: dict[str, int] = {}
    for group in graph.groups:
        needed = (columns[before] for before, after in needs if after == group.id)
        columns[group.id] = max(needed, default=first - 1) + 1
    for group in reversed(graph.groups):
        needing = (columns[after] for before, after in needs if before == group.id)
        columns[group.id] = min(needing, default=columns[group.id] + 1) - 1
    return columns


def _tall(group: Group) -> int:
    return _HEAD + len(group.nodes) * (_HIGH + _GAP) - _GAP + _INSET


def _frame(group: Group, at: _Place) -> str:
    name = escaped(clip(heading(group.stage), _CELLS))
    return (
        f'<rect x="{at.x}" y="{at.y}" width="{_WIDE + 2 * _INSET}" height="{_tall(group)}" rx="8" fill="#f6f7f9"'
        f' stroke="#c3c8ce"/><text class="h" x="{at.x + _INSET}" y="{at.y + 20}">{name}</text>'
    )


def _edge(edge: Edge, places: dict[str, _Place], group_of: dict[str, str]) -> str:
    before, after = places[edge.before], places[edge.after]
    if group_of.get(edge.before) == group_of[edge.after]:
        way = f"M{before.x + _WIDE // 2} {before.y + _HIGH}V{after.y}"
    else:
        x, y, to_x, to_y = before.x + _WIDE, before.y + _HIGH // 2, after.x, after.y + _HIGH // 2
        bend = max(40, (to_x - x) // 2)
        way = f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"
    return f'<path class="{"e f" if edge.files else "e"}" d="{way}" marker-end="url(#arrow)"/>'


def _box(node: Node, stage: ForecastStage | None, at: _Place) -> str:
    fill, line, mark = "#ffffff", "#8a919a", ""
    if node.step is not None:
        fill, line, mark = _COLOURS[node.step.outcome]
    text, said = title(node, stage), note(node)
    full = "\n".join(part for part in (text, said, reason(node)) if part)
    first = at.y + (18 if said else 26)
    lines = [
        f"<g><title>{escaped(full)}</title>",
        f'<rect x="{at.x}" y="{at.y}" width="{_WIDE}" height="{_HIGH}" rx="{6 if stage else 20}" fill="{fill}"'
        f' stroke="{line}" stroke-width="{3 if node.critical else 1}"/>',
        f'<text x="{at.x + 12}" y="{first}">{escaped(clip(text, _CELLS))}</text>',
    ]
    if said:
        lines.append(f'<text class="n" x="{at.x + 12}" y="{at.y + 34}">{mark} {escaped(said)}</text>')
    return "".join([*lines, "</g>"])


def _legend(graph: Graph, summary: str, y: int) -> str:
    used = _used(node for group in graph.groups for node in group.nodes)
    words = [f"{_COLOURS[outcome][2]} {OUTCOMES[outcome]}" for outcome in _COLOURS if outcome in used]
    words.append("dashed: takes files")
    return f'<text class="n" x="{_MARGIN}" y="{y}">{escaped(". ".join([summary, ", ".join(words)]))}</text>'


def _used(nodes: Iterable[Node]) -> set[str]:
    return {node.step.outcome for node in nodes if node.step is not None}


def escaped(text: str) -> str:
    """The text within an element or an attribute. What XML cannot hold is replaced."""
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(plain, entity)
    return _NOT_XML.sub("\ufffd", text)
